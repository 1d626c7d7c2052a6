"""`resnet50`: `keras.applications.ResNet50` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "He et al. 2016, arXiv:1512.03385"
NETWORK = Network("ResNet50", "caffe", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
