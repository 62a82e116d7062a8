from __future__ import annotations

import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.constructs import isolation
from devbridge.constructs.load import load_app

SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY"
APP = "from devbridge import App\napp = App('demo')\n"
OURS = ("botocore.parsers", "boto3.resources", "urllib3.connectionpool", "s3transfer", "asyncio")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """As in a new process. An app's own logging stays by design: not beyond the test."""
    root = logging.root
    handlers, level = [*root.handlers], root.level
    for name in ("mine", "mine.afterwards", "theirs"):
        logging.root.manager.loggerDict.pop(name, None)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def load(root: Path, code: str) -> None:
    logging.root.handlers.clear()  # pytest's: with them `basicConfig` does nothing
    (root / "app.py").write_text("import logging, logging.config, sys, os\n" + code + "\n" + APP)
    load_app(root)


def written(root: Path) -> str:
    return (root / "log.txt").read_text() if (root / "log.txt").exists() else ""


CONFIGURATIONS = {
    "basicConfig": "logging.basicConfig(level=10, filename='{log}')",
    "forced": "logging.basicConfig(level=10, filename='{log}', force=True)",
    "root": "logging.root.setLevel(10); logging.root.addHandler(logging.FileHandler('{log}'))",
    "list": "logging.root.setLevel(10); logging.root.handlers.append(logging.FileHandler('{log}'))",
    "dictConfig": """logging.config.dictConfig({{"version": 1, "disable_existing_loggers": True,
        "handlers": {{"f": {{"class": "logging.FileHandler", "filename": "{log}"}}}},
        "root": {{"level": "DEBUG", "handlers": ["f"]}},
        "loggers": {{name: {{"level": "DEBUG", "handlers": ["f"], "propagate": True}} for name in
            ("botocore", "boto3", "urllib3", "devbridge", "asyncio", "s3transfer")}}}})""",
    "set_stream_logger": """import boto3
boto3.set_stream_logger("", 10)
for name in ("boto3", "botocore", "urllib3", "s3transfer", "asyncio"):
    logging.getLogger(name).addHandler(logging.FileHandler('{log}'))
    logging.getLogger(name).setLevel(10)
logging.basicConfig(level=10, filename='{log}', force=True)""",
    "class": """class Mine(logging.Logger):
    def handle(self, record):
        open('{log}', 'a').write(record.getMessage() + chr(10)); super().handle(record)
logging.setLoggerClass(Mine)
logging.getLogger("botocore.made.in.app")
logging.basicConfig(level=10, filename='{log}')""",
    "filter": """class Prints(logging.Filter):
    def filter(self, record):
        open('{log}', 'a').write(record.getMessage()); return True
for name in ("botocore", "botocore.parsers", "devbridge"):
    logging.getLogger(name).addFilter(Prints())
logging.basicConfig(level=10, filename='{log}')""",
    "queue": """import logging.handlers, queue
q = queue.Queue()
logging.root.addHandler(logging.handlers.QueueHandler(q))
logging.root.setLevel(10)
logging.root.addHandler(logging.FileHandler('{log}'))""",
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_records_of_ours_reach_no_handler_of_the_app_and_its_own_do(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    meanwhile = f"for each in {OURS}: logging.getLogger(each).error('{SECRET} meanwhile')"
    code = CONFIGURATIONS[name].format(log=log)
    load(tmp_path, f"{code}\n{meanwhile}\nlogging.getLogger('mine').warning('in app.py')")
    for each in (*OURS, "botocore.made.in.app", "botocore.new", "devbridge.daemon.x"):
        logging.getLogger(each).error("%s afterwards", SECRET)
    logging.getLogger("mine.afterwards").warning("after app.py")
    assert SECRET not in written(tmp_path)
    assert "in app.py" in written(tmp_path)
    assert "after app.py" in written(tmp_path)
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_devbridges_own_handlers_go_on(tmp_path: Path, name: str) -> None:
    logger, records = logging.getLogger("devbridge"), []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    own, level = Own(), logger.level
    logger.addHandler(own)
    logger.setLevel(logging.DEBUG)
    try:
        load(
            tmp_path,
            CONFIGURATIONS[name].format(log=tmp_path / "log.txt")
            + "\nlogging.disable(50); logging.getLogger('devbridge').setLevel(50)",
        )
        logging.getLogger("devbridge.daemon.x").debug("told")
    finally:
        logger.removeHandler(own)
        logger.setLevel(level)
    assert records == ["told"]


def test_what_is_logged_by_another_thread_while_an_app_is_loaded_is_kept_apart(
    tmp_path: Path,
) -> None:
    code = f"""
logging.basicConfig(level=10, filename='{tmp_path / "log.txt"}', force=True)
import threading
def other():
    logging.getLogger("botocore.x").error("{SECRET}")
    logging.getLogger("theirs").error("a thread's own")
thread = threading.Thread(target=other); thread.start(); thread.join()"""
    load(tmp_path, code)
    assert "a thread's own" in written(tmp_path)
    assert SECRET not in written(tmp_path)


def test_what_an_app_sets_for_the_process_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.chdir(tmp_path)
    before = (
        *(sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook, threading.excepthook),
        *(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), dict(os.environ)),
        *(Path.cwd(), socket.getdefaulttimeout(), http.client.HTTPConnection.debuglevel),
        *(warnings.filters[:], warnings.showwarning, sys.getrecursionlimit()),
    )
    load(
        tmp_path,
        """
import http.client, io, signal, socket, threading, warnings
sys.stdout = sys.stderr = io.StringIO()
sys.excepthook = sys.unraisablehook = threading.excepthook = print
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_DFL)
os.environ["AWS_REGION"] = "mars-1"; os.environ["AWS_ENDPOINT_URL"] = "http://nowhere"
os.environ.pop("PATH"); os.chdir("/"); os.umask(0)
socket.setdefaulttimeout(0.001)
http.client.HTTPConnection.debuglevel = 1
warnings.simplefilter("error"); logging.captureWarnings(True)
sys.setrecursionlimit(500)
import gc; gc.disable()
""",
    )
    after = (
        *(sys.stdout, sys.stderr, sys.excepthook, sys.unraisablehook, threading.excepthook),
        *(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), dict(os.environ)),
        *(Path.cwd(), socket.getdefaulttimeout(), http.client.HTTPConnection.debuglevel),
        *(warnings.filters[:], warnings.showwarning, sys.getrecursionlimit()),
    )
    assert before == after
    assert isolation._umask() != 0
    with pytest.warns(UserWarning, match="is no error"):
        warnings.warn("is no error", UserWarning, stacklevel=1)


def test_app_py_sees_no_options_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["devbridge", "dev", "--local"]
    monkeypatch.setattr(sys, "argv", given)
    load(tmp_path, "assert sys.argv == ['runner']; sys.argv.append('x')")
    assert sys.argv is given
    assert given == ["devbridge", "dev", "--local"]


def test_it_is_put_back_though_app_py_raises(tmp_path: Path) -> None:
    stdout = sys.stdout
    with pytest.raises(Exception, match="ZeroDivisionError"):
        load(tmp_path, "sys.stdout = None; os.environ['MADE'] = '1'; 1 / 0")
    assert sys.stdout is stdout
    assert "MADE" not in os.environ


def test_what_app_py_sets_and_names_is_inherited_by_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_SHELL", "1")
    (tmp_path / "app.py").write_text(
        "import os\nos.environ['FROM_DOTENV'] = '2'\n"
        "from devbridge import App\napp = App('demo', inherit=['FROM_*', 'NOT_THERE'])\n"
    )
    assert load_app(tmp_path).shell == {"FROM_SHELL": "1", "FROM_DOTENV": "2"}
    assert "FROM_DOTENV" not in os.environ


def test_an_app_that_imports_nothing_slow_loads_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    code = (
        "import sys; from pathlib import Path; from devbridge.constructs.load import load_app\n"
        "before = set(sys.modules); load_app(Path(sys.argv[1]))\n"
        "print({'asyncio', 'http.client', 'boto3'} & (set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
