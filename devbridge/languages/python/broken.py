"""What `devbridge dev` deploys in place of a function that cannot be packed and never was."""

from __future__ import annotations

from devbridge.constructs import Function
from devbridge.errors import DevbridgeError
from devbridge.packing.zips import Asset, make_zip

_CODE = """\
TEXT = {text!r}


def {name}(event, context):
    if isinstance(event, dict) and "requestContext" in event:
        headers = {{"content-type": "text/plain; charset=utf-8"}}
        return {{"statusCode": 500, "headers": headers, "body": TEXT}}
    raise RuntimeError(TEXT)
"""


def broken_asset(function: Function, error: DevbridgeError) -> Asset:
    """The zip of a function that answers with the error: an HTTP call with status 500, any other
    by failing."""
    code = _CODE.format(text=f"{function} is broken: {error}", name=function.handler.function)
    return Asset.of(str(function), make_zip({f"{function.handler.module}.py": code.encode()}))
