from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.gate.asked import Asked, Refused, check_form

PORT = 4566
OWN = f"127.0.0.1:{PORT}"


def asked(path: str = "/x", kind: str = "http", **headers: str | list[str]) -> Asked:
    raw: list[tuple[bytes, bytes]] = []
    for name, values in {"host": OWN, **headers}.items():
        for value in [values] if isinstance(values, str) else values:
            raw.append((name.replace("_", "-").encode(), value.encode("latin-1")))
    bare, _, query = path.partition("?")
    scope: dict[str, Any] = {"type": kind, "path": bare, "query_string": query.encode()}
    return Asked({**scope, "method": "GET", "raw_path": bare.encode(), "headers": raw})


@pytest.mark.parametrize(
    "host",
    [OWN, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"a1b2c3d4.execute-api.localhost:{PORT}"],
)
def test_the_clouds_names_are_loopbacks_with_its_port(host: str) -> None:
    check_form(asked(host=host), PORT)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", f"evil.example:{PORT}", "127.0.0.1", "localhost:1", f"[::1]:{PORT}",
     f"localhost.evil.example:{PORT}", f"evillocalhost:{PORT}", f"127.0.0.1.:{PORT}",
     f"127.0.0.1:{PORT}:{PORT}", f"evil.example#.localhost:1{PORT}", f" {OWN}"],
)  # fmt: skip
def test_all_other_names_are_refused(host: str) -> None:
    with pytest.raises(Refused, match="Host header"):
        check_form(asked(host=host), PORT)


def test_the_brokers_name_needs_no_port_in_a_handshake() -> None:
    name = "a1-ats.iot.us-east-1.localhost"
    check_form(asked(kind="websocket", host=name), PORT)
    for kind, host in (("http", name), ("websocket", "localhost"), ("websocket", f"{name}:1")):
        with pytest.raises(Refused):
            check_form(asked(kind=kind, host=host), PORT)


@pytest.mark.parametrize(
    "name", ["authorization", "origin", "x_amz_target", "x_amz_date", "x_amz_security_token"]
)
def test_what_is_decided_by_comes_once(name: str) -> None:
    once: dict[str, str | list[str]] = {name: "a", "accept": ["a", "b"]}
    check_form(asked("/x", "http", **once), PORT)
    twice: dict[str, str | list[str]] = {name: ["a", "a"]}
    with pytest.raises(Refused, match="more than once"):
        check_form(asked("/x", "http", **twice), PORT)


@pytest.mark.parametrize("path", ["*", "http://127.0.0.1/x", ""])
def test_a_target_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="start with /"):
        check_form(asked(path), PORT)


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [
        ("https://evil.example", True),
        ("null", True),
        ("", True),
        ("http://[", True),
        ("http://localhost.evil.example", True),
        ("http://127.0.0.1@evil.example", True),
        ("http://localhost:3000", False),
        (f"http://{OWN}", False),
    ],
)
def test_a_page_is_foreign_unless_this_machine_serves_it(origin: str, foreign: bool) -> None:
    assert asked(origin=origin).foreign is foreign
    assert not asked().foreign


@pytest.mark.parametrize(
    ("path", "headers", "signs"),
    [
        ("/", {}, False),
        ("/?signed=1", {"authorization": "Bearer AWS"}, False),
        ("/", {"authorization": "AWS4-HMAC-SHA256 Credential=x"}, True),
        ("/", {"authorization": "AWS x:y"}, True),
        ("/?X-Amz-Signature=", {}, True),
        ("/?x-amz-algorithm=a", {}, True),
        ("/?AWSAccessKeyId=test", {}, True),
    ],
)
def test_whoever_has_a_part_of_a_signature_signs(
    path: str, headers: dict[str, str], signs: bool
) -> None:
    assert asked(path, **headers).signs is signs
