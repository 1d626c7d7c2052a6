"""Ensembles: combinations of models, their cross-fitted scores, the choice of members."""
