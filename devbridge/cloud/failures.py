"""What botocore's failures mean to the developer: one error of ours, with the command to run."""

from __future__ import annotations

import os
from pathlib import Path
from types import UnionType
from typing import Final

from devbridge import folders
from devbridge.cloud import keys
from devbridge.errors import CloudError, CredentialsError, DevbridgeError

NO_ACCOUNT: Final = "; or work without an account: --local"
"""Ends a remedy for who may have none."""

_EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
)
_INVALID: Final = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def explain(
    error: Exception, *, profile: str | None = None, endpoint_url: str | None = None
) -> DevbridgeError | None:
    """Our error for one of botocore's: credentials, or a cloud that can't be reached.

    None for what is neither: an answer of the service (access denied, not found) is for the
    caller, who knows what it asked.
    """
    from botocore import exceptions as botocore

    where = f"profile {profile}" if profile else "the environment and the default profile"
    if isinstance(error, botocore.ClientError):
        return _refused(error, profile, where, endpoint_url)
    if isinstance(error, botocore.ProfileNotFound):
        where = f"the profiles are: {', '.join(_profiles()) or 'none'}"
    if problem := _problem_of_credentials(error, profile):
        what, remedy = problem
        return CredentialsError(what, where=where, remedy=remedy)
    if isinstance(error, botocore.NoRegionError):
        return CloudError("no AWS region is set", where=where, remedy="give --region eu-west-1")
    if isinstance(error, botocore.ConnectionError | botocore.HTTPClientError):
        return CloudError(
            f"the cloud cannot be reached: {error}",
            where=endpoint_url or "AWS",
            remedy="is it running there? start one of your own: devbridge dev --local"
            if endpoint_url
            else "check the network, the proxy (HTTPS_PROXY) and --region",
        )
    return None


def _problem_of_credentials(error: Exception, profile: str | None) -> tuple[str, str] | None:
    """What is wrong with the developer's credentials, and what to do; None: it is not them."""
    from botocore import exceptions as botocore

    told = getattr(error, "kwargs", {})
    if isinstance(error, RuntimeError) and "still expired" in str(error):  # botocore has no class
        return "the AWS credentials have expired", renewal(profile)
    cases: tuple[tuple[type | UnionType, str, str], ...] = (
        (
            botocore.ProfileNotFound,
            f"there is no AWS profile {told.get('profile', profile)}",
            "name one of them with --profile, or create it: aws configure --profile NAME",
        ),
        (
            botocore.NoCredentialsError,
            "no AWS credentials were found",
            f"{_command('aws configure', profile)} (or aws configure sso){NO_ACCOUNT}",
        ),
        (
            botocore.PartialCredentialsError,
            f"the AWS credentials are incomplete: {told.get('cred_var')} is missing",
            _command("aws configure", profile),
        ),
        (
            botocore.SSOError | botocore.TokenRetrievalError,
            "the AWS SSO session has expired or was never started",
            _command("aws sso login", profile),
        ),
        (
            botocore.LoginError,
            "the AWS login session has expired or was never started",
            _command("aws login", profile),
        ),
        (
            botocore.CredentialRetrievalError
            | botocore.InvalidConfigError
            | botocore.ConfigParseError
            | botocore.InfiniteLoopConfigError
            | botocore.UnknownCredentialError,
            f"the AWS credentials could not be read: {error}",
            "correct what it names in ~/.aws/config or ~/.aws/credentials",
        ),
    )
    return next(((what, do) for kind, what, do in cases if isinstance(error, kind)), None)


def _refused(
    error: Exception, profile: str | None, where: str, endpoint_url: str | None
) -> CredentialsError | None:
    answer = getattr(error, "response", {}).get("Error", {})
    code, message = answer.get("Code", ""), answer.get("Message", "")
    if code in _EXPIRED:
        return CredentialsError(
            f"the AWS credentials have expired ({code})",
            where=where,
            remedy=renewal(profile),
        )
    if code in _INVALID and endpoint_url and keys.is_loopback(endpoint_url):
        return CredentialsError(
            f"the cloud there does not accept our key ({code}): {message}",
            where=endpoint_url,
            remedy="is it another user's, or was its folder deleted? stop it,"
            " or start one of your own: devbridge dev --local",
        )
    if code in _INVALID:
        return CredentialsError(
            f"AWS does not accept the credentials ({code}): {message}",
            where=where,
            remedy=renewal(profile),
        )
    return None


def renewal(profile: str | None) -> str:
    """The command that renews the credentials, by where they come from."""
    if profile is None and os.environ.get("AWS_ACCESS_KEY_ID"):
        return "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew"
    settings = _profiles().get(profile or "default", {})
    if "sso_session" in settings or "sso_start_url" in settings:
        return _command("aws sso login", profile)
    if "login_session" in settings:
        return _command("aws login", profile)
    return _command("aws configure", profile)


def _command(command: str, profile: str | None) -> str:
    return f"run {command}" + (f" --profile {profile}" if profile else "")


def _profiles() -> dict[str, dict[str, object]]:
    """The profiles of the developer's files, by name, with their settings."""
    from botocore.configloader import load_config, raw_config_parse
    from botocore.exceptions import BotoCoreError

    home = (folders.home() or Path("/")) / ".aws"
    config = os.environ.get("AWS_CONFIG_FILE") or str(home / "config")
    credentials = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials")
    found: dict[str, dict[str, object]] = {}
    for read, path in ((load_config, config), (raw_config_parse, credentials)):
        try:
            content = read(path)
        except BotoCoreError:  # it may be missing
            continue
        sections = content["profiles"] if read is load_config else content
        for name, settings in sections.items():
            if isinstance(settings, dict):
                found.setdefault(name, {}).update(settings)
    return found
