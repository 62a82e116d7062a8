"""What there is to see of the modules of the AWS SDK and below: a copy is beside each handler.

One line a name: what its value is, without addresses. Two runs of one program are to agree.
"""

from __future__ import annotations

import sys
from typing import Any

TOPS = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")
LIBRARY = (
    *("socket", "ssl", "select", "selectors", "threading", "_thread", "queue", "subprocess"),
    *("time", "os", "signal", "http.client", "json", "logging", "datetime", "random", "warnings"),
    *("concurrent.futures", "tempfile", "uuid", "hashlib", "hmac", "builtins", "importlib"),
)
_SKIPPED = frozenset(
    ("__cached__", "__loader__", "__spec__", "__builtins__", "__file__", "__path__", "__doc__")
)
_SIMPLE = (str, bytes, int, float, bool, type(None))
_CLOCKS = frozenset(("logging._startTime", "threading._counter", "os.environ"))


def facts() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] not in TOPS and name not in LIBRARY:
            continue
        for key, value in sorted(vars(module).items(), key=lambda item: str(item[0])):
            if key not in _SKIPPED and f"{name}.{key}" not in _CLOCKS:
                found[f"{name}.{key}"] = _fact(value)
    found["sys.modules"] = " ".join(sorted(sys.modules))
    found["warnings.filters"] = repr(sys.modules["warnings"].filters)
    found["loggers"] = _loggers()
    return found


def _loggers() -> str:
    logging = sys.modules.get("logging")
    if logging is None:
        return ""
    return repr(
        sorted(
            (name, getattr(one, "level", None), getattr(one, "disabled", None))
            for name, one in logging.root.manager.loggerDict.items()
        )
    )


def _fact(value: Any) -> str:
    if _is_simple(value):
        return repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
    if isinstance(value, type(sys)):
        return f"module {value.__name__}"
    name = str(
        (
            getattr(value, "__module__", None),
            getattr(value, "__qualname__", None) or getattr(value, "__name__", None),
        )
    )
    if isinstance(value, type):
        members = [
            (key, getattr(one, "__module__", None), getattr(one, "__qualname__", None))
            for key, one in sorted(vars(value).items())
            if callable(one) and not key.startswith("__")
        ]
        return f"{name} {members}"
    return name if callable(value) else type(value).__qualname__


def _is_simple(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(map(_is_simple, value))
    return isinstance(value, _SIMPLE)
