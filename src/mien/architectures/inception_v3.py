"""`inception_v3`: `keras.applications.InceptionV3` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Szegedy et al. 2016, arXiv:1512.00567"
NETWORK = Network(
    "InceptionV3",
    "tf",
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    min_side=75,
)

build = builder(NETWORK)
