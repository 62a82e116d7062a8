"""What a container does before it is the runner: its own text, with the S3 of moto."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.host import fetch
from tests.integration.runner.host.aws import BUCKET, Aws

SHOW = """\
import os, sys
folder = os.environ["DEVBRIDGE_FOLDER"]
mode = oct(os.stat("bin/tool").st_mode & 0o777)
packages = sorted(os.listdir(f"{folder}/packages"))
print(sys.argv[1:], os.getcwd() == f"{folder}/src", mode, packages)
"""


def zipped(files: dict[str, tuple[str, int]]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, (text, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, text)
    return body.getvalue()


def start(aws: Aws, folder: Path, **more: str) -> subprocess.Popen[str]:
    environment = {
        "DEVBRIDGE_BUCKET": BUCKET,
        "DEVBRIDGE_CODE": "code.zip",
        "TMPDIR": str(folder),
        **aws.environment(),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-c", fetch.script()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(aws: Aws, folder: Path, **more: str) -> tuple[int, str]:
    process = start(aws, folder, **more)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def test_code_and_packages_are_unpacked_with_their_permissions(aws: Aws, tmp_path: Path) -> None:
    files = {"runner/__main__.py": (SHOW, 0o100644), "bin/tool": ("#!/bin/sh", 0o100755)}
    aws.put("code.zip", zipped(files))
    aws.put("packages.zip", zipped({"one.py": ("", 0o100644)}))
    code, output = run(aws, tmp_path, DEVBRIDGE_PACKAGES="packages.zip")
    assert (code, output) == (0, "['run'] True 0o755 ['one.py']\n")


def test_the_version_that_is_named_is_fetched(aws: Aws, tmp_path: Path) -> None:
    on = {"Status": "Enabled"}
    aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=on)
    first = aws.put("code.zip", zipped({"runner/__main__.py": ("print('first')", 0o644)}))
    aws.put("code.zip", zipped({"runner/__main__.py": ("print('second')", 0o644)}))
    off = {"Status": "Suspended"}
    aws.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=off)
    assert run(aws, tmp_path, DEVBRIDGE_CODE=f"code.zip@{first}") == (0, "first\n")
    assert run(aws, tmp_path) == (0, "second\n")


def test_a_host_may_keep_packages_for_all_who_may_read_them(aws: Aws, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    show = (
        "import os\nprint(*sorted(os.listdir('../packages')), os.environ.get('DEVBRIDGE_UNPACKED'))"
    )
    aws.put("code.zip", zipped({"runner/__main__.py": (show, 0o644)}))
    aws.put("packages.zip", zipped({"one.py": ("", 0o644)}))
    more = {"DEVBRIDGE_UNPACKED": str(shared), "DEVBRIDGE_PACKAGES": "packages.zip"}
    assert run(aws, tmp_path, **more) == (0, "one.py None\n")
    (kept,) = filter(Path.is_dir, shared.iterdir())
    (kept / "two.py").touch()
    assert run(aws, tmp_path, **more) == (0, "one.py two.py None\n")
    aws.s3.delete_object(Bucket=BUCKET, Key="packages.zip")
    code, output = run(aws, tmp_path, **more)
    assert (code, output.count("packages cannot be fetched: ")) == (1, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [(None, "NoSuchKey"), (b"no zip", "File is not a zip file")],
    ids=["missing", "broken"],
)
def test_what_cannot_be_had_is_one_line(
    aws: Aws, tmp_path: Path, body: bytes | None, said: str
) -> None:
    if body is not None:
        aws.put("code.zip", body)
    code, output = run(aws, tmp_path)
    assert code == 1
    (line,) = output.splitlines()
    assert line.startswith("devbridge: the job's src cannot be fetched: ")
    assert said in line


@pytest.fixture
def silent() -> Iterator[tuple[str, threading.Event]]:
    """A server that takes connections, and never answers; and that somebody has connected."""
    connected = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection:
                connected.set()
                connection.recv(1)
                done.wait(30)

        done = threading.Event()
        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", connected
        done.set()
        thread.join()


def test_who_is_stopped_while_it_fetches_is_interrupted(
    aws: Aws, tmp_path: Path, silent: tuple[str, threading.Event]
) -> None:
    url, connected = silent
    process = start(aws, tmp_path, AWS_ENDPOINT_URL_S3=url)
    assert connected.wait(30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == os.EX_TEMPFAIL
    process.communicate()
