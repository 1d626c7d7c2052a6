"""Scores of every model on the test split, the champion, and all charts of models and studies.

`evaluate` computes, `charts` and `sheets` draw what it returns.
"""
