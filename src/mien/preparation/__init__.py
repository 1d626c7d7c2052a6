"""From the rows of a source to audited splits: decoding, duplicates, splits, audit, votes.

`prepare` puts them together; `suspects` judges the labels of what was prepared.
"""
