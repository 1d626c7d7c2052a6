"""`mobilenet`: `keras.applications.MobileNet`, version 1, with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Howard et al. 2017, arXiv:1704.04861"
# Prepared as the weights `faces` want it, which leaves ImageNet's for this network aside: they
# want another scale, and `mobilenet_v2` has its own.
NETWORK = Network("MobileNet", "caffe", file=None, faces=True)

build = builder(NETWORK)
