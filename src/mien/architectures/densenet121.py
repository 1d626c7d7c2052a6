"""`densenet121`: `keras.applications.DenseNet121` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Huang et al. 2017, arXiv:1608.06993"
NETWORK = Network("DenseNet121", "torch", "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
