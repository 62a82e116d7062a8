"""What `devbridge dev` deploys in place of a function that cannot be packed and never was."""

from __future__ import annotations

import json

from devbridge.constructs import Function
from devbridge.errors import DevbridgeError
from devbridge.packing.zips import Asset, make_zip

_CODE = """\
const text = {text};

const answer = async (event) => {{
  if (event instanceof Object && "requestContext" in event) {{
    const headers = {{ "content-type": "text/plain; charset=utf-8" }};
    return {{ statusCode: 500, headers, body: text }};
  }}
  throw new Error(text);
}};
export {{ answer as {name} }};
"""


def broken_asset(function: Function, error: DevbridgeError) -> Asset:
    """The zip of a function that answers with the error: an HTTP call with status 500, any other
    by failing."""
    text = json.dumps(f"{function} is broken: {error}")
    code = _CODE.format(text=text, name=function.handler.function)
    return Asset.of(str(function), make_zip({f"{function.handler.module}.mjs": code.encode()}))
