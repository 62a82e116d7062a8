"""What `bind` gave, read back at run time: ``Table.notes.table_name``, ``Secret.api_key.value``.

The names are those of app.py, with '_' for '-'. Standard library only, and botocore for secrets:
it is part of every function's zip.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any, Final, Generic, Never, TypeVar

from devbridge.errors import CloudError, NotFound

SECRETS: Final = "DEVBRIDGE_SECRETS"
"""What tells a job's process which variables are given the value of which SSM parameter."""
_SSM_NAMES: Final = 10
"""SSM's GetParameters takes no more at once."""


def variable(kind: str, prop: str, name: str) -> str:
    """The environment variable that carries one property of a bound resource."""
    return f"DEVBRIDGE_{kind}_{prop}_{name.replace('-', '_')}"


def bound(kind: str, prop: str, name: str) -> str:
    """The property's value in this process.

    Raises:
        NotFound: this function or job does not bind that resource.
    """
    value = os.environ.get(variable(kind, prop, name))
    if value is not None:
        return value
    raise NotFound(
        f"{kind} {name!r} is not bound here",
        where=f"environment variable {variable(kind, prop, name)}",
        remedy="add it to `bind` in app.py; bound are: "
        + (", ".join(sorted(_values(kind, prop))) or "none"),
    )


def fetch_secrets() -> None:
    """Fetch all secrets that are bound here, so that none is found missing later.

    What was fetched is kept until the process ends; only what is not known yet is asked for.

    Raises:
        NotFound: some are not set.
        CloudError: SSM did not answer, or refused.
    """
    parameters = _parameters()
    _fetch(parameters)
    if missing := [name for name in parameters if name not in _secrets]:
        raise _not_set(missing)


class _Property:
    """A property of a bound resource, read from the environment variable that carries it.

    Args:
        name: what the variable's name calls it.

    Raises (when it is read):
        NotFound: the resource is not bound here.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, resource: _Bound, owner: type[_Bound]) -> str:
        return bound(owner._kind(), self.name, resource._name)

    def __set__(self, resource: _Bound, value: Never) -> None:
        raise AttributeError(f"{resource}: properties are read-only")


class _Bound:
    """A bound resource; a class ``BoundTable`` is that of the kind ``Table``."""

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    def _kind(cls) -> str:
        return cls.__name__.removeprefix("Bound")

    def __repr__(self) -> str:
        return f"{self._kind()}.{self._name}"


class BoundTable(_Bound):
    """A bound DynamoDB table."""

    table_name = _Property("tableName")
    """The deployed table's name."""


class BoundBucket(_Bound):
    """A bound S3 bucket."""

    bucket_name = _Property("bucketName")
    """The deployed bucket's name."""


class BoundQueue(_Bound):
    """A bound SQS queue."""

    queue_url = _Property("queueUrl")
    """The deployed queue's URL."""


class BoundTopic(_Bound):
    """A bound SNS topic."""

    topic_arn = _Property("topicArn")
    """The deployed topic's ARN."""


class BoundStream(_Bound):
    """A bound Kinesis stream."""

    stream_name = _Property("streamName")
    """The deployed stream's name."""


class BoundEventBus(_Bound):
    """A bound event bus of EventBridge."""

    bus_name = _Property("busName")
    """The deployed bus's name."""


class BoundUserPool(_Bound):
    """A bound Cognito user pool."""

    user_pool_id = _Property("userPoolId")
    """The deployed pool's id."""
    client_id = _Property("clientId")
    """The id of its app client."""
    issuer = _Property("issuer")
    """The URL that its tokens name as ``iss``."""


class BoundSecret(_Bound):
    """A bound secret."""

    _parameter = _Property("parameterName")

    @property
    def value(self) -> str:
        """The secret's value; the first one that is read fetches all that are bound.

        Raises:
            NotFound: the secret is not bound here, or not set.
            CloudError: SSM did not answer, or refused.
        """
        parameter = self._parameter
        if parameter not in _secrets:
            _fetch(_parameters())
        if parameter not in _secrets:
            raise _not_set([parameter])
        return _secrets[parameter]


class BoundConfig(_Bound):
    """A bound value that is no secret."""

    value = _Property("value")
    """The value."""


class BoundFileSystem(_Bound):
    """A bound file system."""

    path = _Property("path")
    """The folder that its files are in."""


class BoundFunction(_Bound):
    """A bound Lambda function."""

    function_name = _Property("functionName")
    """The deployed function's name."""


class BoundApi(_Bound):
    """A bound HTTP API."""

    url = _Property("url")
    """The API's URL, without a slash at its end."""


B = TypeVar("B", bound=_Bound)


class _Bindings(Generic[B]):
    """The bound resources of one kind by name. Its own attributes start with '_', no name does."""

    def __init__(self, of: type[B]) -> None:
        self._of = of

    def __getattr__(self, name: str) -> B:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._of(name)

    def __dir__(self) -> list[str]:
        names = [each.name for each in vars(self._of).values() if isinstance(each, _Property)]
        return sorted({name for each in names for name in _values(self._of._kind(), each)})


Table: Final = _Bindings(BoundTable)
Bucket: Final = _Bindings(BoundBucket)
Queue: Final = _Bindings(BoundQueue)
Topic: Final = _Bindings(BoundTopic)
Stream: Final = _Bindings(BoundStream)
EventBus: Final = _Bindings(BoundEventBus)
Secret: Final = _Bindings(BoundSecret)
Config: Final = _Bindings(BoundConfig)
FileSystem: Final = _Bindings(BoundFileSystem)
Function: Final = _Bindings(BoundFunction)
Api: Final = _Bindings(BoundApi)
UserPool: Final = _Bindings(BoundUserPool)

_secrets: dict[str, str] = {}
"""Parameter's name -> the value that SSM gave."""
_fetching = threading.Lock()


def _values(kind: str, prop: str) -> dict[str, str]:
    """What is bound of one kind: name (with '_' for '-') -> the property's value."""
    prefix = variable(kind, prop, "")
    return {
        key[len(prefix) :]: value for key, value in os.environ.items() if key.startswith(prefix)
    }


def _parameters() -> list[str]:
    """The SSM parameters of all secrets that are bound."""
    return [*_values("Secret", "parameterName").values()]


def _fetch(parameters: Iterable[str]) -> None:
    with _fetching:
        wanted = sorted({name for name in parameters if name not in _secrets})
        if not wanted:
            return
        client, failures = _ssm()
        for start in range(0, len(wanted), _SSM_NAMES):
            names = wanted[start : start + _SSM_NAMES]
            try:
                answer = client.get_parameters(Names=names, WithDecryption=True)
            except failures as error:
                raise CloudError(
                    f"the bound secrets could not be fetched: {error}",
                    where=f"SSM, {', '.join(names)}",
                ) from error
            for parameter in answer["Parameters"]:
                _secrets[parameter["Name"]] = parameter["Value"]


def _ssm() -> tuple[Any, tuple[type[Exception], ...]]:
    """A client of the environment's region and credentials, and how its calls can fail."""
    import botocore.session
    from botocore.config import Config as ClientConfig
    from botocore.exceptions import BotoCoreError, ClientError

    # A function in a VPC without a way to SSM must say so before its own time is up.
    config = ClientConfig(connect_timeout=3, read_timeout=10, retries={"max_attempts": 2})
    session = botocore.session.get_session()
    region = os.environ.get("AWS_REGION")
    return session.create_client("ssm", region_name=region, config=config), (
        BotoCoreError,
        ClientError,
    )


def _not_set(parameters: Iterable[str]) -> NotFound:
    """The error for secrets whose parameter ``/devbridge/APP/STAGE/secrets/NAME`` is missing."""
    # Only the embedded cloud is found by an endpoint.
    local = " --local" if os.environ.get("AWS_ENDPOINT_URL") else ""
    commands, names = [], []
    for parameter in sorted(parameters):
        *_, stage, _, name = ("", "", "", *parameter.split("/"))
        names.append(repr(name))
        commands.append(f"`devbridge secrets set {name} --stage {stage}{local}`")
    return NotFound(
        f"secret {', '.join(names)} is bound and has no value"
        if len(names) == 1
        else f"secrets {', '.join(names)} are bound and have no value",
        where=", ".join(sorted(parameters)),
        remedy=f"run {', '.join(commands)}",
    )
