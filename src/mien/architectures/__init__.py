"""The architectures, a file each; `mien.models.registry` says what such a file holds."""
