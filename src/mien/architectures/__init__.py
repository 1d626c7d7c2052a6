"""The architectures, one file each; `mien.models.registry` describes the content of a file."""
