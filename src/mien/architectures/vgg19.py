"""`vgg19`: `keras.applications.VGG19` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Simonyan & Zisserman 2015, arXiv:1409.1556"
# Without batch normalisation a network may stay at chance at the default rate.
LEARNING_RATE = 0.0001
NETWORK = Network("VGG19", "caffe", "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5")

build = builder(NETWORK)
