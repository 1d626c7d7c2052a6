"""Trained models as ONNX files that need neither TensorFlow nor this package to answer.

Importing it imports Keras, whose backend must be TensorFlow.
"""

from mien.export.canonical import serialised
from mien.export.card import card
from mien.export.checking import checked, probabilities, verdict
from mien.export.combination import combined
from mien.export.conversion import converted
from mien.export.variants import half, integer

__all__ = ["card", "checked", "combined", "converted", "half", "integer", "probabilities"]
__all__ += ["serialised", "verdict"]
