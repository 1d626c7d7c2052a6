"""Reading faces with an exported model: photos in, expressions out, no training framework.

`reader.Reader` is the library's door, `command` that of `mien predict`.
"""
