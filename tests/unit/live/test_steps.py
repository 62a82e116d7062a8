from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.deploy import Progress
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.live.left_out import LeftOut
from devbridge.live.steps import Kept, Steps, counted, deployed
from devbridge.palette import Style


class Told:
    """What is said of steps, by a clock that stands."""

    def __init__(self, kept: Kept) -> None:
        self.now = 10.0
        self.said: list[str] = []
        self.warned: list[str] = []
        self.steps = Steps(
            self.said.append, Style(False), kept, warn=self.warned.append, clock=lambda: self.now
        )

    def all_of_it(self) -> None:
        """A deployment."""
        self.steps(Progress("warning", "old"))
        self.steps(Progress("upload", "the stubs, 10 bytes", size=10))
        self.steps(Progress("upload", "Function 'f', 1,000 bytes", size=1000))
        self.steps(Progress("plan", "3 changes to stack s"))
        self.steps.after(lambda _: self.answer())(Plan("s", "c", False, ()))
        for name, status in (
            ("Role", "CREATE_COMPLETE"),
            ("Table", "UPDATE_COMPLETE"),
            ("Table", "DELETE_COMPLETE"),
            ("Queue", "DELETE_COMPLETE"),
            ("Rule", "CREATE_COMPLETE"),
            ("Rule", "UPDATE_COMPLETE"),
        ):
            self.steps(resource(name, status))
        self.now += 1.25
        self.steps.end()

    def answer(self) -> None:
        """Somebody has thought for a while."""
        self.now += 60


def resource(name: str, status: str, reason: str = "") -> Progress:
    return Progress("resource", name, "AWS::X::Y", status, name, reason)


def test_on_a_terminal_steps_of_a_kind_are_one_line_and_warnings_stay() -> None:
    told = Told("summary")
    told.all_of_it()
    assert told.warned == ["  warning  old"]
    assert told.said == [
        "  upload   2 zips, 1,010 bytes",
        "  plan     3 changes to stack s",
        "  1 created, 1 updated, 1 replaced, 1 deleted in 1.25s",
    ]


def test_elsewhere_each_step_is_a_line() -> None:
    told = Told("all")
    told.all_of_it()
    assert len(told.said) == 9
    assert told.said[3] == "  create complete    AWS::X::Y                        Role"


def test_of_a_deployment_after_a_save_nothing_stays_but_what_is_warned_of_and_waited_for() -> None:
    told = Told("nothing")
    told.all_of_it()
    told.steps(Progress("wait", "another deployment is under way"))
    assert told.said == ["  wait     another deployment is under way"]
    assert told.warned == ["  warning  old"]


@pytest.mark.parametrize("kept", ["all", "summary", "nothing"])
def test_what_fails_is_always_a_line(kept: Kept) -> None:
    told = Told(kept)
    told.steps(resource("Role", "CREATE_FAILED", "no"))
    assert told.said == ["  create failed      AWS::X::Y                        Role: no"]


def test_what_is_left_out_is_said_when_it_is_new(tmp_path: Path) -> None:
    for expected in (["  warning  left out .env"], []):
        said: list[str] = []
        left = LeftOut(tmp_path / "left-out.json")
        steps = Steps(said.append, Style(False), "summary", left=left)
        steps(Progress("left", "left out .env"))
        steps.end()
        assert said == expected


def test_one_upload_is_named() -> None:
    told = Told("summary")
    told.steps(Progress("upload", "the stubs, 10 bytes", size=10))
    told.steps.end()
    assert told.said == ["  upload   the stubs, 10 bytes"]


def test_a_removal_counts_what_is_kept() -> None:
    assert counted(["deleted", "kept", "deleted"]) == "2 deleted, 1 kept"


def changed(label: str, *properties: str, iam: bool = False) -> Change:
    return Change("change", label, "AWS::X::Y", label, properties=properties, iam=iam)


def said(*changes: Change) -> str:
    return deployed("Deployed", changes, 0.44)


def test_what_was_there_before_is_named() -> None:
    role = changed("Job 'work'", "Policies", iam=True)
    code = changed("Function 'api-start'", "Code")
    assert said(code, role, changed("Api 'a'")) == "Deployed api-start in 0.4s."
    copy = changed("Function 'api-start', deployed code", "Code")
    assert said(code, copy) == said(copy) == "Deployed api-start in 0.4s."
    route = changed("Api 'api', route 'GET /'", "Target")
    assert said(route) == "Deployed Api 'api', route 'GET /' in 0.4s."
    assert said() == "Deployed in 0.4s.", "nothing that has a name"


def test_what_comes_or_goes_is_counted() -> None:
    assert (
        said(
            changed("Function 'f'", "Code"),
            Change("add", "T", "AWS::X::Y", "Table 't'"),
            Change("replace", "U", "AWS::X::Y", "Table 'u'"),
            Change("remove", "V", "AWS::X::Y", "Table 'v'"),
        )
        == "Deployed in 0.4s: 1 created, 1 updated, 1 replaced, 1 deleted."
    )
