"""What is called there."""

from typing import Any


def handler(event: Any, context: Any) -> Any:  # noqa: ARG001
    return {"statusCode": 200, "body": "hello"}
