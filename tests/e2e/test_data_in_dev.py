"""A construct with data that leaves app.py while `devbridge dev` runs, or before it starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest

from devbridge.errors import EXIT_NOT_CONFIRMED
from tests.e2e.dev_process import DevProcess, clean_environment, command, run
from tests.waiting import eventually

WITH = """\
from devbridge import App, Job, Queue, Table

app = App("data")
notes = Table(app, "notes", partition_key="id")
empty = Queue(app, "empty")
Job(app, "note", handler="jobs/note.handler", bind=[notes])
"""
WITHOUT = WITH.replace("notes = Table", "# notes = Table").replace("bind=[notes]", "bind=[]")
RENAMED = WITH.replace('"notes"', '"remarks"')
NEW_KEY = WITH.replace('partition_key="id"', 'partition_key="name"')
FILL = dedent("""\
    import boto3
    from devbridge.resources import Table
    table = boto3.resource("dynamodb").Table(Table.notes.table_name)
    table.put_item(Item={"id": "a", "name": "b"})
    """)
LOSING = (WITHOUT, RENAMED, NEW_KEY)
WARNED = r"^[-!] Table 'notes' and its 1 item: "
ASKED = r"^nothing was deployed, because that would delete Table 'notes' and 1 item"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(WITH)
    (root / "jobs" / "note.py").write_text("def handler(payload):\n    return 1\n")
    return root


def python(app: Path, code: str) -> str:
    done = run(app, "bind", "--local", "--", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def save(app: Path, text: str) -> None:
    new = app / "app.new"
    new.write_text(text)
    new.replace(app / "app.py")


def items(app: Path) -> int:
    """In all tables that there are. Asked as the embedded cloud's root."""
    from tests.e2e.dev_process import client

    dynamodb = client(app, "dynamodb")
    names = dynamodb.list_tables()["TableNames"]
    return sum(dynamodb.scan(TableName=name, Select="COUNT")["Count"] for name in names)


def test_data_does_not_go_while_nobody_has_agreed_and_the_code_goes_on(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        python(app, FILL)
        for number, text in enumerate(LOSING, 2):
            mark = dev.mark
            save(app, text)
            dev.wait_for(WARNED, after=mark)
            dev.wait_for(ASKED, after=mark)
            dev.wait_for("--yes", after=mark)
            assert items(app) == 1
            (app / "jobs" / "note.py").write_text(f"def handler(payload):\n    return {number}\n")
            dev.wait_for(r"^Reloaded note", after=mark)
            done = command(app, "invoke", "note", "--wait")
            assert str(number) in done.stdout, done.stderr
            mark = dev.mark
            save(app, f"{WITH}\n# {number}\n")
            dev.wait_for("nothing to deploy|^Deployed", after=mark)
            assert items(app) == 1
        save(app, text)
        dev.wait_for(ASKED, after=mark)
        assert dev.interrupt() == 0
    for text in LOSING:
        save(app, text)
        refused = run(app, "dev", "--local")
        assert refused.returncode == EXIT_NOT_CONFIRMED, refused.stdout + refused.stderr
        assert "deletes Table 'notes' and 1 item" in refused.stderr
        assert re.search(WARNED, refused.stdout, re.MULTILINE)
    with DevProcess(app, "--local", "--yes") as dev:
        dev.wait_for(WARNED)
        dev.wait_for(r"^Ready")
        assert items(app) == 0


def test_what_is_empty_goes_with_one_line_and_without_a_question(app: Path) -> None:
    with DevProcess(app, "--local") as dev:
        dev.wait_for(r"^Ready")
        mark = dev.mark
        save(app, "\n".join(line for line in WITH.splitlines() if not line.startswith("empty")))
        dev.wait_for(r"^- Queue 'empty': deleted", after=mark)
        dev.wait_for(r"^Deployed", after=mark)
        assert "would delete" not in dev.text
        mark = dev.mark
        save(app, WITHOUT)
        dev.wait_for(r"^- Table 'notes': deleted", after=mark)
        dev.wait_for(r"^Deployed", after=mark)


def test_a_key_at_the_terminal_agrees(app: Path) -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "devbridge", "dev", "--local"],
        cwd=app,
        env={**clean_environment(), "NO_COLOR": "1"},
        preexec_fn=lambda: os.login_tty(slave),  # noqa: PLW1509
    )
    os.close(slave)
    seen: list[str] = []

    def read() -> None:
        try:
            while data := os.read(master, 65536):
                seen.append(data.decode(errors="replace"))
        except OSError:  # its other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: "Ready in" in "".join(seen), 60)
        python(app, FILL)
        save(app, WITHOUT)
        eventually(lambda: "press y and Enter" in "".join(seen), 60)
        assert items(app) == 1
        os.write(master, b"n\n")
        os.write(master, b"y\n")
        eventually(lambda: "Deployed in" in "".join(seen), 60)
        assert items(app) == 0
        os.write(master, b"\x03")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(master)
