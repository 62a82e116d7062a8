"""The Job construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, Literal, Unpack

from devbridge.constructs import compute as places
from devbridge.constructs import values
from devbridge.constructs.alarms import Alarm, Metric, notify_problem, threshold, too_old
from devbridge.constructs.app import App, PayloadPlace
from devbridge.constructs.code import Code, CodeOptions, parsed_handler, signature
from devbridge.constructs.compute import Compute
from devbridge.constructs.container import Container, container_problem
from devbridge.constructs.dead_letters import DeadLetters
from devbridge.constructs.messaging import Queue, Topic
from devbridge.constructs.parameters import Secret
from devbridge.constructs.references import Reference
from devbridge.constructs.triggering import Trigger, checked_on_failure, checked_triggers
from devbridge.constructs.triggers import OnQueue
from devbridge.constructs.triggers.queue import INVOKER_TIMEOUT
from devbridge.constructs.triggers.reading import workers_problem
from devbridge.constructs.values import Duration
from devbridge.durations import parsed
from devbridge.sources.known import source_of
from devbridge.sources.runtimes import DEFAULT, JOBS
from devbridge.sources.runtimes import JobRuntime as LanguageRuntime

JobMemory = Literal["3 GB", "7 GB", "15 GB", "145 GB"]
JobRuntime = LanguageRuntime | Literal["container"]
Offline = Literal["queue", "error", "cloud"]
_CONTAINER: Final = "container"


class Job(Code):
    """A long-running job: in AWS when it is deployed, a local worker under `devbridge dev`.

    Args:
        compute: where it runs when it is deployed: CodeBuild(), Batch(...), Fargate(...) or
            Lambda(...).
        handler: ``folder/file.function``, relative to the app's folder.
        runtime: what it runs on: a Python, by default that of the app's interpreter; a Node.js, for
            handlers in TypeScript or JavaScript; or "container": then `container` says what is run,
            and there is no handler.
        architecture: of the machine, wherever it runs.
        memory_size: of CodeBuild's machine: 3 (the default), 7, 15 or 145 GB; on arm64 only 3 or
            15. The others have theirs: ``Fargate(memory="2 GB")``.
        timeout: how long one attempt may take, from 1 second on; by default 8 hours. CodeBuild
            allows 36 hours for all attempts together with their delays, Batch and Fargate 14 days;
            Lambda 15 minutes (its default) or, where the handler yields checkpoints, 36 hours.
            Less than 5 minutes, the least that CodeBuild has, or 1 minute, Batch's, on stages of
            `devbridge dev` only.
        retries: how often a run that failed, crashed or timed out is tried again, 0 to 10.
        retry_delay: the time before the first retry, up to 1 hour; it doubles with each further
            one.
        concurrency: how many runs of this job there may be at the same time, 1 to 1000; the rest
            wait.
        offline: what happens to a run that is asked for while nobody runs `devbridge dev`: "queue"
            keeps it until somebody does, "error" refuses it, "cloud" runs it where it is deployed.
            The default is what the stage says (`devbridge dev --offline`).
        payload: where payload, result and error message of a run in CodeBuild are: "s3", where only
            the roles of this job and its invoker read them and they expire; or "inline", in the
            build's own record as far as they are small. By default as the app says; a container
            job's is inline.
        enable_live_dev: False runs it in AWS on dev stages too, never on the laptop.
        environment: further environment variables, 4096 bytes at most: texts and numbers, what is
            known when it is deployed (``notes.arn``), a Config, which is its value, or a Secret,
            which is fetched at the start of a run. Not PATH, HOME and those with which Python
            finds itself, which are the machine's.
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
        log_forwarding: where CloudWatch sends the logs on to: the ARN of a Firehose stream or of a
            Lambda function, or a Function of the app; False: nowhere. By default as the app says.
        vpc: the subnets that it runs in, with 1 to 5 security groups.
        tags: of its resources, besides those of the app; 40 at most, without "aws:".
        permissions_boundary: the ARN of a managed policy that its role cannot exceed; by default
            the app's.
        encryption_key: the ARN of a KMS key for its logs, payloads and results; by default the
            app's.
        image: what it runs in, by its digest, in place of the image that there is for its runtime:
            that image as it was reviewed, a mirror of it, or one with more in it. It must have
            `python3`, 3.11 or newer, on its PATH, and for a Node runtime `node`, of that version.
            Not with Lambda.
        container: the image's folder and the command; for runtime "container", and only for it.
        triggers: what starts it by itself: OnQueue, OnTopic, OnObject, OnEvent, Schedule ...
        on_failure: the queue for the messages and events whose run has failed for good, or could
            not be started; by default one is made for the job. That of an `OnQueue` is its queue's
            own `dead_letter`, if that has one.
        alarm: when an alarm of CloudWatch goes on: a duration, 1 minute or longer, that a message
            may lie in the job's dead-letter queue; or how many may. More alarms of it are
            ``Alarm(app, ..., queue=job.dead_letters)``.
        notify: topics that are told when it goes on; at most 5, no FIFO ones.
        later: take runs for a later time, ``Job.x.run(payload, delay="2 hours")``: its invoker may
            then make schedules of EventBridge Scheduler, in a group of the stage.
        transform: called with what runs it: its `troposphere.codebuild.Project`,
            `troposphere.batch.JobDefinition`, `troposphere.ecs.TaskDefinition` or
            `troposphere.awslambda.Function`.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        handler: str | None = None,
        compute: Compute = places.DEFAULT,
        runtime: JobRuntime | None = None,
        memory_size: JobMemory | None = None,
        timeout: Duration | None = None,
        retries: int = 0,
        retry_delay: Duration = "1 second",
        concurrency: int | None = None,
        offline: Offline | None = None,
        payload: PayloadPlace | None = None,
        enable_live_dev: bool = True,
        image: str | None = None,
        container: Container | None = None,
        triggers: Sequence[Trigger] = (),
        on_failure: Queue | None = None,
        alarm: int | Duration | None = None,
        notify: Sequence[Topic] = (),
        later: bool = False,
        **shared: Unpack[CodeOptions],
    ) -> None:
        super().__init__(app, name, shared, runtime=runtime, runtimes=(*JOBS, _CONTAINER))
        self.secrets: Mapping[str, Secret] = self._fetched()
        """The variables of its environment that are fetched at the start of a run."""
        self.retries, self.retry_delay = self._retrying(retries, retry_delay)
        self.concurrency = self._at_once(concurrency)
        self.choice("offline", offline, values.OFFLINE)
        self.offline = offline
        self.image = self._image(image)
        self.choice("payload", payload, values.PAYLOAD)
        self.live = self.flag("enable_live_dev", enable_live_dev)
        """Whether `devbridge dev` runs it on the laptop."""
        self._check_container(handler, container, payload)
        self.handler = None if runtime == _CONTAINER else parsed_handler(self, handler, runtime)
        """None when its runtime is "container"."""
        self.container = container
        self.checkpoints = self._yields()
        """Whether its handler yields checkpoints; None: only running it would tell."""
        asked = self._placed(compute, memory_size, timeout)
        self.compute = compute
        self.memory_mb, self.cpu = compute.memory_mb(asked), compute.cpus(asked)
        """Of the machine, wherever it runs: megabytes, and vCPUs."""
        self.hints = compute.hints(asked)
        """What is allowed, and could be better."""
        self.inline = runtime == _CONTAINER or (payload or app.payload) == "inline"
        """Whether its provider's record of a run may have the payload, and CodeBuild's the rest."""
        self.triggers = checked_triggers(self, triggers, self.bind)
        if problem := workers_problem(self, self.triggers):
            raise self.refused("compute", problem)
        self.on_failure = checked_on_failure(self, on_failure, self.triggers)
        self.later = self.flag("later", later)
        self.register()
        self.alarms = self._alarmed(alarm, notify)
        """What `alarm` has made: one for each of its dead-letter queues, mostly there is one."""

    @property
    def dead_letters(self) -> Queue | DeadLetters:
        """Where messages end whose run has failed for good, as an Alarm takes it.

        Raises:
            InvalidValue: it has no triggers, and so none.
        """
        if not self.triggers:
            raise self.invalid("triggers", self.triggers, "some: only they have dead letters")
        return self.on_failure or DeadLetters(self)

    @property
    def call_limit(self) -> timedelta:
        """See `Code.call_limit`: its invoker starts runs, and does not wait for them."""
        return INVOKER_TIMEOUT

    @property
    def role_arn(self) -> Reference:
        """The ARN of the role that its code has."""
        return Reference(self, "role_arn")

    @property
    def log_group_arn(self) -> Reference:
        """The ARN of its log group; of its streams, with ``+ ":*"``."""
        return Reference(self, "log_group_arn")

    @property
    def definition_arn(self) -> Reference:
        """The ARN of what its runs are started from: CodeBuild's project, Batch's job definition,
        ECS's task definition, Lambda's function. Definitions have revisions: with ``+ ":*"`` it is
        all of them."""
        return Reference(self, "definition_arn")

    @property
    def invoker_arn(self) -> Reference:
        """The ARN of the function that starts, cancels and tells of its runs."""
        return Reference(self, "invoker_arn")

    def _alarmed(self, alarm: int | Duration | None, notify: Sequence[Topic]) -> tuple[Alarm, ...]:
        if problem := notify_problem(self.app, notify):
            raise self.refused("notify", problem)
        if alarm is None:
            if notify:
                raise self.invalid("notify", notify, "only with alarm='10 minutes', or alarm=1")
            return ()
        if not self.triggers:
            raise self.invalid("alarm", alarm, "only with triggers")
        metric: Metric = "messages" if isinstance(alarm, int) else "age"
        if (reached := threshold(metric, alarm)) is None:
            raise self.invalid(
                "alarm",
                alarm,
                "a duration from 1 minute to 14 days, less than the retention of the dead-letter"
                " queue, '10 minutes', or a whole number from 1 on",
            )
        queues: dict[str, Queue | DeadLetters] = {self.name: self.dead_letters}
        for trigger in self.triggers:
            dead = trigger.queue.dead_letter if isinstance(trigger, OnQueue) else None
            if dead is not None and dead not in queues.values():
                queues[f"{self.name}-{dead.name}"] = dead
        for queue in queues.values():
            if allowed := too_old(metric, reached, queue):
                raise self.invalid("alarm", alarm, allowed)
        return tuple(
            Alarm(self.app, name, queue=queue, metric=metric, threshold=alarm, notify=notify)
            for name, queue in queues.items()
        )

    def _at_once(self, concurrency: int | None) -> int | None:
        """How many of its runs there may be at the same time; None: any number."""
        if concurrency is not None and (
            type(concurrency) is not int or not 0 < concurrency <= 1000
        ):
            raise self.invalid("concurrency", concurrency, "a whole number from 1 to 1000, or None")
        return concurrency

    def _fetched(self) -> Mapping[str, Secret]:
        """The secrets in its environment, which is checked."""
        for key in (*values.MACHINES, "HOME"):
            if key in self.variables.names:
                raise self.invalid("environment", key, values.MACHINE_ALLOWED)
        if (secrets := self.variables.secrets) and self.language != DEFAULT:
            raise self.invalid("environment", secrets, values.FETCHED_ALLOWED)
        return secrets

    def _yields(self) -> bool | None:
        source = source_of(self.runtime)
        if source is None or self.handler is None:
            return False
        return source.is_generator(self.app.root, self.handler)

    def _placed(
        self, compute: Compute, memory_size: JobMemory | None, timeout: Duration | None
    ) -> places.Asked:
        """What it asks of the place that it runs in, which has it."""
        if not isinstance(compute, Compute):
            raise self.invalid("compute", compute, places.ALLOWED)
        asked = places.Asked(
            architecture=self.architecture,
            runtime=self.runtime,
            memory_size=memory_size,
            checkpoints=self.checkpoints,
            image=self.image,
            variables=self.variables.names,
        )
        given = compute.default_timeout(asked) if timeout is None else timeout
        if (limit := parsed(given, compute.timeouts)) is None:
            raise self.invalid("timeout", timeout, compute.timeout_allowed(asked))
        self.timeout = limit
        """Of one attempt."""
        asked = replace(asked, timeout=limit)
        if refusal := compute.problem(asked):
            raise self.refused(*refusal)
        if problem := compute.mount_problem(self.bind, self.vpc):
            raise self.refused("bind", problem)
        return asked

    def _retrying(self, retries: int, retry_delay: Duration) -> tuple[int, timedelta]:
        """How often a run is tried again, and the pause before the first time."""
        if type(retries) is not int or not 0 <= retries <= 10:
            raise self.invalid("retries", retries, "a whole number from 0 to 10")
        if (delay := parsed(retry_delay, values.RETRY_DELAY)) is None:
            raise self.invalid("retry_delay", retry_delay, "0 seconds to 1 hour")
        return retries, delay

    def _image(self, image: str | None) -> str | None:
        if not values.image(image):
            raise self.invalid("image", image, values.IMAGE_ALLOWED)
        return image

    def _check_container(
        self, handler: str | None, container: Container | None, payload: PayloadPlace | None
    ) -> None:
        if self.runtime != _CONTAINER:
            if container is not None:
                raise self.invalid("container", container, "only with runtime='container'")
            return
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
