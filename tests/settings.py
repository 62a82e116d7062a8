"""What tests and benchmarks do not take over from the environment of who runs them."""

from __future__ import annotations


def is_personal(name: str) -> bool:
    """Whether that variable is an AWS or a devbridge setting. Where the cache is, is none: all
    processes of a run have to agree on it, for that is where the keys of clouds are found."""
    return name.startswith(("AWS_", "DEVBRIDGE_")) and name != "DEVBRIDGE_CACHE_DIR"
