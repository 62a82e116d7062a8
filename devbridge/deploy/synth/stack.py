"""A template in the making: what all rooms of `synth` add to, and how."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from devbridge import names
from devbridge.constructs import App, Bindable, Construct, Function, Job, Vpc, Where
from devbridge.constructs.values import ENVIRONMENT_LIMIT
from devbridge.deploy.attributes import resolved
from devbridge.deploy.bindings import Bindings
from devbridge.deploy.policies import Json, document, split
from devbridge.deploy.principal import trust, trust_account
from devbridge.deploy.references import arn_of, dump, ref, references
from devbridge.errors import AppFailed, InvalidValue

MAX_RESOURCES: Final = 500
MAX_OUTPUTS: Final = 200
"""Quotas of CloudFormation for one template."""
MAX_POLICIES: Final = 10
"""Managed policies of one role, by default."""


@dataclass(frozen=True, slots=True)
class Assets:
    """What the template refers to: zips in the asset bucket, and images."""

    bucket: str
    """The asset bucket's name."""
    stub: str
    """The key of the stubs' zip; so with the others."""
    invoker: str
    functions: Mapping[str, str]
    """By the construct's name."""
    function_stub: str = ""
    """The key of the zip of live functions' stubs."""
    jobs: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    """Of the jobs that import any; by the job's name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """The URIs of container jobs' images, by the job's name."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The S3 versions whose content was verified, by key: nothing else is run. A zip that is not
    uploaded yet has none."""

    def code(self, key: str) -> Any:
        """The code of a Lambda function."""
        from troposphere import awslambda

        code = awslambda.Code(S3Bucket=self.bucket, S3Key=key)
        if version := self.versions.get(key):
            code.S3ObjectVersion = version
        return code


@dataclass(frozen=True, slots=True)
class Network:
    """Where what must be put somewhere is put: the VPC that its construct names, or else the
    account's default VPC, whose subnets are public."""

    vpc: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    """Security groups."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a template depends on beside the app."""

    stage: str
    principal_arn: str
    """The developer, as the roles' trust policies name them (see `principal`)."""
    iot_host: str
    """Name of the account's IoT endpoint, without a port."""
    python: str
    """Version of the runtime where the construct names none, e.g. ``3.11``."""
    mode: names.Mode = "dev"
    offline: str = "queue"
    """What the stubs do when no daemon is connected, unless the job says otherwise."""
    schedules: bool = False
    """The clock starts jobs that run on the laptop, and calls functions of a dev stage, too."""
    tls: bool = True
    """Buckets refuse what is not TLS. The embedded cloud has none."""
    network: Network | None = None
    """The default VPC; None where nothing needs it."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """The availability zones of subnets that file systems are reached in, as far as known."""

    def runtime(self, code: Job | Function) -> str:
        """``python3.11``"""
        return code.runtime or f"python{self.python}"


@dataclass(frozen=True, slots=True)
class Template:
    """A CloudFormation template, and who in app.py each of its resources belongs to."""

    body: str
    hash: str
    """Of the template; also one of the stack's outputs."""
    labels: Mapping[str, str]
    """Logical id -> construct as the user knows it, e.g. ``Job 'factorial'``."""


class Stack:
    """A template in the making."""

    def __init__(self, app: App, settings: Settings, assets: Assets, bindings: Bindings) -> None:
        import troposphere

        self.app = app
        self.settings = settings
        self.stage = settings.stage
        self.assets = assets
        self._bindings = bindings
        self.labels: dict[str, str] = {}
        self.senders: dict[str, dict[str, list[Any]]] = {}
        """Who may send to queues and topics, by their ids: service -> ARNs that it sends for. See
        `synth.messaging`."""
        description = f"devbridge app {app.name}, stage {settings.stage}"
        self.made = troposphere.Template(Description=description)

    def add(
        self,
        label: str,
        resource: Any,
        tags: Mapping[str, str] | None = None,
        where: Where | None = None,
    ) -> str:
        """Add a troposphere resource with its tags, the app's by default; return its title.

        Args:
            where: the line that an error names; by default the app's.

        Raises:
            InvalidValue: its id is taken, or there are too many.
        """
        if other := self.labels.get(resource.title):
            raise self._taken(label, f"the id {resource.title!r}", other, where)
        self._check_room("resources", self.made.resources, MAX_RESOURCES)
        self._tag(resource, self.app.tags if tags is None else tags)
        self.made.add_resource(resource)
        self.labels[resource.title] = label
        return str(resource.title)

    def _taken(self, label: str, what: str, other: str, where: Where | None = None) -> InvalidValue:
        return InvalidValue(
            f"{label}: {what} is that of {other}",
            where=str(where or self.app.where),
            remedy="rename one of them",
        )

    def add_main(
        self, construct: Construct, resource: Any, tags: Mapping[str, str] | None = None
    ) -> str:
        """Add the resource that a construct's `transform` is for, transformed."""
        title = self.add(str(construct), resource, tags)
        if construct.transform:
            try:
                construct.transform(resource)
                resource.to_dict()
            except Exception as error:
                raise AppFailed(
                    f"{construct}: transform raised {type(error).__name__}: {error}",
                    where=str(construct.where),
                    remedy=f"correct what it does with the {resource.resource_type}",
                ) from error
        return title

    def add_foreign(self, resource: Any, where: Where) -> None:
        """Add a resource of the user's own, as it is."""
        label = f"{resource.resource_type} {resource.title!r}"
        try:
            resource.to_dict()
        except Exception as error:
            raise AppFailed(f"{label}: {error}", where=str(where), remedy="correct it") from error
        self.add(label, resource, tags={}, where=where)

    def _tag(self, resource: Any, tags: Mapping[str, str]) -> None:
        import troposphere

        name = next((name for name in ("Tags", "UserPoolTags") if name in resource.props), None)
        if not tags or name is None:
            return
        as_map = resource.props[name][0] is dict
        setattr(resource, name, dict(tags) if as_map else troposphere.Tags(**tags))

    def output(self, construct: Construct, what: str, value: Any) -> None:
        """Add an output that tells something of a construct."""
        name, text = names.output(construct, what), f"{what} of {construct}"
        self._output(name, text, value)

    def _output(self, name: str, description: str, value: Any) -> Any:
        import troposphere

        if other := self.made.outputs.get(name):
            raise self._taken(description, f"the output {name!r}", other.Description)
        self._check_room("outputs", self.made.outputs, MAX_OUTPUTS)
        output = troposphere.Output(name, Description=description, Value=value)
        return self.made.add_output(output)

    def say(self, name: str, value: Any, export: str | None = None) -> None:
        """Add an output of the user's own, which other stacks import by the name `export`.

        It may be one of devbridge's, if it says the same.
        """
        import troposphere

        output = self.made.outputs.get(name)
        if output is None or output.Value != value:
            output = self._output(name, f"output {name!r} of app.py", value)
        if export:
            output.Export = troposphere.Export(export)

    def template(self) -> Template:
        """The finished template.

        Raises:
            InvalidValue: a resource refers to one that is not there.
        """
        self._output(names.MODE, "mode of the stage", self.settings.mode)
        self._output(names.NAMING, "version of the rules of names", names.NAMING_VERSION)
        body = {"Resources": {}, **self.made.to_dict()}
        self._check_references(body["Resources"])
        digest = hashlib.sha256(dump(body).encode()).hexdigest()
        # Something must change whenever the template does: outputs alone may be no change. It also
        # keeps the template of an empty app valid.
        body["Resources"][f"Template{digest[:16]}"] = {"Type": names.STAMP}
        body["Outputs"][names.TEMPLATE_HASH] = {
            "Description": "hash of the template",
            "Value": digest,
        }
        return Template(dump(body), digest, self.labels)

    def _check_references(self, made: Mapping[str, Any]) -> None:
        # The embedded cloud takes the name for the value.
        for title, resource in made.items():
            for name in references(resource):
                if name not in made and not name.startswith(("AWS::", "!")):
                    raise InvalidValue(
                        f"{self.labels[title]} refers to {name!r}, and there is no such resource",
                        where=str(self.app.added_at.get(title, self.app.where)),
                        remedy="refer to the title of a resource of this app",
                    )

    def _check_room(self, what: str, made: Mapping[str, Any], quota: int) -> None:
        # One more is made at the end: the stamp, and the hash.
        if len(made) + 1 >= quota:
            raise InvalidValue(
                f"{self.app!r} makes more {what} than the {quota} that CloudFormation allows",
                where=str(self.app.where),
                remedy="divide it into several apps",
            )

    def role(
        self,
        label: str,
        title: str,
        trusted: Sequence[Json],
        statements: Sequence[Json],
        code: Job | Function | None = None,
        managed: Sequence[Any] = (),
    ) -> str:
        """Add a role; with the tags and the permissions boundary of `code`, or the app's.

        What does not fit into it goes into policies of their own.

        Args:
            managed: the ARNs of policies of AWS's own that it has, too.
        """
        from troposphere import iam

        path = names.path(self.app.name, self.stage)
        role = iam.Role(title, AssumeRolePolicyDocument=document(trusted), Path=path)
        if managed:
            role.ManagedPolicyArns = list(managed)
        within, *more = split(statements)
        if len(more) > MAX_POLICIES:
            raise InvalidValue(
                f"{label}: its role takes {len(more)} policies, and IAM allows {MAX_POLICIES}",
                where=str(code.where if code else self.app.where),
                remedy="bind less, or use wildcards in `permissions`",
            )
        if within:
            inline = iam.Policy(PolicyName="devbridge", PolicyDocument=document(within))
            role.Policies = [inline]
        if boundary := (code or self.app).permissions_boundary:
            role.PermissionsBoundary = boundary
        self.add(label, role, code.tags if code else None)
        for number, portion in enumerate(more, 2):
            policy = document(portion)
            self.add(
                label,
                iam.ManagedPolicy(
                    f"{title}Part{number}", PolicyDocument=policy, Path=path, Roles=[ref(title)]
                ),
            )
        return title

    def bind_role(self) -> None:
        """The role of `devbridge bind`: it may do what binding everything gives."""
        bindable = [c for c in self.app.constructs if isinstance(c, Bindable)]
        if not bindable:
            return
        trusted = (
            trust(self.settings.principal_arn) if self.settings.mode == "dev" else trust_account()
        )
        title = self.role("devbridge bind", "BindRole", [trusted], self.grants(bindable))
        self._output(names.BIND_ROLE, "role of devbridge bind", arn_of(title))

    def log_group(self, code: Job | Function, name: str) -> str:
        """The log group of a job or function."""
        title = names.logical(code, "Logs")
        return self.add_log_group(
            str(code), title, name, code.log_days, code.encryption_key, code.tags
        )

    def add_log_group(
        self,
        label: str,
        title: str,
        name: str,
        days: int | None,
        key: str | None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Add a log group; `days` is how long it keeps logs, None is for ever; `key` encrypts."""
        from troposphere import logs

        group = logs.LogGroup(title, LogGroupName=name)
        if days is not None:
            group.RetentionInDays = days
        if key is not None:
            group.KmsKeyId = key
        return self.add(label, group, tags)

    def runtime(self, code: Job | Function) -> str:
        """``python3.11``"""
        return self.settings.runtime(code)

    def network(self, vpc: Vpc | None) -> Network:
        """The subnets and security groups of what names this VPC, or none."""
        if vpc:
            return Network(vpc.id, tuple(vpc.subnets), tuple(vpc.security_groups))
        found = self.settings.network
        assert found  # noqa: S101 - it was asked for
        return found

    def environment(self, code: Job | Function) -> Json:
        """What `bind` and `environment` put into a process, with references to what is bound."""
        later = {key: resolved(each, self.stage) for key, each in code.references.items()}
        return {**code.environment, **later, **self._bindings.variables(code.bind, self.stage)}

    def grants(self, bind: Iterable[Bindable]) -> list[Json]:
        """The statements that binding these gives."""
        return self._bindings.grants(bind, self.stage)


def checked_environment(construct: Construct, environment: Mapping[str, Any]) -> Any:
    """The environment of a Lambda function.

    Raises:
        InvalidValue: it is over 4 KB.
    """
    from troposphere import awslambda

    # What a reference becomes is not known; few are longer than this.
    size = sum(
        len(key) + (len(value.encode()) if isinstance(value, str) else 128)
        for key, value in environment.items()
    )
    if size > ENVIRONMENT_LIMIT:
        raise InvalidValue(
            f"{construct}: environment and binds take about {size} bytes",
            where=str(construct.where),
            remedy=f"AWS Lambda allows {ENVIRONMENT_LIMIT}: bind or set less",
        )
    return awslambda.Environment(Variables=dict(environment))


Removal = Literal["retain", "delete"] | None


def is_kept(removal: Removal, mode: names.Mode) -> bool:
    """Whether a resource that is taken out is retained; by default a dev stage deletes it."""
    return removal == "retain" or (removal is None and mode == "deployed")


def keep(resource: Any, removal: Removal, mode: names.Mode) -> None:
    """Set what becomes of a resource that is taken out."""
    policy = "retain" if is_kept(removal, mode) else "delete"
    resource.UpdateReplacePolicy = policy.capitalize()
    # What a creation that fails has made holds nothing yet, and must not stand in the way.
    resource.DeletionPolicy = "RetainExceptOnCreate" if policy == "retain" else "Delete"
