"""`xception`: `keras.applications.Xception` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Chollet 2017, arXiv:1610.02357"
NETWORK = Network(
    "Xception",
    "tf",
    "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    min_side=71,
)

build = builder(NETWORK)
