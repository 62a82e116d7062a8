"""The zips of the Lambda functions that start jobs: devbridge's own code, the same for every app,
stage and job."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from devbridge.languages.python import environment, reached
from devbridge.packing.zips import Asset, make_zip

STUB: Final = "stub_lambda/handler.py"
FUNCTION_STUB: Final = "stub_lambda/function.py"
INVOKER: Final = "stub_lambda/deployed.py"


@functools.cache
def stub_asset(cache: Path) -> Asset:
    """The zip of the jobs' stub: the same for every app, stage and job; packed once per process.

    Args:
        cache: the folder that keeps what is known of devbridge's own files.
    """
    return _with_transport(STUB, "the stubs", cache)


@functools.cache
def function_stub_asset(cache: Path) -> Asset:
    """The zip of the live functions' stub, as `stub_asset`."""
    return _with_transport(FUNCTION_STUB, "the stubs of functions", cache)


def _with_transport(handler: str, label: str, cache: Path) -> Asset:
    sources, names = reached.slice_of(handler, cache)
    found = environment.own(names)
    others = {arc: path for d in found for arc, path in d.files if _in_stub(arc)}
    return Asset.of(label, make_zip({**others, **sources}))


def _in_stub(name: str) -> bool:
    """Of `websockets`, the protocol without I/O is needed: not its clients and servers."""
    folder = name.rpartition("/")[0]
    used = not folder.startswith("websockets/") or folder == "websockets/extensions"
    return used and name.endswith(".py")


@functools.cache
def invoker_asset(cache: Path) -> Asset:
    """The zip of the invoker of deployed jobs, as `stub_asset`."""
    return Asset.of("the invokers", make_zip(reached.slice_of(INVOKER, cache)[0]))
