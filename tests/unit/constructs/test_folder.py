"""`App.jobs`: a job of every module in a folder that declares itself one."""

from __future__ import annotations

import inspect
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from devbridge.constructs import App, Job, Lambda, OnQueue, Queue, Table
from devbridge.constructs.app import loading
from devbridge.constructs.folder import OPTIONS
from devbridge.constructs.load import load_app
from devbridge.errors import AppFailed, DuplicateName, InvalidValue, UnknownBindTarget

HEAD = "from devbridge import App, Job, Queue, Table, Topic\n\napp = App('demo')\n"
PLAIN = "def handler(payload): ...\n"


class Folder:
    """An app's folder, with jobs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app("app.jobs('jobs/')")

    def app(self, text: str) -> None:
        (self.root / "app.py").write_text(HEAD + dedent(text))

    def file(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def job(self, path: str, arguments: str) -> None:
        self.file(path, f"@job_handler({arguments})\n{PLAIN}")

    def load(self, *, lenient: bool = False) -> App:
        return load_app(self.root, lenient=lenient)

    def jobs(self) -> dict[str, Job]:
        return {job.name: job for job in self.load().of_type(Job)}

    def remark(self) -> str:
        return self.load().job_folders[self.root / "jobs"].remark


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "jobs").mkdir()
    return Folder(tmp_path)


# --- which jobs there are ------------------------------------------------------------------------


def test_each_file_that_declares_itself_is_a_job_with_its_options(folder: Folder) -> None:
    folder.job("jobs/greeting.py", "'greeting', timeout='10 minutes', retries=2, tags={'a': 'b'}")
    folder.job("jobs/mail/send.py", "")
    jobs = folder.jobs()
    assert list(jobs) == ["greeting", "send"]
    greeting = jobs["greeting"]
    assert (greeting.timeout.total_seconds(), greeting.retries) == (600, 2)
    assert greeting.tags == {"a": "b"}
    assert (str(greeting.handler), str(greeting.where)) == (
        "jobs/greeting.handler",
        "jobs/greeting.py:1",
    )
    assert str(jobs["send"].handler) == "jobs/mail/send.handler"


def test_the_files_are_not_run(folder: Folder) -> None:
    folder.file("jobs/a.py", f"raise SystemExit('run')\n@job_handler('a')\n{PLAIN}")
    assert list(folder.jobs()) == ["a"]


def test_the_jobs_are_returned_by_their_names(folder: Folder) -> None:
    folder.job("jobs/b.py", "")
    folder.job("jobs/a.py", "'first'")
    folder.app("""
        from devbridge import Api
        jobs = app.jobs("jobs/")
        assert list(jobs) == ["first", "b"], jobs
        Job(app, "c", handler="c.handler", bind=[jobs["b"], *jobs.values()][:2][1:])
    """)
    folder.file("c.py", PLAIN)
    assert [str(each) for each in folder.jobs()["c"].bind] == ["Job 'first'"]


def test_defaults_are_for_those_that_say_nothing_else(folder: Folder) -> None:
    folder.job("jobs/a.py", "'a', retries=0")
    folder.job("jobs/b.py", "'b'")
    folder.app("""
        from devbridge import Lambda
        app.jobs("jobs", retries=3, compute=Lambda())
    """)
    jobs = folder.jobs()
    assert [jobs[name].retries for name in "ab"] == [0, 3]
    assert all(isinstance(job.compute, Lambda) for job in jobs.values())


def test_a_handler_that_app_py_made_a_job_of_is_not_made_another(folder: Folder) -> None:
    folder.job("jobs/a.py", "'a'")
    folder.app('Job(app, "a", handler="jobs/a.handler", retries=1)\napp.jobs("jobs/")')
    assert folder.jobs()["a"].retries == 1
    assert folder.remark() == ""


def test_what_is_passed_over_is_listed_but_packages_are_not(folder: Folder) -> None:
    folder.job("jobs/a.py", "")
    folder.file("jobs/__init__.py", "")
    assert folder.remark() == ""
    folder.file("jobs/helpers.py", "x = 1\n")
    assert folder.remark() == "jobs/: passed over: helpers.py (no @job_handler)"
    folder.file("jobs/mail/send.ts", "")
    assert folder.remark() == (
        "jobs/: passed over: helpers.py, mail/send.ts"
        " (no @job_handler, and only Python's files are read)"
    )


def test_an_empty_folder_has_no_jobs(folder: Folder) -> None:
    assert folder.jobs() == {}


@pytest.mark.parametrize("wrong", ["", ".", "..", "missing", "app.py", "/", None, ["jobs"]])
def test_a_folder_that_is_none_of_the_apps_is_refused(folder: Folder, wrong: Any) -> None:
    folder.app(f"app.jobs({wrong!r})")
    with pytest.raises(InvalidValue, match=r"(?s)jobs\(.*a folder below.*'jobs/'") as caught:
        folder.load()
    assert caught.value.where == "app.py:4"


def test_a_default_that_is_no_option_is_refused_where_it_stands(folder: Folder) -> None:
    folder.app("app.jobs('jobs/', retires=2)")
    with pytest.raises(InvalidValue, match=r"'retires'; did you mean 'retries'\?") as caught:
        folder.load()
    assert caught.value.where == "app.py:4"


# --- constructs by name --------------------------------------------------------------------------


def test_constructs_are_named(folder: Folder) -> None:
    folder.job(
        "jobs/a.py",
        "bind=['notes', 'Queue:orders'], on_failure='dead', alarm='1 hour', notify=['ops'],"
        " triggers=[OnQueue('orders', loop=True)]",
    )
    folder.app("""
        Table(app, "notes", partition_key="id")
        Table(app, "orders", partition_key="id")
        Queue(app, "orders")
        Queue(app, "dead")
        Topic(app, "ops")
        app.jobs("jobs/")
    """)
    job = folder.jobs()["a"]
    assert [str(each) for each in job.bind] == ["Table 'notes'", "Queue 'orders'"]
    assert str(job.on_failure) == "Queue 'dead'"
    (alarm,) = job.alarms
    assert [str(each) for each in alarm.notify] == ["Topic 'ops'"]
    (trigger,) = job.triggers
    assert isinstance(trigger, OnQueue)
    assert str(trigger.queue) == "Queue 'orders'"


def test_jobs_of_the_folder_bind_each_other_in_any_order(folder: Folder) -> None:
    folder.job("jobs/a.py", "bind=['b']")
    folder.job("jobs/b.py", "bind=['Job:c']")
    folder.job("jobs/c.py", "")
    jobs = folder.jobs()
    assert jobs["a"].bind == (jobs["b"],)
    assert jobs["b"].bind == (jobs["c"],)
    folder.app("jobs = app.jobs('jobs/')\nassert list(jobs) == ['a', 'b', 'c']")
    folder.load()


def test_jobs_that_bind_each_other_in_a_circle_are_refused(folder: Folder) -> None:
    folder.job("jobs/a.py", "bind=['b']")
    folder.job("jobs/b.py", "bind=['a']")
    with pytest.raises(UnknownBindTarget, match=r"bind 'a'") as caught:
        folder.load()
    assert caught.value.where == "jobs/b.py:1"


# --- what is refused -----------------------------------------------------------------------------


def test_two_files_of_one_name_are_refused_with_both_places(folder: Folder) -> None:
    folder.job("jobs/a.py", "")
    folder.job("jobs/mail/a.py", "retries=1")
    with pytest.raises(DuplicateName) as caught:
        folder.load()
    assert caught.value.where == "jobs/mail/a.py:1; the other is at jobs/a.py:1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("retires=2", r"no option 'retires'; did you mean 'retries'\?"),
        ("handler='x'", r"'handler' is not allowed(?s:.*)make the job in app\.py"),
        ("transform=None", "'transform' is not allowed"),
        ("timeout='1 year'", "timeout '1 year' is not allowed"),
        ("'A b'", "name 'A b' is not allowed"),
        ("bind='notes'", "bind 'notes' is not allowed"),
    ],
)
def test_an_option_that_is_not_allowed_is_refused_where_it_stands(
    folder: Folder, arguments: str, said: str
) -> None:
    folder.job("jobs/a.py", arguments)
    with pytest.raises(InvalidValue, match=said) as caught:
        folder.load(lenient=True)
    assert caught.value.where == "jobs/a.py:1"


def test_an_option_that_is_no_literal_is_refused_at_its_line(folder: Folder) -> None:
    folder.file("jobs/a.py", f"@job_handler('a',\n    retries=MOST)\n{PLAIN}")
    for lenient in (False, True):
        with pytest.raises(AppFailed, match="retries=MOST is no literal") as caught:
            folder.load(lenient=lenient)
        assert caught.value.where == "jobs/a.py:2"


def test_a_file_that_does_not_parse_is_shown_with_its_line_and_a_caret(folder: Folder) -> None:
    folder.file("jobs/a.py", "x = 1\ndef handler(:\n")
    with pytest.raises(AppFailed, match=r"SyntaxError: .*\n    def handler\(:\n +\^") as caught:
        folder.load()
    assert caught.value.where == "jobs/a.py:2"


def test_a_lenient_app_keeps_what_a_file_said_before_it_was_broken(folder: Folder) -> None:
    folder.job("jobs/a.py", "retries=2")
    folder.load(lenient=True)
    folder.file("jobs/a.py", "def handler(:\n")
    app = folder.load(lenient=True)
    assert [(job.name, job.retries) for job in app.of_type(Job)] == [("a", 2)]
    assert app.unread == []


def test_a_lenient_app_notes_a_file_of_which_nothing_is_known(folder: Folder) -> None:
    folder.file("jobs/a.py", "def handler(:\n")
    app = folder.load(lenient=True)
    assert [error.where for error in app.unread] == ["jobs/a.py:1"]


def test_options_that_nobody_would_read_are_refused(folder: Folder) -> None:
    folder.job("jobs/a.py", "'a', retries=2, timeout='1 hour'")
    folder.app('Job(app, "a", handler="jobs/a.handler")')
    with pytest.raises(InvalidValue, match=r"has retries=, timeout=, and nobody") as caught:
        folder.load()
    assert caught.value.where == "jobs/a.py:1"
    assert "app.py:4" in caught.value.what


def test_a_decorator_with_a_name_only_is_as_ever(folder: Folder) -> None:
    folder.job("jobs/a.py", "'a'")
    folder.app('Job(app, "a", handler="jobs/a.handler")')
    assert list(folder.jobs()) == ["a"]


def test_the_options_are_those_of_job_but_what_no_literal_can_say() -> None:
    every = set(list(inspect.signature(Job).parameters)[2:])
    assert every - set(OPTIONS) == {"handler", "container", "transform"}


def test_an_app_that_is_made_outside_of_devbridge_has_jobs_too(folder: Folder) -> None:
    folder.job("jobs/a.py", "bind=['notes', 'q']")
    with loading(folder.root):
        app = App("demo")
        notes, queue = Table(app, "notes", partition_key="id"), Queue(app, "q")
        assert app.jobs("jobs/")["a"].bind == (notes, queue)
