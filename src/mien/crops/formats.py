"""Which files are pictures and videos, by their names; the same for the pipeline and prediction."""

# fmt: off
# What OpenCV 4.14 decodes, and HEIC, which it does not: such a file is named as unreadable, and
# not left out as if it were no picture.
PICTURES = frozenset((
    ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg",
    ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
))
# Containers that OpenCV's FFmpeg reads.
VIDEOS = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))
