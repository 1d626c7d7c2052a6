"""`efficientnetv2_b0`: `keras.applications.EfficientNetV2B0` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Tan & Le 2021, arXiv:2104.00298"
NETWORK = Network("EfficientNetV2B0", "torch", "efficientnetv2-b0_notop.h5", own_preprocessing=True)

build = builder(NETWORK)
