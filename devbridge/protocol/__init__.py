"""The wire between stub and daemon: messages, codec, fragments, sessions.

Pure: the standard library only, no I/O and no clock; bytes and `now` go in, decisions come out.
"""
