from __future__ import annotations

import inspect

import pytest

from devbridge.testing import MemoryTransport
from devbridge.transport.base import AwsCredentials, Disconnected, Endpoint, Transport
from devbridge.transport.mqtt import MqttTransport


def test_credentials_never_show_their_secrets() -> None:
    shown = repr(AwsCredentials("AKIAEXAMPLE", "secret", "session"))
    assert shown == "AwsCredentials(access_key=AKIA...)"
    assert repr(AwsCredentials("", "secret")) == "AwsCredentials(access_key=...)"


def test_an_endpoint_is_awss_unless_it_says_where_to_dial() -> None:
    assert Endpoint("h", "r").dial is None


def test_an_end_is_an_accident_unless_it_says_otherwise() -> None:
    ended = Disconnected("reset")
    assert (ended.taken_over, ended.orderly) == (False, False)


@pytest.mark.parametrize("kind", [MqttTransport, MemoryTransport])
def test_what_stands_for_a_transport_has_its_signatures(kind: type) -> None:
    for name, wanted in vars(Transport).items():
        if isinstance(wanted, property):
            assert isinstance(getattr(kind, name), property), name
        elif not name.startswith("_"):
            assert inspect.signature(getattr(kind, name)) == inspect.signature(wanted), name
