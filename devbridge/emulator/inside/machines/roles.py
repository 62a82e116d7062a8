"""The role of a machine: assumed by a service, and served to the machine's processes.

The container-credentials protocol of CodeBuild and ECS: SDKs ask again before a session ends.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..asgi import App, answer_json
from ..host import ministack
from .failure import Failure

CODEBUILD: Final = "codebuild.amazonaws.com"
TASKS: Final = "ecs-tasks.amazonaws.com"
HOSTS: Final = "ec2.amazonaws.com"
"""Who assumes the roles of builds, of tasks and jobs, and of instances."""
PATH: Final = "/_devbridge/credentials"
DURATION: Final = 3600
"""Seconds that a session of a machine's processes lasts."""
LONGEST: Final = 15 * 24 * 3600
"""Seconds that no machine outlasts: a Fargate task has 14 days, a build 36 hours."""
MARGIN: Final = 16 * 60
"""Seconds before its end at which a session is replaced: SDKs ask when 15 minutes are left."""


class Role:
    """One machine's sessions of a role."""

    def __init__(
        self,
        role_arn: str,
        session_name: str,
        *,
        source_arn: str,
        service: str = CODEBUILD,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Assume the role.

        Raises:
            Failure: there is no such role, or its trust policy does not admit the service.
        """
        self.token = secrets.token_urlsafe(32)
        """What a process must show to be given credentials."""
        self._arn = role_arn
        self._name = session_name
        self._now = now
        self._lock = threading.Lock()
        self._document: dict[str, str] = {}
        self._fresh_until = 0.0
        if not admits(role_arn, service, source_arn):
            name = "CodeBuild" if service == CODEBUILD else service
            raise Failure(
                "ACCESS_DENIED",
                f"{name} is not authorized to perform: sts:AssumeRole on service role"
                f" {role_arn}: verify that the role exists, and that its trust policy admits"
                f" {service}",
            )
        self.keys = self._session(now() + LONGEST)
        """The service's own, while the machine lasts: ``access``, ``secret``, ``token``."""

    def document(self) -> Mapping[str, str]:
        """What the credential endpoint answers now."""
        with self._lock:
            now = self._now()
            if now >= self._fresh_until:
                ends = now + DURATION
                keys = self._session(ends)
                self._fresh_until = ends - MARGIN
                self._document = {
                    "RoleArn": self._arn,
                    "AccessKeyId": keys["access"],
                    "SecretAccessKey": keys["secret"],
                    "Token": keys["token"],
                    "Expiration": datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            return dict(self._document)

    def close(self) -> None:
        """End the service's own session."""
        ministack("services.sts")._sessions.pop(self.keys["access"], None)

    def _session(self, ends: float) -> dict[str, str]:
        iam, sts = ministack("services.iam"), ministack("services.sts")
        keys = {
            "access": iam._gen_session_access_key(),
            "secret": iam._gen_secret(),
            "token": iam._gen_session_token(),
        }
        account, role = self._arn.split(":")[4], self._arn.rpartition("/")[2]
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{self._name}",
            "UserId": f"{sts._role_id(self._arn)}:{self._name}",
            "SecretAccessKey": keys["secret"],
            "SessionToken": keys["token"],
            "AccountId": account,
            "PrincipalType": "AssumedRole",
            "Expiration": ends,
        }
        sts.register_session(keys["access"], session)
        return keys


def _trust(role_arn: str) -> Any:
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return None
    role = ministack("services.iam")._roles.get_scoped(parts[4], None, parts[5].rpartition("/")[2])
    document = role and role.get("AssumeRolePolicyDocument")
    return json.loads(document) if isinstance(document, str) else document


def admits(role_arn: str, service: str, source_arn: str | None = None) -> bool:
    """Whether there is that role, and its trust policy lets a service itself in, such as CodeBuild:
    ministack's own check cannot tell. Without a source, whatever the policy's conditions are."""
    iam, trust = ministack("core.iam_evaluator"), _trust(role_arn)
    statements = (trust or {}).get("Statement", [])
    own = [
        {**statement, "Principal": "*", **({} if source_arn else {"Condition": {}})}
        for statement in (statements if isinstance(statements, list) else [statements])
        if iam._service_principal_matches(statement.get("Principal"), service)
    ]
    account = role_arn.split(":")[4] if role_arn.count(":") > 4 else ""
    context = iam.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region="",
        service_context={
            "aws:sourcearn": source_arn or "",
            "aws:sourceaccount": source_arn.split(":")[4] if source_arn else account,
        },
    )
    return bool(iam.evaluate_trust_policy({"Statement": own}, service, context))


class Register:
    """The roles of all that runs, by the tokens of its processes."""

    def __init__(self) -> None:
        self._roles: dict[str, Role] = {}

    def find(self, token: str) -> Role | None:
        """The role of what runs and has that token."""
        return self._roles.get(token)

    def add(self, role: Role) -> Callable[[], object]:
        """Make its credentials available; what it returns ends that."""
        self._roles[role.token] = role
        return lambda: self._roles.pop(role.token, None)


def served_by(app: App, find: Callable[[str], Role | None]) -> App:
    """The ASGI app with the credential endpoint in front. `find` gives the role of a token."""

    async def with_credentials(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        role = find(headers.get(b"authorization", b"").decode("latin-1"))
        content = role.document() if role else {"message": "unknown token"}
        await answer_json(send, 200 if role else 403, content)

    return with_credentials
