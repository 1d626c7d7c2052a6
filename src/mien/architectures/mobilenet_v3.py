"""`mobilenet_v3`: `keras.applications.MobileNetV3Large` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Howard et al. 2019, arXiv:1905.02244, large"
NETWORK = Network(
    "MobileNetV3Large",
    "tf",
    "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
    own_preprocessing=True,
)

build = builder(NETWORK)
