"""`seed_cnn` has a fixed shape."""

from keras import layers
from nets import built


def test_seed_cnn_has_the_layers_that_the_project_began_with():
    found = []
    for layer in built("seed_cnn").layers:
        if isinstance(layer, layers.Conv2D):
            found.append(("conv", layer.filters, layer.kernel_size, layer.padding, layer.strides))
        elif isinstance(layer, layers.MaxPooling2D):
            found.append(("pool", layer.pool_size))
        elif isinstance(layer, layers.Dense):
            found.append(("dense", layer.units, layer.activation.__name__))
        elif isinstance(layer, layers.Dropout):
            found.append(("dropout", layer.rate))
        if isinstance(layer, layers.Conv2D):
            assert layer.activation.__name__ == "relu"
    assert found == [
        ("conv", 64, (7, 7), "same", (1, 1)),
        ("pool", (2, 2)),
        ("conv", 128, (3, 3), "same", (1, 1)),
        ("conv", 128, (3, 3), "same", (1, 1)),
        ("pool", (2, 2)),
        ("conv", 256, (3, 3), "same", (1, 1)),
        ("pool", (2, 2)),
        ("dense", 64, "relu"),
        ("dropout", 0.25),
        ("dense", 7, "softmax"),
    ]
