"""Trained models as ONNX files that need neither TensorFlow nor this package to answer.

`champion` puts the other modules together. Importing it imports Keras, whose backend must be
TensorFlow.
"""
