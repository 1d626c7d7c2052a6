"""`convnext_tiny`: `keras.applications.ConvNeXtTiny` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Liu et al. 2022, arXiv:2201.03545"
NETWORK = Network("ConvNeXtTiny", "torch", "convnext_tiny_notop.h5", own_preprocessing=True)

build = builder(NETWORK)
