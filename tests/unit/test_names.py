"""Names that a policy for one app, or for one stage, can name: and nothing of another."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge import names
from devbridge.errors import InvalidValue
from devbridge.packing.container import repository
from devbridge.protocol.codec import new_id
from devbridge.protocol.messages import Topics


def construct(app: str) -> Any:
    return SimpleNamespace(app=SimpleNamespace(name=app), name="x", where="app.py:1")


NAMED: dict[str, tuple[Callable[[str, str], str], str]] = {
    "stack": (lambda a, s: f"{names.stack(a, s)}/id", "devbridge-{app}--{stage}-/*"),
    "what the stack names": (
        lambda a, s: f"{names.stack(a, s)}-NotesTable-1",
        "devbridge-{app}--{stage}--*",
    ),
    "bucket": (
        lambda a, s: f"{names.stack(a, s)}-filesbucket-1".lower(),
        "devbridge-{app}--{stage}--*",
    ),
    "role": (lambda a, s: f"role{names.path(a, s)}x", "role/devbridge/{app}/{stage}/*"),
    "function": (lambda a, s: names.function(construct(a), s), "{app}_{stage}_*"),
    "invoker": (lambda a, s: names.invoker(construct(a), s), "{app}_{stage}_*"),
    "project": (lambda a, s: names.project(construct(a), s), "{app}_{stage}_*"),
    "logs": (names.invoker_log_group, "/aws/lambda/{app}_{stage}_*"),
    "access logs": (
        lambda a, s: names.api_log_group(construct(a), s),
        "/aws/vendedlogs/{app}_{stage}_*",
    ),
    "topic": (lambda a, s: names.fifo_topic(construct(a), s), "devbridge-{app}--{stage}--*"),
    "images": (repository, "devbridge/{app}/{stage}"),
    "daemon": (lambda a, s: Topics(a, s).daemon_client_id, "devbridge-{app}--{stage}--daemon*"),
    "stubs": (lambda a, s: Topics(a, s).stub_client_id("1"), "devbridge-{app}--{stage}--stub-*"),
    "topics": (lambda a, s: Topics(a, s).requests, "devbridge/{app}/{stage}/*"),
}
"""A name of each kind, and the pattern that the pages' policies have for it."""
OF_ONE_APP = {"zip": names.asset, "template": names.template, "diff": names.compared}
WORDS = ("a", "a-b", "b", "b-c", "c", "a-b-c", "stub", "a-stub", "daemon", "x-a", "a1")


@pytest.mark.parametrize("kind", NAMED)
def test_a_pattern_for_one_app_and_stage_has_no_name_of_another(kind: str) -> None:
    name, pattern = NAMED[kind]
    stages = list(itertools.product(WORDS, WORDS))
    made = {stage: name(*stage) for stage in stages}
    assert len({*made.values()}) == len(stages)
    for app, stage in stages:
        for other, text in made.items():
            own = fnmatchcase(text, pattern.format(app=app, stage=stage))
            assert own == (other == (app, stage)), (app, stage, text)
            of_app = fnmatchcase(text, pattern.format(app=app, stage="*"))
            assert of_app == (other[0] == app), (app, text)


@pytest.mark.parametrize("kind", OF_ONE_APP)
def test_a_prefix_of_one_app_has_nothing_of_another(kind: str) -> None:
    key, made = OF_ONE_APP[kind], {app: OF_ONE_APP[kind](app, "x") for app in WORDS}
    for app, other in itertools.product(WORDS, WORDS):
        assert made[other].startswith(key(app, "")) == (app == other)


@pytest.mark.parametrize("app", [*WORDS, "a" * 32])
@pytest.mark.parametrize("stage", [*WORDS, "a" * 32])
def test_a_stacks_name_tells_app_and_stage_and_no_name_is_too_long(app: str, stage: str) -> None:
    name = names.stack(app, stage)
    assert len(name) <= 128
    assert name.removeprefix("devbridge-").removesuffix("-").split("--") == [app, stage]
    assert len(f"{Topics(app, stage).daemon_client_id}-{new_id()}") <= 128
    assert len(Topics(app, stage).stub_client_id(new_id())) <= 128


@pytest.mark.parametrize("make", [names.stack, names.old_stack])
def test_a_stage_that_could_be_read_as_another_is_refused(make: Callable[[str, str], str]) -> None:
    with pytest.raises(InvalidValue):
        make("a", "b--c")
