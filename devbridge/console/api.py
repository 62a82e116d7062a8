"""Who answers the routes: each method asks the stage, in a thread of its own, and may take long."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from devbridge.console import acting, letters, model, payloads, runs, stage, stage_model
from devbridge.console.detail import detail
from devbridge.console.functions import functions
from devbridge.console.listener import Heard
from devbridge.console.logs import Logs
from devbridge.console.refused import Conflict
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
            page = runs.page(found, query, deployed=deployed)
        return replace(page, runs=[self._paused(row) for row in page.runs])

    def run(self, id: str) -> model.Detail:
        """All that is known of a run."""
        with self.subject.runs() as (found, deployed):
            root = self.subject.config.root
            told = detail(found.find(id), found, self.logs, root, deployed=deployed)
        return replace(told, run=self._paused(told.run))

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

    def invoke(self, body: model.Invocation) -> model.Invoked:
        """Start a run."""
        return acting.invoke(self.subject, body)

    def replay(self, id: str, body: model.Replay) -> model.Invoked:
        """Run the job of a run again."""
        return acting.replay(self.subject, id, body)

    def cancel(self, id: str, body: model.Nothing) -> model.Cancelled:  # noqa: ARG002 - it is empty
        """Cancel a run."""
        return acting.cancel(self.subject, id)

    def debugging(self) -> stage_model.Debugging:
        """Whether debuggers can stop what runs."""
        found = self.subject.debugging
        attach = [] if found is None else [{**each} for each in found.configurations]
        return stage_model.Debugging(found is not None, bool(attach), attach)

    def debug(self, body: model.Nothing) -> stage_model.Debugging:  # noqa: ARG002 - it is empty
        """Open workers to debuggers."""
        if self.subject.debugging is None:
            raise Conflict(
                "this console runs no jobs", remedy="open that of the `devbridge dev` that does"
            )
        self.subject.debugging.open()
        return self.debugging()

    def bulk(self, body: model.Bulk) -> model.BulkDone:
        """Replay or cancel many."""
        return acting.bulk(self.subject, body)

    def functions(self) -> Sequence[stage_model.Function]:
        """The jobs and functions."""
        return list(functions(self.subject, self.heard))

    def payloads(self, job: str) -> stage_model.Payloads:
        """What a job may be given."""
        return payloads.payloads(self.subject, job)

    def save_payload(self, job: str, name: str, body: stage_model.Text) -> model.Nothing:
        """Keep a payload."""
        payloads.save(self.subject, job, name, body.payload)
        return model.Nothing()

    def forget_payload(self, job: str, name: str) -> model.Nothing:
        """Delete one that is kept."""
        payloads.forget(self.subject, job, name)
        return model.Nothing()

    def stage(self) -> stage_model.Stage:
        """The stage."""
        return stage.stage(self.subject)

    def dead_letters(self) -> Sequence[stage_model.DeadLetters]:
        """The dead-letter queues."""
        return letters.dead_letters(self.subject)

    def redrive(self, body: stage_model.Redrive) -> stage_model.Redriven:
        """Send messages back."""
        return letters.redrive(self.subject, body)

    def log_end(self, id: str) -> model.LogMoved:
        """How far a run's log has come."""
        with self.subject.runs() as (found, _), self.logs.open(found.find(id)) as log:
            return model.LogMoved(id, log.index.total, log.complete)

    def usage(self, id: str) -> Sequence[tuple[float, float, int]]:
        """What a run used while it ran."""
        return self.subject.usage(id)

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
            rows = runs.rows(found, things)
        return {run_id: self._paused(row) for run_id, row in rows.items()}

    def _paused(self, row: model.Row) -> model.Row:
        return replace(row, paused=self.heard.paused.get(row.id))
