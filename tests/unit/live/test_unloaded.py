from __future__ import annotations

from devbridge.live.unloaded import Unloaded


def test_what_the_daemon_says_of_a_job_is_not_said_twice() -> None:
    said: list[str] = []
    unloaded = Unloaded(said.append)
    unloaded("a", "no module named torch")
    unloaded("b", "it reads a terminal")
    unloaded.tell()
    assert said == [], "nobody knows yet whether they can be loaded"
    unloaded.tell(lambda: ["a"])
    assert said == ["job 'b': it reads a terminal"]


def test_later_it_is_said_when_it_is_found() -> None:
    said: list[str] = []
    unloaded = Unloaded(said.append)
    unloaded.tell(lambda: ["a"])
    unloaded("a", "no module named torch")
    unloaded("b", "it reads a terminal")
    unloaded.tell()
    unloaded.tell()
    assert said == ["job 'b': it reads a terminal"]
