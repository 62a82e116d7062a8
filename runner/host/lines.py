"""The run's own lines in its log: each begins with ``|  ``, and names the run."""

from __future__ import annotations

from runner import outcome
from runner.attempt import Output
from runner.outcome import SUCCEEDED, End, Failure


class Lines:
    """Writes them between what the handler prints."""

    def __init__(self, output: Output, run_id: str) -> None:
        self.output = output
        self._run_id = run_id

    def say(self, word: str, text: str) -> None:
        """``|  WORD    RUN text``."""
        self.output.line(self._line(word, text))

    def warn(self, text: str) -> None:
        """What is not as it should be, and no reason to end."""
        self.say("Warning", text)

    def note(self, text: str) -> None:
        """What devbridge has to say of the job."""
        self.output.line(f"{outcome.NOTE}{text}")

    def invoke(self, job: str, attempt: int, attempts: int) -> None:
        """An attempt begins, or goes on."""
        again = f" (attempt {attempt} of {attempts})" if attempts > 1 else ""
        self.output.line(f"|  Invoke {job} {self._run_id}{again}")

    def trace(self, failure: Failure | None) -> None:
        """An attempt has ended with that error."""
        if failure is not None:
            for line in failure.trace or (f"{failure.type}: {failure.message}",):
                self.output.line(line)

    def done(self, end: End, told: str) -> None:
        """The run has ended. `told`: the same for programs, a JSON text."""
        if end.state == SUCCEEDED:
            last = self._line("Done", f"took {outcome.duration(end.took)}")
        else:
            last = self._line("Error", outcome.summary(end))
        # In one piece: whoever reads the log knows the runner's last words by both lines.
        self.output.line(f"{last}\n{told}")

    def _line(self, word: str, text: str) -> str:
        return f"|  {word:7} {self._run_id} {text}"
