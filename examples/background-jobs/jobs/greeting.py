"""Greets who has signed up. ``{"shouldFail": true}`` fails until it is mended."""

import time
from typing import TypedDict

from devbridge.job import job_handler
from devbridge.options import Lambda, OnTopic

MENDED = False


class Greeting(TypedDict, total=False):
    name: str
    shouldFail: bool


@job_handler(
    "greeting",
    compute=Lambda(),
    retries=2,
    retry_delay="1 second",
    triggers=[OnTopic("jobs", filter={"jobName": ["greeting"]}, done="succeeded")],
    alarm=1,
)
def handler(payload: Greeting) -> str:
    if payload.get("shouldFail") and not MENDED:
        raise RuntimeError("the greeting should fail, and does")
    time.sleep(1)  # to send a mail takes a moment
    text = f"Welcome, {payload.get('name', 'whoever you are')}!"
    print(text)
    return text
