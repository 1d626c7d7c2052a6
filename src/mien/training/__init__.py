"""Training of one model and its cross-validation, resumable to the byte.

`augmentation` varies faces and `tensorboard` writes logs; the other modules import Keras.
"""
