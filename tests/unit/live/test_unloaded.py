from __future__ import annotations

from functools import partial

from devbridge.live.unloaded import Unloaded


def test_what_the_daemon_says_of_a_handler_is_not_said_twice() -> None:
    said: list[str] = []
    unloaded = Unloaded()
    unloaded("a", partial(said.append, "no module named torch"))
    unloaded("b", partial(said.append, "it reads a terminal"))
    unloaded.tell()
    assert said == [], "nobody knows yet whether they can be loaded"
    unloaded.tell(lambda: ["a"])
    assert said == ["it reads a terminal"]


def test_later_it_is_said_when_it_is_found() -> None:
    said: list[str] = []
    unloaded = Unloaded()
    unloaded.tell(lambda: ["a"])
    unloaded("a", partial(said.append, "no module named torch"))
    unloaded("b", partial(said.append, "it reads a terminal"))
    unloaded.tell()
    unloaded.tell()
    assert said == ["it reads a terminal"]
