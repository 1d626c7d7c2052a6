"""Scores of every model on the test split, the champion, and all charts of models and studies.

`evaluate` computes the scores; `charts` and `sheets` draw its results.
"""
