from __future__ import annotations

from devbridge.constructs import App, Job
from devbridge.languages.known import LANGUAGES, language_of
from devbridge.sources.known import SOURCES


def test_each_language_that_app_py_can_name_is_there() -> None:
    assert LANGUAGES.keys() == SOURCES.keys()


def test_a_construct_has_the_language_of_its_runtime(app: App) -> None:
    assert [language_of(job) for job in app.of_type(Job)] == [
        LANGUAGES["python"],
        LANGUAGES["nodejs"],
        LANGUAGES["python"],
    ]
