"""What all networks share: the registry of architectures, blocks, weights, costs and devices.

Importing it does not import Keras.
"""

from mien.models.backend import use_backend
from mien.models.costs import cost
from mien.models.devices import spread
from mien.models.registry import OPTIONS, build, check, defaults, known, load, names, options

__all__ = ["OPTIONS", "build", "check", "cost", "defaults", "known", "load", "names", "options"]
__all__ += ["spread", "use_backend"]
