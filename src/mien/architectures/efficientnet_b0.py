"""`efficientnet_b0`: `keras.applications.EfficientNetB0` with a new head."""

from mien.models.transfer import Network, builder

SOURCE = "Tan & Le 2019, arXiv:1905.11946"
NETWORK = Network("EfficientNetB0", "torch", "efficientnetb0_notop.h5", first_layer="stem_conv_pad")

build = builder(NETWORK)
