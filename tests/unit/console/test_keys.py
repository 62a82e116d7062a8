from __future__ import annotations

import re
from pathlib import Path

import pytest

from devbridge.console.keys import Keys
from devbridge.redaction import redacted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "console.json"


def token(link: str) -> str:
    return link.partition("?token=")[2]


def test_a_link_names_the_port_and_has_a_token_of_its_own() -> None:
    keys = Keys().opened(4711)
    one, two = keys.link(), keys.link("/runs/3f2a")
    assert re.fullmatch(r"http://127\.0\.0\.1:4711/\?token=[\w-]{12}\.[0-9a-f]{32}", one)
    assert two.startswith("http://127.0.0.1:4711/runs/3f2a?token=")
    assert token(one) != token(two)
    assert keys.made(token(one))
    assert keys.made(token(two))


@pytest.mark.parametrize("wrong", ["", ".", "a.b", "ü.ü", "x" * 1000])
def test_what_was_not_made_here_opens_nothing(wrong: str) -> None:
    keys = Keys().opened(1)
    assert not keys.made(wrong)
    assert not keys.is_session(wrong)
    assert not keys.made(token(Keys().opened(1).link()))
    nonce, _, signature = token(keys.link()).partition(".")
    assert not keys.made(f"{nonce}x.{signature}")


def test_links_end_with_their_console_and_its_cookie_and_port_do_not(path: Path) -> None:
    first = Keys.read(path).opened(4711)
    link = first.link()
    first.write(path)
    first.closed().write(path)
    left = Keys.read(path)
    assert not left.made(token(link)), "nobody listens"
    again = left.opened(left.port)
    assert not again.made(token(link)), "it was of another start"
    assert (again.port, again.session, again.cookie) == (4711, first.session, "devbridge-4711")


def test_only_this_user_may_read_the_keys_and_who_may_can_make_a_link(path: Path) -> None:
    keys = Keys().opened(4711)
    keys.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.made(token(Keys.read(path).link()))


@pytest.mark.parametrize("damaged", ["", "[]", '{"port": 1, "other": 2}', "\0"])
def test_a_file_that_is_of_no_use_is_as_none(path: Path, damaged: str) -> None:
    path.write_text(damaged)
    assert Keys.read(path).port == 0
    assert Keys.read(path).session != Keys.read(path).session


def test_the_secrets_are_in_no_log() -> None:
    keys = Keys().opened(1)
    assert keys.session not in redacted(f"a log with {keys.session} and {keys.launch}")
    assert keys.launch not in redacted(f"a log with {keys.session} and {keys.launch}")
    assert keys.session not in repr(keys)
    assert keys.launch not in repr(keys)
