"""Muon's steps of large kernels, and AdamW's of everything else."""

import keras
import numpy as np
import pytest

from mien.training.muon import Muon


def test_muon_steps_along_the_singular_vectors_alike():
    """The momentum's are those of the first gradient; all singular values come near 1."""
    rng = np.random.default_rng(3)
    kernel = keras.Variable(rng.normal(size=(3, 3, 16, 32)), dtype="float32")
    gradient = rng.normal(size=(3, 3, 16, 32)).astype(np.float32)
    before = keras.ops.convert_to_numpy(kernel)
    Muon(0.01, weight_decay=0).apply([keras.ops.convert_to_tensor(gradient)], [kernel])
    step = (before - keras.ops.convert_to_numpy(kernel)).reshape(144, 32)
    left, _, right = np.linalg.svd(gradient.reshape(144, 32), full_matrices=False)
    # Liu et al. 2025: 0.2 times the root of the longer side.
    values = left.T @ step @ right.T / (0.01 * 0.2 * 12)
    assert np.diag(values) == pytest.approx(np.ones(32), abs=0.35)
    assert values - np.diag(np.diag(values)) == pytest.approx(np.zeros((32, 32)), abs=0.01)


@pytest.mark.parametrize("shape", [(32,), (3, 3, 1, 32), (64, 7)])
def test_muon_leaves_to_adamw_what_is_no_large_kernel(shape):
    gradient = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    variables = []
    for optimizer in (Muon(0.01, adam_weight_decay=0), keras.optimizers.Adam(0.01)):
        variables.append(keras.Variable(np.ones(shape), dtype="float32"))
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variables[-1]])
    muon, adam = map(keras.ops.convert_to_numpy, variables)
    assert muon == pytest.approx(adam, abs=1e-6)
    assert not np.allclose(muon, 1)
