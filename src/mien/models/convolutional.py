"""Plain convolutional nets, the ones that `compact` is measured against."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mien.models.parts import channels, grey_input, probabilities


def seed_cnn(spec: Mapping[str, Any]) -> keras.Model:
    """Return four convolutions of 64, 128, 128 and 256 channels and a dense layer of 64."""
    inputs, x = grey_input(spec)
    x = layers.Conv2D(channels(64, spec), 7, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(channels(128, spec), 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(channels(128, spec), 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(channels(256, spec), 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(channels(64, spec), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, spec, dropout=0.25), name="seed_cnn")


def simple_cnn(spec: Mapping[str, Any]) -> keras.Model:
    """Return three convolutions of 32, 64 and 128 channels and a dense layer of 128."""
    inputs, x = grey_input(spec)
    for width in (32, 64, 128):
        x = layers.Conv2D(channels(width, spec), 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(channels(128, spec), activation="relu")(x)
    return keras.Model(inputs, probabilities(x, spec, dropout=0.25), name="simple_cnn")
