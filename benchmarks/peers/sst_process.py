"""SST v2's way with Python: this process asks its Runtime API for one request, answers it and ends.
It imports what SST's own program imports."""

import argparse
import json
import logging
import os
import sys
import traceback  # noqa: F401 - its import is a part of what a request costs there
from importlib import import_module
from urllib import request

if __name__ == "__main__":
    logging.basicConfig()
    parser = argparse.ArgumentParser()
    for name in ("module", "path", "handler"):
        parser.add_argument(name)
    told = parser.parse_args()
    api = os.environ["AWS_LAMBDA_RUNTIME_API"]
    invocation = f"http://{api}/2018-06-01/runtime/invocation"
    with request.urlopen(f"{invocation}/next") as answer:
        event = json.loads(answer.read())
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    sys.path.append(told.path)
    result = getattr(import_module(told.module), told.handler)(event, None)
    response = request.Request(
        f"{invocation}/{request_id}/response", json.dumps(result).encode(), method="POST"
    )
    with request.urlopen(response):
        pass
