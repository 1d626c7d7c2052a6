"""Training of one model and its cross-validation, resumable to the byte."""

from mien.training.board import board
from mien.training.fitting import Trained, described, fit
from mien.training.folds import cross_validate, out_of_fold

__all__ = ["Trained", "board", "cross_validate", "described", "fit", "out_of_fold"]
