"""What can be wrong with bytes that came over the wire.

::

    ProtocolError
    ├── Malformed       not a message of ours, or damaged on the way
    ├── NewerVersion    sent by a newer devbridge than this one
    └── TooLarge        over the limits of the protocol
"""

from __future__ import annotations


class ProtocolError(Exception):
    """A message or a frame cannot be used. The text says why, in lower case."""


class Malformed(ProtocolError):
    """Not a message of this protocol, or damaged on the way."""


class NewerVersion(ProtocolError):
    """Sent by a newer version of devbridge: bring both sides to the same version."""


class TooLarge(ProtocolError):
    """Over the limits of the protocol: 6 MB of payload and 64 KiB of everything else."""
