"""From the rows of a source to audited splits: decoding, duplicates, splits, audit, votes.

`prepare` combines these steps; `suspects` searches the prepared train split for wrong labels.
"""
