"""The Job construct."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, Unpack

from devbridge.constructs import values
from devbridge.constructs.app import App, PayloadPlace
from devbridge.constructs.code import Code, CodeOptions, listed, parsed_handler, signature
from devbridge.constructs.container import Container, container_problem
from devbridge.constructs.values import Duration
from devbridge.durations import OF_ATTEMPTS, parsed
from devbridge.sources.runtimes import JOBS
from devbridge.sources.runtimes import JobRuntime as LanguageRuntime

JobMemory = Literal["3 GB", "7 GB", "15 GB", "145 GB"]
JobRuntime = LanguageRuntime | Literal["container"]
Offline = Literal["queue", "error", "cloud"]
_CONTAINER: Final = "container"


class Job(Code):
    """A long-running job: CodeBuild when deployed, a local worker under `devbridge dev`.

    Args:
        handler: ``folder/file.function``, relative to the app's folder.
        runtime: what it runs on: a Python, by default that of the app's interpreter; a Node.js, for
            handlers in TypeScript or JavaScript; or "container": then `container` says what is run,
            and there is no handler.
        architecture: of the CodeBuild machine.
        memory_size: 3, 7, 15 or 145 GB; on arm64 only 3 or 15.
        timeout: how long one attempt may take, from 1 second to 36 hours; less than 5 minutes, the
            least that CodeBuild has, on stages of `devbridge dev` only. CodeBuild allows 36 hours
            for all attempts together with their delays.
        retries: how often a run that failed, crashed or timed out is tried again, 0 to 10.
        retry_delay: the time before the first retry, up to 1 hour; it doubles with each further
            one.
        concurrency: how many runs of this job there may be at the same time, 1 to 1000; the rest
            wait.
        offline: what happens to a run that is asked for while nobody runs `devbridge dev`: "queue"
            keeps it until somebody does, "error" refuses it, "cloud" starts the CodeBuild project.
            The default is what the stage says (`devbridge dev --offline`).
        payload: where payload, result and error message of a run in CodeBuild are: "s3", where only
            the roles of this job and its invoker read them and they expire; or "inline", in the
            build's own record as far as they are small. By default as the app says; a container
            job's is inline.
        enable_live_dev: False runs it in CodeBuild on dev stages too, never on the laptop.
        environment: further environment variables, 4096 bytes at most; not PATH, HOME and those
            with which Python finds itself, which are the machine's.
        bind: constructs that it may use; gives permission and environment variables.
        permissions: IAM actions and resources beyond those of `bind`.
        copy_files: files or globs, relative to the app's folder, that it finds at the same path;
            a folder stands for all files below it.
        install: requirements beyond those that the code's imports need, as pip writes them; of a
            Node.js job, npm packages that cannot be bundled (``sharp``), whose native parts are
            those of the machine that it runs on.
        esbuild: how a Node.js job's code is bundled, beyond devbridge's own options.
        log_retention: how long CloudWatch keeps the logs: "forever", or 1, 3, 5, 7, 14, 30, 60,
            90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days.
        vpc: the subnets that it runs in, with 1 to 5 security groups.
        tags: of its resources, besides those of the app; 40 at most, without "aws:".
        permissions_boundary: the ARN of a managed policy that its role cannot exceed; by default
            the app's.
        encryption_key: the ARN of a KMS key for its logs, payloads and results; by default the
            app's.
        image: what its builds run in, by its digest, in place of AWS's own image for its runtime:
            that image as it was reviewed, or a mirror of it. For a Node runtime it must have
            `node`, of that version, and `python3`, 3.11 or newer, on its PATH.
        container: the image's folder and the command; for runtime "container", and only for it.
        transform: called with its `troposphere.codebuild.Project`.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        handler: str | None = None,
        runtime: JobRuntime | None = None,
        memory_size: JobMemory = "3 GB",
        timeout: Duration = "8 hours",
        retries: int = 0,
        retry_delay: Duration = "1 second",
        concurrency: int | None = None,
        offline: Offline | None = None,
        payload: PayloadPlace | None = None,
        enable_live_dev: bool = True,
        image: str | None = None,
        container: Container | None = None,
        **shared: Unpack[CodeOptions],
    ) -> None:
        super().__init__(app, name, shared, runtime=runtime, runtimes=(*JOBS, _CONTAINER))
        for key in (*values.MACHINES, "HOME"):
            if key in self.environment:
                raise self.invalid("environment", key, values.MACHINE_ALLOWED)
        self.timeout, self.memory_mb = self._attempt(timeout, memory_size)
        self.retries, self.retry_delay = self._retrying(retries, retry_delay)
        if concurrency is not None and (
            type(concurrency) is not int or not 0 < concurrency <= 1000
        ):
            raise self.invalid("concurrency", concurrency, "a whole number from 1 to 1000, or None")
        self.concurrency = concurrency
        self.choice("offline", offline, values.OFFLINE)
        self.offline = offline
        if not values.image(image):
            raise self.invalid("image", image, values.IMAGE_ALLOWED)
        self.image = image
        self.choice("payload", payload, values.PAYLOAD)
        self.live = self.flag("enable_live_dev", enable_live_dev)
        """Whether `devbridge dev` runs it on the laptop."""
        if runtime == _CONTAINER:
            self._check_container(handler, container, payload)
        elif container is not None:
            raise self.invalid("container", container, "only with runtime='container'")
        self.handler = None if runtime == _CONTAINER else parsed_handler(self, handler, runtime)
        """None when its runtime is "container"."""
        self.container = container
        self.inline = runtime == _CONTAINER or (payload or app.payload) == "inline"
        """Whether CodeBuild's record of a run may have its payload, result and error."""
        self.register()

    def _attempt(self, timeout: Duration, memory_size: JobMemory) -> tuple[timedelta, int]:
        """How long an attempt may take, and the memory of its machine in MB."""
        if (limit := parsed(timeout, OF_ATTEMPTS)) is None:
            allowed = (
                "1 second to 36 hours, e.g. '30 minutes', '1 hour', '1 day'; where it is deployed"
                " to CodeBuild, from 5 minutes on"
            )
            raise self.invalid("timeout", timeout, allowed)
        if (memory := values.job_memory(memory_size, self.architecture)) is None:
            sizes = listed(values.job_memory_sizes(self.architecture))
            raise self.invalid("memory_size", memory_size, f"{sizes} on {self.architecture}")
        return limit, memory

    def _retrying(self, retries: int, retry_delay: Duration) -> tuple[int, timedelta]:
        """How often a run is tried again, and the pause before the first time."""
        if type(retries) is not int or not 0 <= retries <= 10:
            raise self.invalid("retries", retries, "a whole number from 0 to 10")
        if (delay := parsed(retry_delay, values.RETRY_DELAY)) is None:
            raise self.invalid("retry_delay", retry_delay, "0 seconds to 1 hour")
        return retries, delay

    def _check_container(
        self, handler: str | None, container: Container | None, payload: PayloadPlace | None
    ) -> None:
        if problem := container_problem(self.app.root, container):
            raise self.refused("container", problem)
        for what, value in (
            ("handler", handler),
            ("copy_files", self.copy_files),
            ("install", self.install),
            ("image", self.image),
        ):
            if value:
                allowed = "not with runtime='container': what runs is what the Dockerfile says"
                raise self.invalid(what, value, allowed)
        if self.concurrency is not None:
            # Its build is the user's own image, where nothing could wait for its turn.
            raise self.invalid("concurrency", self.concurrency, "not with runtime='container'")
        if payload == "s3":
            allowed = "'inline' with runtime='container': its image reads the environment only"
            raise self.invalid("payload", payload, allowed)


Job.__signature__ = signature(Job)  # type: ignore[attr-defined]
