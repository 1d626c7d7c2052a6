"""`resnet101`: `keras.applications.ResNet101` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "He et al. 2016, arXiv:1512.03385"
NETWORK = Network("ResNet101", "caffe", "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
