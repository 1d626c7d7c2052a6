"""mien: a reproducible pipeline that reads facial expressions."""

import os

# ONNX Runtime's wheels report their use to Microsoft, with an identifier that they leave in the
# user's cache, unless this is set before they are loaded. A user's own setting wins.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Of a photo; decoded it takes three bytes a pixel, so 150 MB.
LARGEST = 50_000_000
# Files of two kilobytes can hold a gigapixel. OpenCV reads this when it is imported, and then
# refuses to decode more, whatever the file's kind.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST))
