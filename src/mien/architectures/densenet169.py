"""`densenet169`: `keras.applications.DenseNet169` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Huang et al. 2017, arXiv:1608.06993"
NETWORK = Network("DenseNet169", "torch", "densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
