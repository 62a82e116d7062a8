"""An app's folder for tests of the plugin."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

from devbridge.pytest_plugin import apps
from devbridge.pytest_plugin.in_process import JobRunner

APP: Final = """
    from devbridge import App, Config, Container, Job, Table

    app = App("demo")
    notes = Table(app, "notes", partition_key="id")
    level = Config(app, "level", value="info")
    other = Job(app, "other", handler="jobs/other.handler")
    add = Job(
        app, "add-up", handler="jobs/add.handler", timeout="10 minutes", retries=2,
        environment={"RATE": "2"}, bind=[notes, level, other],
    )
"""


class Project:
    """It has an app.py and what is written into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("app.py", APP)

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def job(self, text: str) -> JobRunner:
        """The handler of the job "add-up"; what runs it."""
        self.write("jobs/add.py", text)
        return self.runner()

    def runner(self, **options: object) -> JobRunner:
        given = {"stage": None, "shell": {}, "hidden": {}, **options}
        return JobRunner(apps.load(self.root), **given)  # type: ignore[arg-type]
