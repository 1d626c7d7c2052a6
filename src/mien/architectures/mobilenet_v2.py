"""`mobilenet_v2`: `keras.applications.MobileNetV2` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Sandler et al. 2018, arXiv:1801.04381"
NETWORK = Network(
    "MobileNetV2",
    "tf",
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
)

build = builder(NETWORK)
