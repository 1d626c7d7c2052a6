"""`resnet50v2`: `keras.applications.ResNet50V2` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "He et al. 2016, arXiv:1603.05027"
NETWORK = Network("ResNet50V2", "tf", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
