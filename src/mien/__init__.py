"""mien: a reproducible pipeline that reads facial expressions."""
