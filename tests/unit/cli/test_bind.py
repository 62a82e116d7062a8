"""`devbridge bind`: real commands, with credentials of a fake role."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest
from click.testing import CliRunner

from devbridge import deploy, errors, names
from devbridge.cli import bind as module
from devbridge.cli import main
from devbridge.cli.bind import run_child, run_with_credentials
from devbridge.config import Config
from devbridge.environment import without_own

ROLE = "arn:aws:iam::000000000000:role/demo-ann-BindRole"
PATH = {"PATH": os.environ["PATH"]}


class Provider:
    """Gives other credentials each time, which expire in so many seconds."""

    def __init__(self, seconds: float = 3600) -> None:
        self.given = 0
        self._seconds = datetime.timedelta(seconds=seconds)

    async def get(self, role_arn: str) -> Mapping[str, str]:
        assert role_arn == ROLE
        self.given += 1
        at = datetime.datetime.now(datetime.UTC) + self._seconds
        return {
            "AccessKeyId": f"ASIA{self.given}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def bound(program: str, out: Path, provider: Provider, **more: Any) -> dict[str, Any]:
    """Run a program that leaves JSON in the file `out`."""
    code = asyncio.run(
        run_with_credentials(
            [*python(program), str(out)], PATH, provider, ROLE, region="eu-west-1", **more
        )
    )
    assert code == 0
    value = json.loads(out.read_text())
    assert isinstance(value, dict)
    return value


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert asyncio.run(run_child(python(f"raise SystemExit({code})"), PATH)) == code


def test_a_command_that_a_signal_ended_gives_128_and_the_signal() -> None:
    command = python("import os; os.kill(os.getpid(), 9)")
    assert asyncio.run(run_child(command, PATH)) == 128 + signal.SIGKILL


def test_a_command_that_is_not_found_or_may_not_be_run_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    for command in ("no-such-command", str(tmp_path / "data")):
        with pytest.raises(errors.CommandNotFound, match="cannot be run") as error:
            asyncio.run(run_child([command], PATH))
        assert error.value.exit_code == 127
        assert error.value.where == command


WRAPPER = """
import asyncio, os, sys
from devbridge.cli.bind import run_child
sys.exit(asyncio.run(run_child(sys.argv[1:], os.environ)))
"""

COUNTS = """
import os, signal, sys
seen = []
def count(number, frame):
    seen.append(signal.Signals(number).name)
    os.write(1, " ".join(["got", *seen]).encode() + b"\\n")  # it may be within another's print
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, count)
print("ready", flush=True)
for line in sys.stdin:
    if line == "end\\n":
        break
print("all", *seen, flush=True)
sys.exit(7)
"""


def read_until(file: IO[bytes], text: bytes) -> bytes:
    lines = b""
    while text not in lines:
        line = file.readline()
        assert line, lines
        lines += line
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*python(WRAPPER), *python(COUNTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        read_until(process.stdout, b"ready\n")
        process.send_signal(number)
        read_until(process.stdout, f"got {number.name}\n".encode())
        process.stdin.write(b"end\n")
        process.stdin.flush()
        assert read_until(process.stdout, b"all") == f"all {number.name}\n".encode()
    assert process.returncode == 7


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_is_ignored_stays_ignored(name: str) -> None:
    ignoring = (
        "import os, signal, sys\n"
        f"signal.signal(signal.{name}, signal.SIG_IGN)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    sends = (
        "import os, signal, sys\n"
        f"found = signal.getsignal(signal.{name})\n"
        f"os.kill(os.getppid(), signal.{name})\n"
        "sys.exit(42 if found is signal.SIG_IGN else 1)\n"
    )
    command = [*python(ignoring), *python(WRAPPER), *python(sends)]
    assert subprocess.run(command, check=False).returncode == 42


def test_the_command_has_the_terminal_and_ctrl_c_reaches_it_once() -> None:
    ours, theirs = pty.openpty()
    # The first thing that it does is to make the terminal its own.
    own = "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    process = subprocess.Popen(
        [*python(own + WRAPPER), *python(COUNTS)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        read_until(terminal, b"ready\r\n")
        terminal.write(b"\x03")
        read_until(terminal, b"got SIGINT\r\n")
        terminal.write(b"\x03")
        read_until(terminal, b"got SIGINT SIGINT\r\n")
        terminal.write(b"end\n")
        assert b"all SIGINT SIGINT\r\n" in read_until(terminal, b"all")
        assert process.wait(20) == 7


# --- its environment and credentials ------------------------------------------------------------


def test_nothing_of_the_developers_own_credentials_is_passed_on() -> None:
    own = {"AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "AKIA", "BOTO_CONFIG": "x"}
    settings = {"DEVBRIDGE_STAGE": "ann", "DEVBRIDGE_SCHEMAS": "x"}
    kept = {"HOME": "/home/ann", "TERM": "xterm", "VIRTUAL_ENV": "/venv"}
    assert without_own({**own, **settings, **kept}) == kept


ASKS_BOTO = """
import json, sys
import botocore.session
credentials = botocore.session.get_session().get_credentials()
keys = [credentials.get_frozen_credentials().access_key for _ in range(3)]
json.dump({"method": credentials.method, "keys": keys}, open(sys.argv[1], "w"))
"""


def test_an_sdk_finds_the_roles_credentials(tmp_path: Path) -> None:
    found = bound(ASKS_BOTO, tmp_path / "out", Provider())
    assert found == {"method": "container-role", "keys": ["ASIA1"] * 3}


def test_credentials_that_age_are_refreshed(tmp_path: Path) -> None:
    found = bound(ASKS_BOTO, tmp_path / "out", Provider(seconds=60))
    assert len(set(found["keys"])) == 3


def test_the_environment_names_the_region_and_the_embedded_cloud(tmp_path: Path) -> None:
    program = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    found = bound(program, tmp_path / "out", Provider(), endpoint_url="http://127.0.0.1:4566")
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert "DEVBRIDGE_SCHEMAS" not in found


def test_nobody_gets_credentials_without_the_token(tmp_path: Path) -> None:
    program = (
        "import json, os, sys, urllib.error, urllib.request\n"
        "def ask(**headers):\n"
        "    url = os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI']\n"
        "    try:\n"
        "        request = urllib.request.Request(url, headers=headers)\n"
        "        return urllib.request.urlopen(request).status\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
        "token = os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN']\n"
        "told = [ask(), ask(Authorization='x'), ask(Authorization=token)]\n"
        "json.dump({'told': told}, open(sys.argv[1], 'w'))\n"
    )
    provider = Provider()
    assert bound(program, tmp_path / "out", provider) == {"told": [403, 403, 200]}
    assert provider.given == 1


# --- the whole ----------------------------------------------------------------------------------


class Sts:
    def assume_role(self, **given: Any) -> Any:
        assert given["RoleArn"] == ROLE
        at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        return {
            "Credentials": {
                "AccessKeyId": "ASIAROLE",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": at,
            }
        }


@pytest.fixture
def outputs(config: Config, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    outputs = {
        "DevbridgeBindRole": ROLE,
        "DevbridgeNaming": names.NAMING_VERSION,
        "NotesTable": "notes-1",
    }
    there = SimpleNamespace(
        region="eu-west-1",
        endpoint_url=None,
        client=lambda service: {"sts": Sts()}[service],
        explain=lambda error: None,
        renew=lambda: None,
    )

    @contextmanager
    def cloud(used: Config) -> Iterator[SimpleNamespace]:
        assert used.stage == "ann"
        yield there

    monkeypatch.setattr(module, "cloud", cloud)
    monkeypatch.setattr(deploy, "stack_values", lambda cloud, app, stage: outputs)
    monkeypatch.setattr(
        deploy,
        "environment",
        lambda app, stage, values: {"DEVBRIDGE_Table_tableName_notes": values["NotesTable"]},
    )
    return outputs


def bind(*arguments: str) -> Sequence[Any]:
    result = CliRunner().invoke(main, ["bind", *arguments])
    return result.exit_code, result.stderr


def test_the_command_sees_the_resources_and_its_options_are_its_own(
    outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    program = (
        "import json, os, sys\n"
        "from devbridge.resources import Table\n"
        "import botocore.session\n"
        "key = botocore.session.get_session().get_credentials().access_key\n"
        "found = [Table.notes.table_name, key, sys.argv[2:], os.environ.get('AWS_PROFILE')]\n"
        "json.dump(found, open(sys.argv[1], 'w'))\n"
        "sys.exit(3)\n"
    )
    out = tmp_path / "out"
    for before in ([], ["--"]):
        arguments = [*before, *python(program), str(out), "--stage", "x", "--help", "--", "y"]
        assert bind(*arguments) == (3, "")
        assert json.loads(out.read_text()) == [
            "notes-1",
            "ASIAROLE",
            ["--stage", "x", "--help", "--", "y"],
            None,
        ]


@pytest.mark.parametrize("output", ["DevbridgeBindRole", "NotesTable"])
def test_a_stage_that_lacks_what_the_app_has_is_to_be_deployed_again(
    outputs: dict[str, str], output: str
) -> None:
    del outputs[output]
    code, said = bind("--", "true")
    assert code == errors.EXIT_NOT_FOUND
    assert output in said
    assert "devbridge deploy" in said


def test_a_stage_whose_functions_have_other_names_is_to_be_deployed_again(
    outputs: dict[str, str],
) -> None:
    del outputs["DevbridgeNaming"]
    code, said = bind("--", "true")
    assert code == errors.EXIT_NOT_FOUND
    assert "another version of devbridge" in said
    assert "devbridge deploy --stage ann" in said


def test_a_command_that_is_not_found_ends_with_127(outputs: dict[str, str]) -> None:
    code, said = bind("--", "no-such-command")
    assert code == 127
    assert "no-such-command" in said


def test_a_role_that_cannot_be_assumed_runs_nothing(
    outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Sts, **given: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr(Sts, "assume_role", refused)
    code, _ = bind("--", "touch", str(tmp_path / "ran"))
    assert code == errors.EXIT_CREDENTIALS
    assert not (tmp_path / "ran").exists()


def test_without_a_command_it_is_a_usage_error(outputs: dict[str, str]) -> None:
    assert bind()[0] == errors.EXIT_USAGE
