"""`vgg16`: `keras.applications.VGG16` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Simonyan & Zisserman 2015, arXiv:1409.1556"
# Without batch normalisation a network may stay at chance at the default rate.
LEARNING_RATE = 0.0001
NETWORK = Network("VGG16", "caffe", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
