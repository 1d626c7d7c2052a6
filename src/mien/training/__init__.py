"""Training of one model and its cross-validation, resumable with identical results.

Importing `augmentation`, `distillation`, `recipe`, `schedule` or `tensorboard` does not import
Keras; the other modules do.
"""
