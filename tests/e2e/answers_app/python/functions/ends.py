"""A function that does what it is told by the event, or by the last part of the path."""

import base64
import os
import signal
import sys
import time
from decimal import Decimal


def handler(event, context):
    does = (event.get("pathParameters") or event)["does"]
    return globals()[does](event)


def batch(event, context):
    bad = [each["messageId"] for each in event["Records"] if each["body"] == "bad"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in bad]}


def raises(event):
    raise ValueError("no such thing")


def raises_for_a_reason(event):
    try:
        raise KeyError("the reason")
    except KeyError as error:
        raise RuntimeError("cannot load") from error


def returns_no_json(event):
    return {"a": {1, 2}}


def exits(event):
    sys.exit(3)


def exits_at_once(event):
    os._exit(0)


def is_killed(event):
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(event):
    time.sleep(60)


def waits(event):
    time.sleep(3)
    return "waited"


def answers_too_much(event):
    return "x" * (6 * 1024 * 1024 + 99)


def answers_much(event):
    return "x" * (6 * 1024 * 1024 + 98)


def answers_binary(event):
    body = base64.b64encode(bytes(range(256))).decode()
    headers = {"content-type": "image/png"}
    return {"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": True}


def answers_wrong_base64(event):
    return {"statusCode": 200, "body": "%%%", "isBase64Encoded": True}


def sets_cookies(event):
    cookies = ["a=1; Secure", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]
    return {"statusCode": 204, "cookies": cookies}


def answers_text(event):
    return {"statusCode": 201, "body": "gr\u00fcn"}


def answers_without_status(event):
    return {"message": "gr\u00fcn", "body": "x", "headers": {"a": "b"}}


def answers_a_string(event):
    return 'so "to say"'


def answers_numbers(event):
    return [1, 2.5, True]


def answers_nothing(event):
    return None


def answers_empty(event):
    return {}


def answers_without_body(event):
    return {"statusCode": 200}


def has_a_status_that_is_no_number(event):
    return {"statusCode": "many", "body": "x"}


def has_a_broken_status(event):
    return {"statusCode": 200.5, "body": "x"}


def has_a_body_that_is_no_text(event):
    return {"statusCode": 200, "body": {"a": 1}}


def has_headers(event):
    headers = {"X-Text": "a,b", "X-Number": 7, "X-Flag": True}
    return {"statusCode": 200, "headers": headers, "multiValueHeaders": {"X-Many": ["a", "b"]}}


def has_headers_that_are_none(event):
    return {"statusCode": 200, "headers": {"X-Many": ["a", "b"]}}


def answers_decimals(event):
    return {"price": Decimal("1.5"), "count": Decimal("3")}


def tells(event):
    body = event.get("body")
    found = {"body": body and len(body), "base64": event["isBase64Encoded"]}
    found["cookies"] = event.get("cookies")
    found["authorizer"] = event["requestContext"].get("authorizer")
    return found
