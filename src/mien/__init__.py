"""mien: a reproducible pipeline that reads facial expressions."""

import os

# ONNX Runtime's wheels report their use to Microsoft, with an identifier that they leave in the
# user's cache, unless this is set before they are loaded. A user's own setting wins.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
