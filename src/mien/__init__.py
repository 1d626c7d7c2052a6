"""mien: a reproducible pipeline that classifies facial expressions."""

import os

# ONNX Runtime's wheels report their use to Microsoft, with an identifier stored in the user's
# cache, unless this is set before they are loaded. A user's own setting wins.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Maximum number of pixels of a photo; decoded it takes three bytes per pixel, so 150 MB.
LARGEST = 50_000_000
# A file of two kilobytes can contain a gigapixel. OpenCV reads this when it is imported, and then
# refuses to decode more pixels, in any format.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST))
