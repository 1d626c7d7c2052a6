"""Training of one model and its cross-validation, resumable to the byte."""

from mien.training.fitting import Trained, fit
from mien.training.folds import cross_validate

__all__ = ["Trained", "cross_validate", "fit"]
