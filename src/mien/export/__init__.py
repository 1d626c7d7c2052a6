"""Trained models as ONNX files that can be run without TensorFlow and without this package.

`champion` combines the other modules. Importing it imports Keras, whose backend must be TensorFlow.
"""
