"""`devbridge secrets`, with an SSM that keeps parameters as AWS does."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge import errors, names
from devbridge.cli import main
from devbridge.cli import secrets as module
from devbridge.config import Config

KEY = "/devbridge/demo/ann/secrets/stripe-key"


class ParameterNotFoundError(Exception):
    pass


class Ssm:
    """The calls of SSM that secrets need, with AWS's rules."""

    class exceptions:  # noqa: N801 - boto3
        ParameterNotFound = ParameterNotFoundError

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.keys: dict[str, str | None] = {}

    def put_parameter(self, **given: Any) -> None:
        assert given["Type"] == "SecureString"
        assert given["Overwrite"]
        assert "Tags" not in given, "AWS refuses tags with Overwrite"
        self.values[given["Name"]] = given["Value"]
        self.keys[given["Name"]] = given.get("KeyId")

    def add_tags_to_resource(self, **given: Any) -> None:
        assert given["ResourceType"] == "Parameter"
        self.tags[given["ResourceId"]] = {tag["Key"]: tag["Value"] for tag in given["Tags"]}

    def get_parameter(self, **given: Any) -> Any:
        assert given["WithDecryption"]
        if given["Name"] not in self.values:
            raise ParameterNotFoundError
        return {"Parameter": {"Value": self.values[given["Name"]]}}

    def delete_parameter(self, **given: Any) -> None:
        if self.values.pop(given["Name"], None) is None:
            raise ParameterNotFoundError

    def get_paginator(self, operation: str) -> Ssm:
        assert operation == "get_parameters_by_path"
        return self

    def paginate(self, **given: Any) -> Iterator[Any]:
        assert not given["WithDecryption"]
        for name in list(self.values):
            if name.startswith(given["Path"]):
                yield {"Parameters": [{"Name": name, "Value": "AQICAH..."}]}


class FakeCloud:
    def __init__(self) -> None:
        self.ssm = Ssm()

    def client(self, service: str) -> Any:
        assert service == "ssm"
        return self.ssm


@pytest.fixture
def there(config: Config, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    (config.root / "app.py").write_text(
        "from devbridge import App, Secret\n\n"
        'app = App("demo")\n'
        'Secret(app, "stripe-key")\n'
        'Secret(app, "signing-key")\n'
    )
    fake = FakeCloud()

    @contextmanager
    def cloud(used: Config, *, start: bool) -> Iterator[FakeCloud]:
        assert used.stage == "ann"
        assert start  # with --local: a value can be set before the first `devbridge dev`
        yield fake

    monkeypatch.setattr(module, "cloud", cloud)
    return fake


def secrets(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["secrets", *arguments], input=stdin)


def test_a_value_from_standard_input_is_stored_encrypted_and_tagged(there: FakeCloud) -> None:
    result = secrets("set", "stripe-key", stdin=b"sk_live_1\n")
    assert (result.exit_code, result.stdout) == (0, f"set: {KEY}\n")
    assert there.ssm.values == {KEY: "sk_live_1"}
    assert there.ssm.tags == {KEY: {"devbridge:app": "demo", "devbridge:stage": "ann"}}
    secrets("set", "stripe-key", stdin="ключ\n\n".encode())
    assert there.ssm.values == {KEY: "ключ\n"}


def test_a_value_is_encrypted_with_the_key_that_app_py_names(
    there: FakeCloud, config: Config
) -> None:
    secrets("set", "stripe-key", stdin=b"x")
    assert there.ssm.keys == {KEY: None}
    arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
    app = config.root / "app.py"
    app.write_text(app.read_text().replace('App("demo")', f'App("demo", encryption_key="{arn}")'))
    secrets("set", "stripe-key", stdin=b"x")
    assert there.ssm.keys == {KEY: arn}


def test_a_value_from_a_file_is_stored_as_it_is(there: FakeCloud, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN-----\n")
    secrets("set", "stripe-key", "--file", str(tmp_path / "key.pem"))
    assert there.ssm.values == {KEY: "-----BEGIN-----\n"}


def test_a_value_is_never_an_argument(there: FakeCloud) -> None:
    assert secrets("set", "stripe-key", "sk_live_1").exit_code == errors.EXIT_USAGE
    assert there.ssm.values == {}


def test_the_prompt_does_not_show_the_value() -> None:
    program = (
        "import sys; from devbridge.cli.secrets import read_value\n"
        "value = read_value('stripe-key', None)\n"
        "print('got', value[::-1])\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while b"value of stripe-key: " not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, b"sk_live_1\n")
        while b"got" not in shown or not shown.endswith(b"\n"):
            shown += os.read(ours, 1000)
    finally:
        process.wait(20)
        os.close(ours)
    assert b"got 1_evil_ks" in shown
    assert b"sk_live_1" not in shown


@pytest.mark.parametrize("value", [b"", b"\n", b"v" * 4097])
def test_a_value_that_is_empty_or_over_4096_bytes_is_refused(
    there: FakeCloud, value: bytes
) -> None:
    result = secrets("set", "stripe-key", stdin=value)
    assert result.exit_code == errors.EXIT_APP
    assert "1 to 4096 bytes" in result.stderr
    assert there.ssm.values == {}


def test_a_value_that_is_no_text_is_refused_without_being_shown(there: FakeCloud) -> None:
    result = secrets("set", "stripe-key", stdin=b"\xffsk_live_1")
    assert result.exit_code == errors.EXIT_APP
    assert "not text in UTF-8" in result.stderr
    assert "sk_live_1" not in result.output


def test_only_a_secret_of_the_app_can_be_set(there: FakeCloud) -> None:
    result = secrets("set", "stripe", stdin=b"x")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "signing-key, stripe-key" in result.stderr


def test_the_list_says_what_is_set_and_shows_no_value(there: FakeCloud) -> None:
    there.ssm.values = {KEY: "sk_live_1", names.secret("demo", "ann", "old"): "x"}
    result = secrets("list")
    assert result.stdout.splitlines() == [
        "NAME         SET",
        "old          set, but app.py has no such Secret",
        "signing-key  not set",
        "stripe-key   set",
    ]
    assert json.loads(secrets("list", "--json").stdout) == [
        {"name": "old", "set": True},
        {"name": "signing-key", "set": False},
        {"name": "stripe-key", "set": True},
    ]


def test_get_prints_the_value_and_says_what_to_do_without_one(there: FakeCloud) -> None:
    there.ssm.values = {KEY: "sk_live_1"}
    assert secrets("get", "stripe-key").stdout == "sk_live_1\n"
    result = secrets("get", "signing-key")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "devbridge secrets set signing-key --stage ann" in result.stderr


def test_get_of_what_the_app_does_not_have_says_what_it_has(there: FakeCloud) -> None:
    result = secrets("get", "nope")
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert "use one of its secrets: signing-key, stripe-key" in result.stderr
    there.ssm.values = {names.secret("demo", "ann", "old"): "x"}
    assert secrets("get", "old").stdout == "x\n"


def test_remove_without_a_terminal_refuses(there: FakeCloud) -> None:
    there.ssm.values = {KEY: "sk_live_1"}
    assert secrets("remove", "stripe-key", stdin=b"y\n").exit_code == errors.EXIT_NOT_CONFIRMED
    assert there.ssm.values


def test_remove_asks(there: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devbridge.cli.deploying.has_terminal", lambda: True)
    there.ssm.values = {KEY: "sk_live_1"}
    assert secrets("remove", "stripe-key", stdin=b"n\n").exit_code == errors.EXIT_ERROR
    assert there.ssm.values
    assert secrets("remove", "stripe-key", stdin=b"y\n").exit_code == 0
    assert not there.ssm.values
    assert secrets("remove", "stripe-key", "--yes").exit_code == errors.EXIT_NOT_FOUND
