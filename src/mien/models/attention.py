"""Optional attention for the networks built from scratch, and its maps.

It uses only Keras' own layers and operations, so that models can be loaded and exported without
this package.
"""

import math

import keras
import numpy as np
from keras import layers, ops

# Hu et al. divide the channels by 16; these networks are narrower than theirs.
REDUCTION = 8
PREFIX = "attention_"


def attend(x: keras.KerasTensor, kind: str, stage: int, stages: int) -> keras.KerasTensor:
    """Return the output of a stage with attention applied to it.

    Args:
        x: feature map, (N, H, W, C).
        kind: `none`, `se`, `cbam`, or `self`, which is applied to the last stage only: its cost
            grows with the square of the number of positions.
        stage: number of the stage, counted from 1.
        stages: number of stages in the network.
    """
    name = f"{PREFIX}{stage}"
    if kind == "se":
        return _excited(x, name, pools=(layers.GlobalAveragePooling2D,))
    if kind == "cbam":
        return _cbam(x, name)
    if kind == "self" and stage == stages:
        return _self_attention(x, name)
    return x


def _excited(
    x: keras.KerasTensor, name: str, pools: tuple[type[layers.Layer], ...]
) -> keras.KerasTensor:
    """Return `x` with each channel weighted by a function of the pooled channels.

    With average pooling alone this is squeeze-and-excitation (Hu et al. 2018,
    arXiv:1709.01507), with average and max pooling the channel half of CBAM.
    """
    width = x.shape[-1]
    squeeze = layers.Dense(max(4, width // REDUCTION), activation="relu")
    excite = layers.Dense(width)
    pooled = [excite(squeeze(pool(keepdims=True)(x))) for pool in pools]
    total = layers.Add()(pooled) if len(pooled) > 1 else pooled[0]
    return layers.Multiply()([x, layers.Activation("sigmoid", name=name)(total)])


def _cbam(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return `x` weighted by channel, then by position (Woo et al. 2018, arXiv:1807.06521)."""
    pools = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
    x = _excited(x, f"channels_{name}", pools)
    places = layers.Concatenate()(
        [ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)]
    )
    weights = layers.Conv2D(1, 7, padding="same", use_bias=False, activation="sigmoid", name=name)(
        places
    )
    return layers.Multiply()([x, weights])


def _self_attention(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return `x` plus, at each position, a weighted mean over all positions.

    One head of scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) as a
    non-local block (Wang et al. 2018, arXiv:1711.07971).
    """
    _, height, width, depth = x.shape
    inner = max(4, depth // 2)
    places = layers.Reshape((height * width, depth))(layers.LayerNormalization()(x))
    query, key, value = (layers.Dense(inner, use_bias=False)(places) for _ in range(3))
    scores = layers.Rescaling(1 / math.sqrt(inner))(layers.Dot(axes=2)([query, key]))
    gathered = layers.Dot(axes=(2, 1))([layers.Softmax(name=name)(scores), value])
    return layers.Add()([x, layers.Reshape((height, width, depth))(layers.Dense(depth)(gathered))])


def maps(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the attention maps of each image, by stage; empty without attention.

    Args:
        model: built with `attention`.
        images: grey faces, (N, S, S), 0 to 255.

    Returns:
        Layer name to float32 weights. `cbam`: (N, H, W), 0 to 1 for each position. `self`:
        (N, H, W), the mean weight that each position has for all positions; sums to 1. `se`:
        (N, C), 0 to 1 for each channel, as it has no positions.
    """
    found = [layer for layer in model.layers if layer.name.startswith(PREFIX)]
    if not found:
        return {}
    seen = keras.Model(model.inputs, [layer.output for layer in found])
    weights = seen.predict(images, batch_size=256, verbose=0)
    # Some versions of Keras return a single output without a list.
    weights = weights if isinstance(weights, list) else [weights]
    return {layer.name: _map(layer, array) for layer, array in zip(found, weights, strict=True)}


def _map(layer: layers.Layer, weights: np.ndarray) -> np.ndarray:
    if isinstance(layer, layers.Softmax):
        side = math.isqrt(weights.shape[-1])
        return weights.mean(axis=1).reshape(-1, side, side)
    return weights[..., 0] if isinstance(layer, layers.Conv2D) else weights[:, 0, 0, :]
