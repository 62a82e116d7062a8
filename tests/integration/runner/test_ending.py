"""The end of a run: forked, fresh and deployed as that of a plain Python program."""

from __future__ import annotations

import os
import re
import shelve
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.environment import inherited
from devbridge.languages.python.zygote import ZygoteLauncher
from devbridge.workers.base import FreshLauncher, Launcher
from devbridge.workers.rlimits import RUNNER
from tests.integration.test_worker_processes import Credentials
from tests.integration.workers import PYTHON, bench, developer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="linux only")

WRITERS = """
import bz2, gzip, io, logging, logging.handlers, lzma, shelve, tarfile, tempfile, wave, zipfile

plain = open("plain.txt", "w"); plain.write("text")
binary = open("binary.dat", "wb"); binary.write(b"bytes")
both = open("both.dat", "w+b"); both.write(b"both")
wrapped = io.TextIOWrapper(open("wrapped.txt", "wb")); wrapped.write("wrapped")
packed = gzip.open("packed.gz", "wt"); packed.write("x" * 1000)
bzipped = bz2.open("packed.bz2", "wb"); bzipped.write(b"x" * 1000)
xzipped = lzma.open("packed.xz", "wb"); xzipped.write(b"x" * 1000)
archive = zipfile.ZipFile("archive.zip", "w"); archive.writestr("name", "content")
kept = shelve.open("kept"); kept["key"] = 1
sound = wave.open("sound.wav", "wb")
sound.setnchannels(1); sound.setsampwidth(1); sound.setframerate(8000); sound.writeframes(b"12")
named = tempfile.NamedTemporaryFile(dir=".", prefix="named-")
folder = tempfile.TemporaryDirectory(dir=".", prefix="folder-")
class Own(io.RawIOBase):
    def close(self):
        if not self.closed: print("own is closed")
        super().close()
own = Own()
memory = logging.handlers.MemoryHandler(100, target=logging.FileHandler("log.txt"))
logging.getLogger("x").addHandler(memory); logging.getLogger("x").warning("kept until the end")

def handler(payload): return 1
"""
LIVES = """
import atexit, concurrent.futures, ctypes, multiprocessing, sys, threading, time, weakref

gate = threading.Event()
def say(text): sys.stdout.write(text + "\\n")
def late(name):
    gate.wait()
    say("ends " + name)
def broken(): raise ValueError("in atexit")
class Thing: ...
thing = Thing()
weakref.finalize(thing, say, "finalized")
atexit.register(say, "atexit")
atexit.register(broken)
atexit.register(gate.set)
threading.Thread(target=threading.Event().wait, daemon=True).start()
pool = concurrent.futures.ThreadPoolExecutor()

def handler(payload):
    def fails(): raise KeyError("in a thread")
    failing = threading.Thread(target=fails); failing.start(); failing.join()
    pool.submit(late, "pool")
    threading.Thread(target=late, args=["thread"]).start()
    def later(): time.sleep(0.05); gate.set()
    threading.Thread(target=later).start()
    multiprocessing.get_context("fork").Process(target=say, args=["child"]).start()
    ctypes.CDLL(None).printf(b"from C\\n")
    return 1
"""
FORGOTTEN = """
class Thing:
    def __del__(self): open("deleted", "w").close()
thing = Thing()
def handler(payload):
    Thing()
    return 1
"""
ENDS = {
    "return 1": 0,
    "sys.exit(3)": 3,
    "sys.exit('no')": 1,
    "raise KeyboardInterrupt": 130,
    "atexit.register(os._exit, 7)": 7,
    "atexit.register(sys.exit, 77)": 0,
    "sys.stdout.close()": 0,
}


def files(root: Path) -> Mapping[str, object]:
    """What a run has left, without times and names that are drawn."""
    found: dict[str, object] = {}
    for path in sorted(root.iterdir()):
        if path.is_dir():
            found[re.sub("-.*", "-", path.name)] = "folder"
        elif path.suffix == ".zip":
            listed = subprocess.run(
                [sys.executable, "-m", "zipfile", "-t", path], capture_output=True, check=True
            )
            found[path.name] = listed.stdout
        elif path.suffix == ".db":  # Berkeley's has an id of its own
            with shelve.open(str(path.with_suffix("")), "r") as kept:  # noqa: S301
                found[path.name] = dict(kept)
        elif path.suffix == ".gz":
            found[path.name] = path.read_bytes()[10:]
        else:
            found[re.sub("-.*", "-", path.name)] = path.read_bytes()
    return found


def lines(output: str) -> list[str]:
    """What was printed, in any order, without addresses and threads' numbers."""
    text = re.sub(r"0x[0-9a-f]+|Thread-\d+|\S*/jobs/factorial.py", "", output)
    return sorted(line for line in text.splitlines() if line.strip(" ^~"))


async def live(kind: str, root: Path, code: str) -> tuple[int | None, str]:
    """Exit code and output of a run by a worker."""

    def launcher() -> Launcher:
        if kind == "fresh":
            return FreshLauncher()
        return ZygoteLauncher(PYTHON, inherited(developer()), root=root)

    async with bench(root, launcher, Credentials()) as one:
        await one.launcher.prepare([], ["boto3"])
        worker = await one.launch(code)
        await worker.run()
        ended = await worker.exit()
        return ended.code, await worker.output()


def plain(root: Path, code: str) -> tuple[int, str]:
    """The same of a program that calls the handler."""
    (root / "jobs").mkdir()
    (root / "jobs/factorial.py").write_text(code)
    program = (
        "import sys; sys.stdout.reconfigure(line_buffering=True); sys.path.insert(0, '');"
        "from jobs.factorial import handler; handler(1)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout


def deployed(root: Path, code: str) -> str:
    """The output of a build."""
    (root / "jobs").mkdir()
    (root / "jobs/factorial.py").write_text(code)
    environment: dict[str, Any] = {
        **inherited(developer()),
        "DEVBRIDGE_JOB_NAME": "factorial",
        "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
        "DEVBRIDGE_INLINE": "1",
    }
    done = subprocess.run(
        [os.fspath(PYTHON), os.fspath(RUNNER), "build"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    (root / ".devbridge-exports").unlink()
    own = ("|  ", '{"devbridge"')
    return "".join(f"{one}\n" for one in done.stdout.splitlines() if not one.startswith(own))


@pytest.mark.parametrize("code", [WRITERS, LIVES], ids=["writers", "lives"])
async def test_a_run_ends_as_a_plain_program_does(tmp_path: Path, code: str) -> None:
    folders = [tmp_path / name for name in ("plain", "fresh", "fork", "deployed")]
    for folder in folders:
        folder.mkdir()
    expected, output = plain(folders[0], code)
    for kind, folder in zip(("fresh", "fork"), folders[1:], strict=False):
        ended, printed = await live(kind, folder, code)
        assert (kind, ended, lines(printed)) == (kind, expected, lines(output))
    assert lines(deployed(folders[3], code)) == lines(output)
    for folder in folders[1:]:
        assert files(folder) == files(folders[0]), folder.name


@pytest.mark.parametrize("kind", ["fresh", "fork"])
async def test_exit_codes_are_those_of_python(tmp_path: Path, kind: str) -> None:
    def launcher() -> Launcher:
        if kind == "fresh":
            return FreshLauncher()
        return ZygoteLauncher(PYTHON, inherited(developer()), root=tmp_path)

    async with bench(tmp_path, launcher) as one:
        for code, expected in ENDS.items():
            worker = await one.launch(
                f"import atexit, os, sys\ndef handler(payload):\n    {code}\n"
            )
            await worker.run()
            assert (code, (await worker.exit()).code) == (code, expected)


@pytest.mark.parametrize("kind", ["fresh", "fork"])
async def test_what_still_exists_at_the_end_is_not_finalized(tmp_path: Path, kind: str) -> None:
    # The one exception, which docs/how-it-works.md names.
    code, _ = await live(kind, tmp_path, FORGOTTEN.replace("    Thing()\n", ""))
    assert (code, (tmp_path / "deleted").exists()) == (0, False)
    await live(kind, tmp_path, FORGOTTEN)
    assert (tmp_path / "deleted").exists()
