"""Every error that devbridge raises on purpose, and the exit code that each one ends with.

::

    DevbridgeError                      1   something went wrong that has no class of its own
    ├── AppError                        3   the app's definition is wrong
    │   ├── AppNotFound
    │   ├── AppFailed
    │   ├── InvalidValue
    │   ├── DuplicateName
    │   ├── UnknownBindTarget
    │   └── HandlerNotFound
    ├── PayloadError                    4   the payload cannot be sent
    │   ├── PayloadInvalid
    │   ├── PayloadNotJson
    │   └── PayloadTooLarge
    ├── TimeNotAllowed                  1   a run was asked for a time that it cannot have
    ├── CheckpointInvalid               1   a run's checkpoint is not what its handler declares
    ├── NotFound                        5   no such job, run or resource
    │   ├── UnknownJob
    │   ├── UnknownRun
    │   ├── UnknownQueue
    │   ├── UnknownMessage
    │   ├── UnknownTrigger
    │   └── NotDeployed
    ├── CloudError                      6   the cloud, real or embedded, did not answer as it must
    │   ├── EmbeddedCloudFailed
    │   ├── CloudNotRunning
    │   └── PortTaken
    ├── CredentialsError                7   no AWS credentials, or expired ones
    ├── DeployError                     8   CloudFormation refused or rolled back
    ├── BuildError                      9   a function could not be packaged
    │   ├── BundleError
    │   └── ToolMissing
    ├── BridgeError                     10  the MQTT broker refused, or went away
    │   ├── BrokerUnreachable
    │   └── BrokerRefused
    ├── InterpreterError                11  the app's Python environment is missing or broken
    ├── InvokeError                     12  the invoker was reached and could not start the job
    ├── AlreadyRunning                  13  another `devbridge dev` runs this stage here
    ├── NotConfirmed                    14  a question had no terminal to be asked on
    ├── JobFailed                       20  the run that was asked about FAILED
    │   ├── JobCancelled                21
    │   ├── JobTimedOut                 22
    │   └── JobCrashed                  23
    ├── JobNotFinished                  24  the run that was asked about has not ended
    ├── FolderError                     74  a folder of devbridge's own cannot be made or written
    └── CommandNotFound                 127 the command that was to be run cannot be

An error has *what* happened, *where* (a file, a resource, a value) and a *remedy*: what to do now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from runner.outcome import Failure

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_APP: Final = 3
EXIT_PAYLOAD: Final = 4
EXIT_NOT_FOUND: Final = 5
EXIT_CLOUD: Final = 6
EXIT_CREDENTIALS: Final = 7
EXIT_DEPLOY: Final = 8
EXIT_BUILD: Final = 9
EXIT_BRIDGE: Final = 10
EXIT_INTERPRETER: Final = 11
EXIT_INVOKE: Final = 12
EXIT_ALREADY_RUNNING: Final = 13
EXIT_NOT_CONFIRMED: Final = 14
EXIT_JOB_FAILED: Final = 20
EXIT_JOB_CANCELLED: Final = 21
EXIT_JOB_TIMED_OUT: Final = 22
EXIT_JOB_CRASHED: Final = 23
EXIT_JOB_NOT_FINISHED: Final = 24
EXIT_NOT_WRITTEN: Final = 74
"""EX_IOERR of sysexits.h."""
EXIT_COMMAND_NOT_FOUND: Final = 127
"""The shell's convention."""
EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, the shell's convention."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """What follows where a name is not known: ``; did you mean 'x'?``, or nothing."""
    import difflib  # only who is wrong waits for it

    names = list(known)
    begun = [name for name in names if given and name.startswith(given)]
    close = begun if len(begun) == 1 else difflib.get_close_matches(given, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


class DevbridgeError(Exception):
    """An error that the user can act on: what happened, where, and what to do about it."""

    exit_code: ClassVar[int] = EXIT_ERROR

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


class AppError(DevbridgeError):
    """The app's definition is wrong: correct the file that the error names."""

    exit_code = EXIT_APP


class AppNotFound(AppError):
    """There is no app.py here: go to the app's folder, or run `devbridge init`."""


class AppFailed(AppError):
    """app.py raised while it was loaded: correct the line that the error names."""


class InvalidValue(AppError):
    """A construct was given a value that is not allowed: use one of those the error lists."""


class DuplicateName(AppError):
    """Two constructs of one type have the same name: rename one."""


class UnknownBindTarget(AppError):
    """`bind` names something that is not a construct of this app: create it first."""


class HandlerNotFound(AppError):
    """A handler's file or function does not exist: correct the path or create it."""


class TimeNotAllowed(DevbridgeError):
    """A run was asked for a time that it cannot have: give one that the error names."""


class PayloadError(DevbridgeError):
    """The payload cannot be sent."""

    exit_code = EXIT_PAYLOAD


class PayloadInvalid(PayloadError):
    """The payload is not what the handler declares: correct the path that the error names."""


class PayloadNotJson(PayloadError):
    """The payload is not JSON: see the position that the error names."""


class PayloadTooLarge(PayloadError):
    """The payload is over Lambda's 6 MB: put it in S3 and send the key."""


class CheckpointInvalid(DevbridgeError):
    """A run's checkpoint is not of the type that its handler declares, which has changed since:
    begin anew, or let it take the older form, too."""


class NotFound(DevbridgeError):
    """What was asked for does not exist."""

    exit_code = EXIT_NOT_FOUND


class UnknownJob(NotFound):
    """The app has no job of that name: use one of those the error lists."""


class UnknownRun(NotFound):
    """The ledger has no run with that id: see `devbridge jobs`."""


class UnknownQueue(NotFound):
    """No dead-letter queue has that name: use one of those the error lists."""


class UnknownMessage(NotFound):
    """The dead-letter queue has no message with that id: see `devbridge dlq list`."""


class UnknownTrigger(NotFound):
    """The job has no such trigger, or several that are meant: use one of those the error lists."""


class NotDeployed(NotFound):
    """The stage is not deployed: run `devbridge dev` first."""


class CloudError(DevbridgeError):
    """The cloud, real or embedded, did not answer as it must."""

    exit_code = EXIT_CLOUD


class EmbeddedCloudFailed(CloudError):
    """The embedded cloud could not be installed or started: see its log."""


class CloudNotRunning(CloudError):
    """The embedded cloud of this app is not running: start `devbridge dev --local`."""


class PortTaken(CloudError):
    """The port is used by another process: choose another, or leave it out for a free one."""


class CredentialsError(DevbridgeError):
    """No AWS credentials were found, or they have expired: renew them as the error says."""

    exit_code = EXIT_CREDENTIALS


class DeployError(DevbridgeError):
    """CloudFormation refused the change or rolled it back: see the first cause."""

    exit_code = EXIT_DEPLOY


class BuildError(DevbridgeError):
    """A function could not be packaged: see what could not be resolved."""

    exit_code = EXIT_BUILD


class BundleError(BuildError):
    """A handler could not be bundled: correct the place that the error names.

    `failure` is the same as a run's failure tells it, `files` are absolute paths of what may mend
    it when it changes: files, and folders where one is missing.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        where: str | None = None,
        remedy: str | None = None,
        files: Iterable[str] = (),
    ) -> None:
        super().__init__(f"{failure.type}: {failure.message}", where=where, remedy=remedy)
        self.failure = failure
        self.files = frozenset(files)


class ToolMissing(BuildError):
    """A program that builds or runs code is not there, or too old: install it as the error says."""


class BridgeError(DevbridgeError):
    """The MQTT connection failed."""

    exit_code = EXIT_BRIDGE


class BrokerUnreachable(BridgeError):
    """No connection to the MQTT broker could be made: check the network."""


class BrokerRefused(BridgeError):
    """The MQTT broker refused the connection: check the permissions of the credentials."""


class InterpreterError(DevbridgeError):
    """The app's Python environment is missing or broken: create it again."""

    exit_code = EXIT_INTERPRETER


class InvokeError(DevbridgeError):
    """The invoker was reached and could not start the job."""

    exit_code = EXIT_INVOKE


class AlreadyRunning(DevbridgeError):
    """Another `devbridge dev` runs this stage in this folder: stop it first."""

    exit_code = EXIT_ALREADY_RUNNING


class NotConfirmed(DevbridgeError):
    """A question must be answered, and there is no terminal to ask on: give --yes."""

    exit_code = EXIT_NOT_CONFIRMED


class JobFailed(DevbridgeError):
    """The run has no result, because its handler failed: see its log.

    `error_type` and `error_message` are those of the handler's exception, where there was one.
    """

    exit_code = EXIT_JOB_FAILED

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        remedy: str | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.error_type = error_type
        self.error_message = error_message


class JobCancelled(JobFailed):
    """The run has no result, because it was cancelled."""

    exit_code = EXIT_JOB_CANCELLED


class JobTimedOut(JobFailed):
    """The run has no result, because it took longer than the job's timeout."""

    exit_code = EXIT_JOB_TIMED_OUT


class JobCrashed(JobFailed):
    """The run has no result, because its process ended without an answer."""

    exit_code = EXIT_JOB_CRASHED


class JobNotFinished(DevbridgeError):
    """The run has not ended yet: ask again later."""

    exit_code = EXIT_JOB_NOT_FINISHED


class FolderError(DevbridgeError):
    """A folder or file that devbridge needs cannot be used: free it, or choose another."""

    exit_code = EXIT_NOT_WRITTEN


class CommandNotFound(DevbridgeError):
    """The command does not exist or may not be run: check its name and PATH."""

    exit_code = EXIT_COMMAND_NOT_FOUND
