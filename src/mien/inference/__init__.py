"""Inference with an exported model: photos in, expressions out, without a training framework.

`reader.Reader` is the Python interface, `command` implements `mien predict`.
"""
