"""The developer's way to the cloud: which endpoint, which credentials, who they are.

botocore takes a third of a second to import, so it is imported when a cloud is connected. boto3,
which adds resources and transfers to it, is not: three megabytes that nobody here needs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from devbridge import folders
from devbridge.cloud import keys
from devbridge.cloud.failures import NO_ACCOUNT, explain, renewal
from devbridge.cloud.last import was_local
from devbridge.config import Config
from devbridge.errors import CloudError, CredentialsError, DevbridgeError
from devbridge.redaction import secret
from devbridge.transport.base import AwsCredentials, Endpoint

if TYPE_CHECKING:
    from botocore.session import Session

LOCAL_REGION: Final = "us-east-1"


class Clients:
    """A session and its clients, made once each; for any thread.

    `make_session` is called again by `renew`, so that credentials that were replaced in the
    developer's files are found.
    """

    def __init__(
        self,
        make_session: Callable[[], Session],
        endpoint_url: str | None,
        region: str,
    ) -> None:
        self._make_session = make_session
        self._endpoint_url = endpoint_url
        self._region = region
        self._lock = threading.Lock()
        self._session: Any = make_session()
        self._clients: dict[tuple[str, float | None], Any] = {}

    def get(self, service: str, waits: float | None = None) -> Any:
        """The client of that service.

        Args:
            waits: see `Cloud.waiting`; None: as long as others do.
        """
        # Making a client is not thread-safe; using one is.
        with self._lock:
            if (service, waits) not in self._clients:
                self._clients[service, waits] = self._session.create_client(
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=client_config(self._endpoint_url, waits),
                )
            return self._clients[service, waits]

    def credentials(self) -> AwsCredentials:
        """What the session signs with now, refreshed if it can be.

        Raises:
            botocore's errors: there are none, or they cannot be refreshed.
        """
        from botocore.exceptions import NoCredentialsError

        with self._lock:
            found = self._session.get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        secret(frozen.secret_key, frozen.token)
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token)

    def expire_at(self) -> float | None:
        """When the credentials expire, in seconds since the epoch; None: not known, or never."""
        with self._lock:
            found = self._session.get_credentials()
        # botocore has no public name for it; without it, a refusal is what tells.
        moment = getattr(found, "_expiry_time", None)
        return None if moment is None else float(moment.timestamp())

    def close(self) -> None:
        """Close the connections of all clients: they are not used any more."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients = {}

    def renew(self) -> None:
        """Forget session and clients, and make them anew."""
        with self._lock:
            self._session = self._make_session()
            self._clients = {}


def client_config(endpoint_url: str | None, waits: float | None = None) -> Any:
    """botocore's `Config`: patient with AWS, brief with loopback, whatever the environment says.

    Args:
        waits: see `Cloud.waiting`; None: as long as others do.
    """
    from botocore.config import Config as ClientConfig

    if waits is not None:
        once = ClientConfig(read_timeout=waits, retries={"total_max_attempts": 1})
        return client_config(endpoint_url).merge(once)
    if endpoint_url is None or not keys.is_loopback(endpoint_url):
        return ClientConfig(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=20,
            tcp_keepalive=True,
        )
    return ClientConfig(
        connect_timeout=2,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=20,
        proxies={},
        s3={"addressing_style": "path"},
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud that answered, and who we are there. Made by `connect`."""

    region: str
    endpoint_url: str | None
    """None: AWS itself."""
    account: str
    principal_arn: str
    profile: str | None
    clients: Clients = field(repr=False, compare=False)

    def client(self, service: str) -> Any:
        """The client of that service; always the same one, usable from any thread."""
        return self.clients.get(service)

    def waiting(self, service: str, seconds: float) -> Any:
        """One that waits so many seconds for an answer, and asks once: for what takes long, and
        would be done again where it is asked again."""
        return self.clients.get(service, seconds)

    def client_as(self, service: str, credentials: AwsCredentials) -> Any:
        """A client of its own, which signs with these."""
        session: Any = local_session(credentials)
        return session.create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            config=client_config(self.endpoint_url),
        )

    def aws_credentials(self) -> AwsCredentials:
        """The developer's credentials now, refreshed by botocore if they can be.

        Raises:
            CredentialsError: they have expired and could not be refreshed.
        """
        with self.explained():
            return self.clients.credentials()

    def credentials_expire_at(self) -> float | None:
        """When the developer's credentials expire, in seconds since the epoch; None: not known."""
        return self.clients.expire_at()

    def how_to_renew(self) -> str:
        """What the developer has to do when the credentials have expired: the command."""
        return renewal(self.profile)

    def explain(self, error: Exception) -> DevbridgeError | None:
        """Our error for one of botocore's about credentials or the connection; None for others."""
        return explain(error, profile=self.profile, endpoint_url=self.endpoint_url)

    def iot_endpoint(self) -> Endpoint:
        """Where this account's MQTT broker is.

        Raises:
            CredentialsError, CloudError: the cloud did not say.
        """
        with self.explained():
            answer = self.client("iot").describe_endpoint(endpointType="iot:Data-ATS")
        host = str(answer["endpointAddress"]).partition(":")[0]
        if self.endpoint_url is None:
            return Endpoint(host, self.region)
        parts = urlsplit(self.endpoint_url)
        # The embedded cloud's broker has a name that does not resolve, on the endpoint's port.
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Endpoint(host, self.region, dial=(parts.hostname or "127.0.0.1", port))

    def renew(self) -> None:
        """Read the developer's credentials again: they were renewed in another terminal.

        Clients that were taken before keep the old ones; `client` gives new ones from now on.

        Raises:
            CredentialsError: they are still of no use, or they are another account's.
        """
        with self.explained():
            self.clients.renew()
            account = self.client("sts").get_caller_identity()["Account"]
        if account != self.account:
            raise CredentialsError(
                f"the credentials are now those of account {account}, no longer {self.account}",
                where=_source(self.profile),
                remedy=f"renew those of account {self.account}, or start devbridge again",
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns botocore's credential and connection failures into ours; others pass."""
        with _explained(self.profile, self.endpoint_url):
            yield


def connect(config: Config, endpoint_url: str | None = None) -> Cloud:
    """Find credentials and region, and ask the cloud who we are.

    `endpoint_url` (default: `config.endpoint`; None: AWS) on loopback is an embedded cloud: its
    root user is used, and nothing of the developer's AWS configuration.

    Raises:
        CredentialsError: no credentials, or expired ones; the remedy is the command to run.
        CloudError: no region, or the cloud could not be reached.
    """
    endpoint_url = endpoint_url or config.endpoint
    local = endpoint_url is not None and keys.is_loopback(endpoint_url)
    profile = None if local else config.profile or os.environ.get("AWS_PROFILE") or None
    with _or_locally(config, endpoint_url), _explained(profile, endpoint_url):
        if endpoint_url is not None and local:
            key = keys.of_endpoint(endpoint_url, config.cloud_dir)
            make_session = partial(local_session, key)
        else:
            make_session = partial(_session, config.profile)
        region = config.region or (LOCAL_REGION if local else _region(make_session()))
        if region is None:
            raise CloudError(
                "no AWS region is set",
                where=_source(profile),
                remedy="give --region eu-west-1, or set it: aws configure set region eu-west-1"
                + (f" --profile {profile}" if profile else "")
                + NO_ACCOUNT,
            )
        clients = Clients(make_session, endpoint_url, region)
        identity = clients.get("sts").get_caller_identity()
        clients.credentials()  # from now on they are redacted
    return Cloud(
        region=region,
        endpoint_url=endpoint_url,
        account=identity["Account"],
        principal_arn=identity["Arn"],
        profile=profile,
        clients=clients,
    )


def _session(profile: str | None) -> Session:
    import botocore.session
    from botocore.utils import JSONFileCache

    from devbridge.cloud.models import LOADER

    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", LOADER)
    # The AWS CLI's own cache: who has given an MFA code, here or there, is not asked for it again
    # until that role's session ends.
    providers = session.get_component("credential_provider")
    cache = JSONFileCache(str((folders.home() or Path("/")) / ".aws" / "cli" / "cache"))
    providers.get_provider("assume-role").cache = cache
    return session


def _region(session: Session) -> str | None:
    # The other SDKs know AWS_REGION; botocore does not.
    return os.environ.get("AWS_REGION") or session.get_config_variable("region")


def local_session(key: AwsCredentials) -> Session:
    """A session with that key, and nothing of the developer's own."""
    import botocore.session

    from devbridge.cloud.models import LOADER

    # A profile that is named in the environment but does not exist would be an error here too.
    isolated = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    isolated.register_component("data_loader", LOADER)
    isolated.set_credentials(key.access_key, key.secret_key, key.token)
    return isolated


def _source(profile: str | None) -> str:
    return f"profile {profile}" if profile else "the environment and the default profile"


@contextmanager
def _or_locally(config: Config, endpoint_url: str | None) -> Iterator[None]:
    """Where AWS is only the default, and does not answer: the app may be on an embedded cloud."""
    try:
        yield
    except (CloudError, CredentialsError) as error:
        if endpoint_url is None and config.profile is None:
            aws = str(error.remedy).removesuffix(NO_ACCOUNT)
            if was_local(config):
                error.what = (
                    f"stage {config.stage!r} is on the embedded cloud; on AWS: {error.what}"
                )
                error.remedy = f"give --local; or, for AWS, {aws}"
            elif keys.has_run(config.cloud_dir):
                error.remedy = (
                    f"{aws}; or, if the app's embedded cloud is meant, give --local"
                    " (devbridge cloud start starts it)"
                )
        raise


@contextmanager
def _explained(profile: str | None, endpoint_url: str | None) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, RuntimeError) as error:
        explanation = explain(error, profile=profile, endpoint_url=endpoint_url)
        if explanation is None:
            raise
        raise explanation from error
