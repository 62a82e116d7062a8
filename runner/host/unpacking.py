"""How a container gets the job's code: what `fetch.script` has in its text.

DEVBRIDGE_CODE and DEVBRIDGE_PACKAGES, if there are any, say where in DEVBRIDGE_BUCKET the zips are:
``KEY`` or ``KEY@VERSION``. Unpacked into a new folder, they become the program
``python3 FOLDER/src/runner run``.

A host with many containers may keep packages for all of them: DEVBRIDGE_UNPACKED is its folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import zipfile
from typing import Any

from runner.signed import AwsError, s3_url, send

INTERRUPTED = 75
FAILED = 1


def main() -> None:
    """Become the runner, or exit: 75 when the container is stopped before, 1 if it cannot be."""
    # Who is process 1 ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(INTERRUPTED))
    wanted = {"src": os.environ["DEVBRIDGE_CODE"], "packages": os.environ.get("DEVBRIDGE_PACKAGES")}
    folder = tempfile.mkdtemp(prefix="devbridge-")
    shared = os.environ.pop("DEVBRIDGE_UNPACKED", None)
    problems: list[str] = []

    def get(name: str, at: str) -> None:
        try:
            if name == "packages" and shared:
                os.symlink(kept(at, shared), os.path.join(folder, name))
            else:
                unpack(at, os.path.join(folder, name))
        except (AwsError, OSError, zipfile.BadZipFile) as error:
            problems.append(f"devbridge: the job's {name} cannot be fetched: {error}")

    threads = [threading.Thread(target=get, args=item) for item in wanted.items() if item[1]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        print(*problems, sep="\n", file=sys.stderr, flush=True)
        sys.exit(FAILED)
    source = os.path.join(folder, "src")
    os.environ["DEVBRIDGE_FOLDER"] = folder
    os.chdir(source)
    runner = os.path.join(source, "runner")
    os.execv(sys.executable, [sys.executable, runner, "run"])  # noqa: S606


def kept(at: str, shared: str) -> str:
    """The folder in `shared` with what a zip has, which the first container to need it makes.

    Raises:
        AwsError, OSError, BadZipFile: it cannot be had, or not with the rights of this one.
    """
    import fcntl  # where `deploy` runs, there may be none

    place = os.path.join(shared, hashlib.sha256(at.encode()).hexdigest())
    with open(f"{place}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            with tempfile.TemporaryDirectory(dir=shared, ignore_cleanup_errors=True) as folder:
                unpack(at, os.path.join(folder, "all"))
                os.rename(os.path.join(folder, "all"), place)
            lock.write(str(sum(len(files) for *_, files in os.walk(place))))
            return place
    send("HEAD", url(at), "s3", {}, b"", lambda _: None)
    return place


def url(at: str) -> str:
    """Where the bucket has a zip."""
    key, _, version = at.partition("@")
    return s3_url(os.environ["DEVBRIDGE_BUCKET"], key, version)


def unpack(at: str, folder: str) -> None:
    """Fetch a zip of the bucket and unpack it.

    Raises:
        AwsError, OSError, BadZipFile: it cannot be had.
    """
    with tempfile.TemporaryFile() as file:

        def take(response: Any) -> None:
            file.seek(0)
            file.truncate()
            shutil.copyfileobj(response, file, 1 << 20)
            if file.tell() != int(response.headers.get("Content-Length") or file.tell()):
                raise OSError("the connection was closed before all of it had come")

        send("GET", url(at), "s3", {}, b"", take)
        with zipfile.ZipFile(file) as archive:
            for item in archive.infolist():
                path = archive.extract(item, folder)
                if mode := item.external_attr >> 16 & 0o777:
                    os.chmod(path, mode)
