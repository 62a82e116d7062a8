"""A live function's stub in a process of its own, as Lambda has it: its own code, and a bare client
of the same kind beside it. ``python -m benchmarks.stub PORT FUNCTION``, where PORT is the broker's.

What to do comes as lines on stdin, and for each there is a line on stdout: see `benchmarks.asked`.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from benchmarks.daemon import APP, HOST, REGION, STAGE, TOPICS
from devbridge.protocol import codec
from devbridge.protocol.fragments import Complete, Reassembler
from devbridge.protocol.messages import Invoke, Responded, Taken
from devbridge.protocol.session import frames
from devbridge.transport.base import Delivery, Endpoint
from devbridge.transport.mqtt_sync import SyncMqtt
from devbridge.transport.patience import FAR
from runner.process import die_with_parent
from stub_lambda import function
from stub_lambda.bridge import Bridge
from stub_lambda.calling import Caller
from stub_lambda.settings import FunctionSettings

EVENT: Final = {"version": "2.0", "rawPath": "/hello", "headers": {"accept": "*/*"}, "body": "{}"}
TIMEOUT: Final = 30.0


class _Context:
    """What Lambda gives with an event."""

    client_context = None
    identity = None
    invoked_function_arn = f"arn:aws:lambda:{REGION}:000000000000:function:{APP}_{STAGE}_hello-fn"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        return int(TIMEOUT * 1000)


class _Bare:
    """A client of the stub's kind: messages to itself, and calls of many at once."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._id = codec.new_id()
        self._echo = f"{TOPICS.prefix}/bench/{self._id}"
        self._asked = Invoke(
            request_id=codec.new_id(),
            stub_id=self._id,
            function=name,
            aws_request_id=str(uuid.uuid4()),
            function_arn=_Context.invoked_function_arn,
            remaining=int(TIMEOUT * 1000),
            event=codec.dump_json(EVENT),
        )
        self._arrived: Callable[[bytes], None] = lambda _: None
        self._mqtt = SyncMqtt(
            endpoint,
            TOPICS.stub_client_id(self._id),
            lambda: None,
            subscriptions=[self._echo, TOPICS.replies(self._id)],
            on_delivery=self._delivered,
        )

    def echoes(self, count: int, at_once: int) -> int:
        """QoS 1 messages to itself, each of the size of a call; how many were lost."""
        (message,) = frames(self._asked)
        sent, back = itertools.count(), itertools.count()  # they come in their order

        def send() -> object:
            self._mqtt.publish(self._echo, message)
            return next(sent)

        return self._many(count, at_once, send, lambda _: next(back))

    def calls(self, count: int, at_once: int) -> int:
        """Calls; how many had no answer."""
        replies = Reassembler(max_messages=1, max_bytes=1 << 20, max_age=60.0, max_frames=10)

        def send() -> object:
            asked = replace(self._asked, request_id=codec.new_id())
            for frame in frames(asked):
                self._mqtt.publish_once(TOPICS.calls, frame)
            return asked.request_id

        def answered(payload: bytes) -> object:
            (event,) = replies.add(payload, None, time.monotonic())
            reply = codec.decode(event.body) if isinstance(event, Complete) else event
            if not isinstance(reply, Taken | Responded):
                raise RuntimeError(f"not an answer: {reply}")
            return reply.request_id if isinstance(reply, Responded) else None

        return self._many(count, at_once, send, answered)

    def _many(
        self,
        count: int,
        at_once: int,
        send: Callable[[], object],
        answered: Callable[[bytes], object],
    ) -> int:
        """Whenever one is answered, the next one is sent. When nothing has come for as long as a
        stub waits to be told that its call was taken, those under way are lost."""
        unsent, lost = count, 0
        under_way: set[object] = set()

        def fill() -> None:
            nonlocal unsent
            while unsent and len(under_way) < at_once:
                unsent -= 1
                under_way.add(send())

        def arrived(payload: bytes) -> None:
            under_way.discard(answered(payload))
            fill()

        self._arrived = arrived
        fill()
        while under_way:
            self._mqtt.poll(FAR.taken)
            if self._mqtt.ended is not None:
                raise RuntimeError(self._mqtt.ended.reason)
            if time.monotonic() - self._mqtt.heard > FAR.taken:
                lost += len(under_way)
                under_way.clear()
                fill()
        return lost

    def _delivered(self, delivery: Delivery) -> None:
        self._arrived(delivery.payload)


class _Stub:
    """What can be asked for, by its name."""

    def __init__(self, port: int, name: str) -> None:
        endpoint = Endpoint(HOST, REGION, ("127.0.0.1", port))
        self._settings = FunctionSettings(
            app=APP,
            stage=STAGE,
            endpoint=endpoint,
            offline="error",
            function=name,
            bucket="none",
            timeout=TIMEOUT,
        )
        self._caller = Caller(Bridge(self._settings))
        self._bare = _Bare(endpoint, name)

    def call(self) -> Any:
        return function.answered(self._caller, self._settings, EVENT, _Context())

    def echo(self) -> None:
        self._bare.echoes(1, 1)

    def calls(self, count: str, at_once: str) -> int:
        return self._bare.calls(int(count), int(at_once))

    def echoes(self, count: str, at_once: str) -> int:
        return self._bare.echoes(int(count), int(at_once))


def _main(port: str, name: str) -> None:
    stub = _Stub(int(port), name)
    print("ready", flush=True)
    for line in sys.stdin:
        what, *arguments = line.split()
        began = time.perf_counter_ns()
        value = getattr(stub, what)(*arguments)
        took = time.perf_counter_ns() - began
        told = {"took": took / 1e9, "ended": time.time_ns(), "value": value}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    die_with_parent(os.getppid())
    _main(*sys.argv[1:])
