"""Subscribed to the topic of alarms: says which alarm went on, where a pager would be called."""

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> None:
    for record in event["Records"]:
        alarm = json.loads(record["Sns"]["Message"])
        print(f"{alarm['NewStateValue']} {alarm['AlarmName']}: {alarm['NewStateReason']}")
