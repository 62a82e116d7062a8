"""Whose signature this cloud believes: a key's that it has issued itself.

ministack takes the keys ``test``, an empty one and any number of 12 digits for root's, whatever the
signature is; lets unsigned requests of some services through as root's; and derives a function's
credentials from names that are no secret. Here the root key is one random one, who signs with
nothing is nobody, and a function's credentials need the root's secret to be computed.
"""

from __future__ import annotations

import hmac
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from ..host import ministack

_ANONYMOUS: Final = "anonymous"

form_signer: ContextVar[str] = ContextVar("form_signer", default="")
"""The key that a form for S3 is signed with, which is in none of the request's headers."""


class Root(NamedTuple):
    """The root user's key."""

    access_key: str
    secret_key: str


def function_keys(secret: str, function_arn: str, role_arn: str) -> dict[str, str]:
    """The credentials of a function in its role: the same as long as the cloud's secret is."""

    def derive(what: str) -> str:
        message = f"{what}:{function_arn}:{role_arn}".encode()
        return hmac.digest(secret.encode(), message, "sha256").hex()

    return {
        "AWS_ACCESS_KEY_ID": f"ASIA{derive('key')[:16].upper()}",
        "AWS_SECRET_ACCESS_KEY": derive("secret"),
        "AWS_SESSION_TOKEN": derive("token"),
    }


def believe_only_signatures(root: Root) -> None:
    """Make ministack do so. Before anything is served."""
    iam = ministack("core.iam_evaluator")
    resolve_identity = iam.resolve_caller_identity

    def resolve_caller_identity(access_key_id: str) -> Any:
        if access_key_id != root.access_key:
            return resolve_identity(access_key_id)
        account = ministack("core.responses").get_account_id()
        return {
            "accessKey": access_key_id,
            "accountId": account,
            "userArn": f"arn:aws:iam::{account}:root",
            "userId": account,
            "principalOrgId": iam._principal_org_id(account),
            "session": None,
        }

    _replace(iam, "is_root_access_key", lambda _: False)
    _replace(iam, "resolve_caller_identity", resolve_caller_identity)
    _know_root(iam, root)
    _know_nobody(iam)
    _sign_mqtt(iam)
    _salt_functions(root)
    _leave_public_routes_public()


def _know_root(iam: Any, root: Root) -> None:
    resolve = iam.resolve_credential

    def resolve_credential(
        access_key_id: str,
        account_id: str | None = None,
        session_token: Any = iam._SESSION_TOKEN_NOT_CHECKED,
    ) -> Any:
        if access_key_id != root.access_key:
            return resolve(access_key_id, account_id, session_token)
        if refused := iam._validate_session_token(None, session_token):
            return refused
        account = account_id or ministack("core.responses").get_account_id()
        return iam.ResolvedCredential(
            access_key_id=access_key_id,
            secret_access_key=root.secret_key,
            account_id=account,
            principal_arn=f"arn:aws:iam::{account}:root",
            principal_id=account,
            principal_type="Root",
            source_access_key_id=access_key_id,
        )

    _replace(iam, "resolve_credential", resolve_credential)


def _know_nobody(iam: Any) -> None:
    """Who signs with nothing has what a resource's own policy gives to everybody (a bucket's, or a
    function's with a URL), and the operations that AWS's SDKs send unsigned."""
    resolve, check, enforce = iam.resolve_principal, iam.check_credentials, iam.enforce

    def resolve_principal(access_key_id: str, account_id: str, credential: Any = None) -> Any:
        signer = access_key_id or form_signer.get()
        if signer or credential:
            return resolve(signer, account_id, credential)
        return iam.PrincipalInfo(
            arn=_ANONYMOUS, type="Anonymous", account=account_id, policies=[], keys={}
        )

    def check_credentials(access_key_id: str, service: str | None = None) -> Any:
        if not access_key_id:
            return iam.AuthError("MissingAuthenticationToken", "the request is not signed")
        return check(access_key_id, service)

    def enforce_signed(
        access_key_id: str, iam_action: str, service: str, *rest: Any, **options: Any
    ) -> Any:
        anonymous = not access_key_id and iam._anonymous.get()
        if anonymous and iam._served_unsigned(service, iam_action):
            return None
        return enforce(access_key_id, iam_action, service, *rest, **options)

    _replace(iam, "resolve_principal", resolve_principal)
    _replace(iam, "check_credentials", check_credentials)
    _replace(iam, "enforce", enforce_signed)


def _sign_mqtt(iam: Any) -> None:
    authenticate = iam.authenticate_handshake

    def authenticate_handshake(scope: Mapping[str, Any], service: str | None = None) -> Any:
        checked = authenticate(scope, service)
        if checked is None and service == "iotdevicegateway":
            return iam.AuthError("MissingAuthenticationToken", "the handshake is not signed")
        return checked

    _replace(iam, "authenticate_handshake", authenticate_handshake)


def _salt_functions(root: Root) -> None:
    runtime = ministack("core.lambda_runtime")

    def execution_credentials(config: Mapping[str, Any]) -> dict[str, str]:
        account, _ = runtime._account_region_from_function_config(config)
        role_arn = str(config.get("Role", ""))
        keys = function_keys(root.secret_key, str(config.get("FunctionArn", "")), role_arn)
        role = role_arn.rpartition("/")[2]
        name = str(config.get("FunctionName", "function"))[:64]
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
            "UserId": f"{role}:{name}",
            "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": keys["AWS_SESSION_TOKEN"],
        }
        ministack("services.sts").register_session(keys["AWS_ACCESS_KEY_ID"], session)
        return keys

    _replace(runtime, "execution_credentials", execution_credentials)


def _leave_public_routes_public() -> None:
    """What ministack lets through as root's where nobody signs: an API's answer to a path that it
    does not have, and a function URL's to a preflight."""
    app = ministack("app")
    enforce_api, serve_url = app._enforce_execute_api, app._handle_lambda_url_request

    def enforce_execute_api(
        api_id: str, stage: str, method: str, path: str, *rest: Any, **options: Any
    ) -> Any:
        asked = options.get("iam_action", "execute-api:Invoke")
        found = app._execute_api_authorization_type(api_id, stage, method, path)
        if asked == "execute-api:Invoke" and found is None:
            return None
        return enforce_api(api_id, stage, method, path, *rest, **options)

    async def handle_lambda_url_request(host: str, path: str, method: str, *rest: Any) -> Any:
        parsed = app._parse_lambda_url(host, path)
        if parsed and method == "OPTIONS":
            lambdas = app._get_module("lambda_svc")
            resolved = lambdas.resolve_function_url(parsed[0])
            if resolved and resolved[4].get("Cors"):
                return await lambdas.handle_function_url_request(
                    parsed[0], method, parsed[1], *rest, resolved=resolved
                )
        return await serve_url(host, path, method, *rest)

    app._enforce_execute_api = enforce_execute_api
    app._handle_lambda_url_request = handle_lambda_url_request


def _replace(module: Any, name: str, new: Any) -> None:
    """Put it in the place of the old one, in every module of ministack that has that already."""
    old = getattr(module, name)
    for title, loaded in list(sys.modules.items()):
        if title.startswith("ministack") and vars(loaded).get(name) is old:
            setattr(loaded, name, new)
