"""What an app's jobs take and return, each told by its language, and all made known to each."""

from __future__ import annotations

from collections.abc import Mapping

from devbridge.constructs import App, Job
from devbridge.constructs.code import Code
from devbridge.languages.base import Asking, Fact
from devbridge.languages.known import LANGUAGES
from devbridge.sources.runtimes import Name
from devbridge.types.model import JobTypes


def probe(app: App, asking: Asking) -> dict[str, JobTypes]:
    """What each job takes and returns, by its name.

    What cannot be told gives a warning, and takes and returns anything. A container returns
    nothing.
    """
    jobs = app.of_type(Job)
    found: dict[str, JobTypes] = {}
    for name, language in LANGUAGES.items():
        if own := [job for job in jobs if job.language == name]:
            found |= language.types(app, own, asking)
    nothing = JobTypes(result={"type": "null"})
    return {job.name: found.get(job.name, nothing) for job in jobs}


def facts(app: App) -> list[Fact]:
    """What `devbridge doctor` tells of the languages that the app has."""
    return [fact for name in _used(app) for fact in LANGUAGES[name].facts(app)]


def set_up(app: App) -> list[str]:
    """Put into the app's folder what its languages need beside what users install; what to say of
    it."""
    said = [LANGUAGES[name].set_up(app) for name in _used(app)]
    return [line for line in said if line]


def _used(app: App) -> list[Name]:
    names = dict.fromkeys(code.language for code in app.of_type(Code))
    return [name for name in names if name]


def declarations(app: App, types: Mapping[str, JobTypes]) -> dict[str, str]:
    """The files, beside Python's stubs, that make languages' checkers know the app: by their paths
    below its folder."""
    found: dict[str, str] = {}
    for language in LANGUAGES.values():
        found |= language.declarations(app, types)
    return found
