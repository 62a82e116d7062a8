"""What options of ``@job_handler`` are written with, where `App.jobs` finds the job::

    from devbridge.job import job_handler
    from devbridge.options import Lambda, OnQueue

    @job_handler("greeting", compute=Lambda(), triggers=[OnQueue("orders", batch_size=1)])
    def handler(payload): ...

The options are read from the file's text, when app.py is loaded. Where the job runs nothing looks
at them, and nothing of devbridge's constructs is there: these names do nothing, and cost nothing.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _unread


def _unread(*_args: object, **_options: object) -> None:
    """An option's value, which nobody reads here."""
