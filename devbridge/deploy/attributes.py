"""What references to constructs become: in a template, and on the laptop of a stage that is there.

Names that devbridge gives are told, not referred to: jobs and functions that refer to each other
would depend on themselves. Pure, except that a template's values are troposphere's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge import names
from devbridge.constructs import (
    Api,
    Bucket,
    Construct,
    EventBus,
    Function,
    Job,
    LoadBalancer,
    Queue,
    Reference,
    Secret,
    Stream,
    Table,
    Topic,
    UserPool,
)
from devbridge.deploy.references import attribute, ref, sub


@dataclass(frozen=True, slots=True)
class Deployed:
    """The deployed stage."""

    partition: str
    region: str
    account: str
    outputs: Mapping[str, str]
    """Of its stack."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A part of a text that only AWS knows."""

    template: str
    """As Fn::Sub has it: ``AWS::Region``, ``NotesTable``, ``JobRole.Arn``"""
    live: Callable[[Deployed], str]


_Part = str | _Known
_PARTITION: Final = _Known("AWS::Partition", lambda there: there.partition)
_HERE: Final[tuple[_Part, ...]] = (
    _Known("AWS::Region", lambda there: there.region),
    ":",
    _Known("AWS::AccountId", lambda there: there.account),
    ":",
)


def resolved(value: str | Reference, stage: str) -> Any:
    """The value for a template."""
    if isinstance(value, str):
        return value
    parts = _parts(value, stage)
    if len(parts) == 1 and isinstance(only := parts[0], _Known):
        title, _, what = only.template.partition(".")
        return attribute(title, what) if what else ref(title)
    if all(isinstance(part, str) for part in parts):
        return "".join(map(str, parts))
    texts = (
        part.replace("${", "${!") if isinstance(part, str) else f"${{{part.template}}}"
        for part in parts
    )
    return sub("".join(texts))


def known(value: str | Reference, stage: str, there: Deployed) -> str:
    """The value, of a stage that is deployed.

    Raises:
        KeyError: its stack has not the output that tells it.
    """
    if isinstance(value, str):
        return value
    parts = _parts(value, stage)
    return "".join(part if isinstance(part, str) else part.live(there) for part in parts)


def _parts(reference: Reference, stage: str) -> list[_Part]:
    construct = reference.construct
    assert isinstance(construct, Construct)  # noqa: S101 - checked when the app was loaded
    if construct.known:
        return [reference.before + construct.known[reference.what] + reference.after]
    found = _ATTRIBUTES[type(construct), reference.what](construct, stage)
    return [part for part in (reference.before, *found, reference.after) if part != ""]


def _arn(service: str, *resource: _Part, here: tuple[_Part, ...] = _HERE) -> Iterator[_Part]:
    yield from ("arn:", _PARTITION, f":{service}:", *here, *resource)


def _output(construct: Construct, suffix: str = "", output: str | None = None) -> _Known:
    """What an output of the stack has: the main resource, or an attribute of one."""
    name = names.output(construct, output or construct.type)
    return _Known(names.logical(construct) + suffix, lambda there: there.outputs[name])


def _queue_name(queue: Construct) -> _Known:
    url = _output(queue)
    return _Known(f"{url.template}.QueueName", lambda there: url.live(there).rpartition("/")[2])


def _host(balancer: Construct) -> _Known:
    url = _output(balancer, ".DNSName", "Url")
    return _Known(url.template, lambda there: url.live(there).partition("://")[2])


def _provider(pool: Construct) -> _Known:
    """A pool's issuer without its ``https://``."""
    name = names.output(pool, "Issuer")
    return _Known(
        f"{names.logical(pool)}.ProviderName", lambda there: there.outputs[name].partition("//")[2]
    )


def _definition(job: Any, stage: str) -> Iterator[_Part]:
    service, _, resource = job.compute.definition.format(names.project(job, stage)).partition(":")
    return _arn(service, resource)


def _log_group(name: Callable[[Any, str], str]) -> Callable[[Any, str], Iterator[_Part]]:
    return lambda code, stage: _arn("logs", f"log-group:{name(code, stage)}")


def _function(name: Callable[[Any, str], str]) -> Callable[[Any, str], Iterator[_Part]]:
    return lambda code, stage: _arn("lambda", f"function:{name(code, stage)}")


def _main(construct: Any, _stage: str) -> list[_Part]:
    return [_output(construct)]


_ATTRIBUTES: Final[Mapping[tuple[type[Any], str], Callable[[Any, str], Any]]] = {
    (Table, "table_name"): _main,
    (Table, "arn"): lambda table, _: _arn("dynamodb", "table/", _output(table)),
    (Table, "stream_arn"): lambda table, _: [_output(table, ".StreamArn", "TableStream")],
    (Bucket, "bucket_name"): _main,
    (Bucket, "arn"): lambda bucket, _: _arn("s3", _output(bucket), here=("::",)),
    (Queue, "queue_url"): _main,
    (Queue, "queue_name"): lambda queue, _: [_queue_name(queue)],
    (Queue, "arn"): lambda queue, _: _arn("sqs", _queue_name(queue)),
    (Topic, "arn"): _main,
    (Stream, "stream_name"): _main,
    (Stream, "arn"): lambda stream, _: _arn("kinesis", "stream/", _output(stream)),
    (EventBus, "bus_name"): lambda bus, stage: [names.event_bus(bus, stage)],
    (EventBus, "arn"): lambda bus, stage: _arn("events", "event-bus/", names.event_bus(bus, stage)),
    (LoadBalancer, "arn"): _main,
    (LoadBalancer, "listener_arn"): lambda balancer, _: [_output(balancer, "Listener", "Listener")],
    (LoadBalancer, "url"): lambda balancer, _: [
        "https://" if balancer.certificate else "http://",
        _host(balancer),
    ],
    (UserPool, "user_pool_id"): _main,
    (UserPool, "client_id"): lambda pool, _: [_output(pool, "Client", "UserPoolClient")],
    (UserPool, "issuer"): lambda pool, _: ["https://", _provider(pool)],
    (UserPool, "arn"): lambda pool, _: _arn("cognito-idp", "userpool/", _output(pool)),
    (Api, "url"): lambda api, _: [_output(api, ".ApiEndpoint", "Url")],
    (Secret, "parameter_name"): lambda secret, stage: [_parameter(secret, stage)],
    (Secret, "arn"): lambda secret, stage: _arn("ssm", f"parameter{_parameter(secret, stage)}"),
    (Function, "function_name"): lambda function, stage: [names.function(function, stage)],
    (Function, "arn"): _function(names.function),
    (Function, "log_group_arn"): _log_group(names.function_log_group),
    (Job, "role_arn"): lambda job, _: [_output(job, "Role.Arn", "Role")],
    (Job, "log_group_arn"): _log_group(names.job_log_group),
    (Job, "definition_arn"): _definition,
    (Job, "invoker_arn"): _function(names.invoker),
}


def _parameter(secret: Secret, stage: str) -> str:
    return names.secret(secret.app.name, stage, secret.name)
