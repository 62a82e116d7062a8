from __future__ import annotations

from devbridge.languages.python.pip_progress import Collected
from devbridge.progress import Task


def test_a_package_is_done_when_pip_begins_with_the_next() -> None:
    task = Task("install", "x", 3, "packages", began=0.0)
    collected = Collected(task)
    for line in (
        "Looking in indexes: https://pypi.org/simple",
        "Ignoring pywin32: markers 'sys_platform == \"win32\"' don't match your environment",
        "Collecting six==1.17.0",
        "  Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)",
        "Processing /wheels/idna-3.20-py3-none-any.whl",
    ):
        collected.saw(line)
    assert task.text(5.0) == "  install  [#############-------]  2 of 3 packages  x  5s"


def test_how_far_unpacking_is_pip_does_not_say_and_so_nobody_does() -> None:
    task = Task("install", "x", 2, "packages", began=0.0)
    Collected(task).saw("Installing collected packages: six, idna")
    assert task.text(5.0) == "  unpack   x  5s"
