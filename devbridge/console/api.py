"""Who answers the routes: each method asks the stage, in a thread of its own, and may take long."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

from devbridge.console import model, runs
from devbridge.console.detail import detail
from devbridge.console.listener import Heard
from devbridge.console.logs import Logs
from devbridge.console.subject import Subject

LINES: Final = 5000
"""Lines of a log in one answer."""


class Api:
    """Answers for one stage. Methods are called as `routes` names them, with the parts of the path,
    and `query` and `body` where there are some.

    Raises (each of them):
        DevbridgeError: that cannot be answered.
        BotoCoreError, ClientError: as the cloud says.
    """

    def __init__(self, subject: Subject, heard: Heard) -> None:
        self.subject = subject
        self.heard = heard
        self.logs = Logs()

    def runs(self, query: model.RunsWanted) -> model.Rows:
        """A page of runs."""
        with self.subject.runs() as (found, deployed):
            return runs.page(found, query, deployed=deployed)

    def run(self, id: str) -> model.Detail:
        """All that is known of a run."""
        with self.subject.runs() as (found, deployed):
            root = self.subject.config.root
            return detail(found.find(id), found, self.logs, root, deployed=deployed)

    def log(self, id: str, query: model.LogWanted) -> model.Lines | model.Line:
        """Lines of a run's log, or where in it a text is."""
        with self.subject.runs() as (found, _), self.logs.open(found.find(id)) as log:
            index, start = log.index, query.start
            if start < 0:
                start = max(0, index.total + start)
            if query.find:
                return model.Line(index.find(query.find, start, log.read, back=query.back))
            count = min(max(query.count, 0), LINES)
            lines = index.lines(start, count, log.read)
            return model.Lines(start, lines, index.total, log.complete, log.version)

    def log_end(self, id: str) -> model.LogMoved:
        """How far a run's log has come."""
        with self.subject.runs() as (found, _), self.logs.open(found.find(id)) as log:
            return model.LogMoved(id, log.index.total, log.complete)

    def log_file(self, id: str) -> Generator[bytes]:
        """All that a run has printed, in pieces."""
        with self.subject.runs() as (found, _):
            yield from found.find(id).output(follow=False)

    def close(self) -> None:
        """Let go of what is kept."""
        self.logs.forget()

    def look(self, things: Sequence[str]) -> Mapping[str, model.Row]:
        """The runs with these ids, as far as there are such."""
        with self.subject.runs() as (found, _):
            return runs.rows(found, things)
