"""Python: what its handlers import is found, packed, forked from a zygote, and asked for types.

`language` is the door; all else here is behind it.
"""
