"""`devbridge doctor`: what is installed, reachable and permitted; each line with a remedy."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge import __version__, proxies
from devbridge.cli.common import print_json, say_slow
from devbridge.cloud.last import was_local
from devbridge.config import Config, config_of, find_root
from devbridge.errors import EXIT_ERROR, AppNotFound, DevbridgeError
from devbridge.interpreter import Interpreter, verify_interpreter
from devbridge.palette import ALWAYS

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.constructs import App

ENOUGH_SPACE: Final = 500 * 1024 * 1024
"""Bytes free below which the logs of a day's runs may not fit."""
ACTIONS: Final = (
    "cloudformation:CreateChangeSet",
    "cloudformation:ExecuteChangeSet",
    "s3:CreateBucket",
    "s3:PutObject",
    "iam:CreateRole",
    "iam:PassRole",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "iot:DescribeEndpoint",
    "iot:Connect",
    "iot:Subscribe",
    "sts:AssumeRole",
)
"""What `devbridge dev` does first of all in an account; not everything that a stack may need."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. `ok` None: not known, or not needed yet; never a failure."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None


def check_app(root: Path, loaded: Callable[[App], None] = lambda _: None) -> Check:
    """Does app.py load?

    Args:
        loaded: takes the app.
    """
    from devbridge.constructs.load import load_app

    app = load_app(root, slow=say_slow)
    loaded(app)
    return Check("app", True, f"{app.name} ({root / 'app.py'})")


def check_languages(app: App) -> Iterator[Check]:
    """Are the tools there that the app's languages need?"""
    from devbridge.languages.probing import facts

    for fact in facts(app):
        yield Check(fact.name, fact.good, fact.text, fact.remedy or None)


def check_import(interpreter: Interpreter) -> Check:
    """Can the handlers import devbridge?"""
    if interpreter.has_devbridge:
        return Check("devbridge in it", True, "can be imported")
    return Check(
        "devbridge in it",
        False,
        "the app's Python cannot import devbridge, and so the handlers cannot",
        f"run {interpreter.path} -m pip install devbridge",
    )


def check_state_dir(config: Config) -> Check:
    """Can the state be written, and read by nobody else?"""
    directory = config.state_dir
    try:
        config.check_dirs()
    except DevbridgeError as error:
        return _failed("state", error)
    if not directory.exists():
        if os.access(config.root, os.W_OK):
            return Check("state", None, f"{directory} will be created by the first devbridge dev")
        return Check(
            "state", False, f"{config.root} cannot be written", f"run chmod u+w {config.root}"
        )
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            "state",
            False,
            f"{directory} cannot be written",
            f"is it another user's? run sudo chown -R $USER {directory}",
        )
    if directory.stat().st_mode & 0o077:
        return Check(
            "state", False, f"others can read {directory}", f"run chmod -R go-rwx {directory}"
        )
    return Check("state", True, f"{directory} is yours alone")


def check_proxies(shell: Mapping[str, str]) -> Iterator[Check]:
    """Which proxies does the shell name, and what is reached past them?"""
    if found := proxies.of(shell):
        named = ", ".join(f"{name}={proxies.shown(value)}" for name, value in found.items())
        past = proxies.past_proxies(shell)["NO_PROXY"].replace(",", ", ")
        yield Check("proxy", True, f"{named}; past it: {past}")


def check_fresh_jobs(config: Config) -> Iterator[Check]:
    """Which jobs of the last `devbridge dev` are started anew for each run, and why?"""
    try:
        found = json.loads(config.fresh_jobs.read_bytes())
    except (OSError, ValueError):
        return
    for job, why in sorted(found.items()) if isinstance(found, dict) else ():
        yield Check("slow start", None, f"{job} gets a fresh interpreter for each run: {why}")


def check_disk(path: Path) -> Check:
    """Is there room for logs and for the ledger?"""
    free = shutil.disk_usage(path).free
    detail = f"{free / 1e9:.1f} GB free"
    if free < ENOUGH_SPACE:
        return Check("disk", False, detail, f"make room on the disk of {path}")
    return Check("disk", True, detail)


def check_installed(interpreter: Interpreter) -> Check:
    """Is the embedded cloud installed, and does it import?"""
    from devbridge.emulator import install

    directory = install.environment_dir(interpreter.minor)
    python = install.installed(interpreter.minor)
    if python is None:
        return Check(
            "embedded cloud", None, "not installed: the first devbridge dev --local does it"
        )
    if not install.works(python):
        return Check("embedded cloud", False, f"{directory} is broken", f"run rm -r {directory}")
    return Check("embedded cloud", True, f"ministack {install.MINISTACK} in {directory}")


def check_iot(cloud: Cloud, timeout: float = 5.0) -> Check:
    """Can the MQTT broker be reached? `timeout` is in seconds."""
    from devbridge.transport import tunnel

    endpoint = cloud.iot_endpoint()
    host, port = endpoint.dial or (endpoint.host, 443)
    try:
        tunnel.connect(endpoint, timeout).close()
    except OSError as error:
        return Check(
            "iot",
            False,
            f"{host}:{port} cannot be reached: {error}",
            f"let the firewall pass outgoing connections to {host}, port {port}",
        )
    return Check("iot", True, f"{endpoint.host} answers on port {port}")


def actions_of(app: App | None) -> tuple[str, ...]:
    """The first things that `devbridge dev` does in an account for this app."""
    from devbridge.constructs import Job
    from devbridge.deploy.synth.compute.known import compute_of

    jobs = app.of_type(Job) if app else ()
    own = (action for job in jobs for action in compute_of(job).first)
    return tuple(dict.fromkeys([*ACTIONS, *own]))


def check_permissions(cloud: Cloud, actions: Sequence[str] = ACTIONS) -> Check:
    """What would IAM say to the first things that devbridge does? It may refuse to be asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    if cloud.principal_arn.endswith(":root"):
        return Check("permissions", True, "the root user may do everything")
    iam = cloud.client("iam")
    try:
        results = iam.simulate_principal_policy(
            PolicySourceArn=_policy_source(cloud.principal_arn, iam), ActionNames=list(actions)
        )["EvaluationResults"]
    except (BotoCoreError, ClientError) as error:
        return Check(
            "permissions",
            None,
            f"not known: {error}",
            "to have them checked, allow iam:SimulatePrincipalPolicy and iam:GetRole",
        )
    denied = [r["EvalActionName"] for r in results if r["EvalDecision"] != "allowed"]
    if denied:
        return Check(
            "permissions",
            False,
            f"{cloud.principal_arn} may not: {', '.join(denied)}",
            "ask the account's administrator for these",
        )
    return Check("permissions", True, f"{len(actions)} of {len(actions)} actions allowed")


def _policy_source(principal_arn: str, iam: Any) -> str:
    """IAM simulates users and roles: for a role's session, the role, whose ARN has its path."""
    match = re.fullmatch(r"arn:[\w-]+:sts::\d+:assumed-role/([^/]+)/.+", principal_arn)
    return str(iam.get_role(RoleName=match[1])["Role"]["Arn"]) if match else principal_arn


def _attempt(name: str, check: Callable[[], Check]) -> Check:
    """The check, or the failed one that its error makes."""
    try:
        return check()
    except DevbridgeError as error:
        return _failed(name, error)
    except Exception as error:  # the doctor reports; whatever it is, the other checks go on
        return Check(name, False, f"{type(error).__name__}: {error}")


def _failed(name: str, error: DevbridgeError) -> Check:
    where = f" ({error.where})" if error.where else ""
    return Check(name, False, f"{error.what}{where}", error.remedy)


def examine(root: Path, flags: dict[str, object], *, has_app: bool) -> Iterator[Check]:
    """All checks, one after the other; what depends on one that failed is left out."""
    yield Check(
        "devbridge", True, f"{__version__} on Python {platform.python_version()}, {os.name}"
    )
    apps: list[App] = []
    if has_app:
        yield _attempt("app", lambda: check_app(root, apps.append))
        for app in apps:
            yield from check_languages(app)
    else:
        yield Check(
            "app",
            False,
            f"no app.py in {root}, nor in a folder above",
            "go to the app's folder, name it with --app, or create an app: devbridge init",
        )
    try:
        config = config_of(root, flags, os.environ)
    except DevbridgeError as error:
        yield _failed("settings", error)
        return
    yield Check("settings", True, f"stage {config.stage}")
    yield from check_proxies(os.environ)
    told = config.local or config.endpoint or config.profile
    if not told and was_local(config):
        config = replace(config, local=True)
        yield Check("cloud", True, "the embedded one, as last time; AWS with --profile")
    if has_app:
        yield check_state_dir(config)
        yield check_disk(config.root)
        yield from check_fresh_jobs(config)
    yield from _examine_python(config)
    yield from _examine_cloud(config, apps[0] if apps else None)


def _examine_python(config: Config) -> Iterator[Check]:
    try:
        interpreter = verify_interpreter(config.python)
    except DevbridgeError as error:
        yield _failed("python", error)
        return
    version = ".".join(map(str, interpreter.version))
    yield Check("python", True, f"{version} ({interpreter.path})")
    yield check_import(interpreter)
    if config.local and config.endpoint is None:
        yield check_installed(interpreter)


def _examine_cloud(config: Config, app: App | None) -> Iterator[Check]:
    from devbridge.cloud.session import connect
    from devbridge.emulator.state import attach

    endpoint = config.endpoint
    if config.local and endpoint is None:
        running = attach(config)
        if running is None:
            yield Check(
                "running", None, "no: devbridge dev --local, or devbridge cloud start, starts it"
            )
            return
        endpoint = running.endpoint_url
        yield Check("running", True, f"{endpoint} (pid {running.pid})")
    try:
        cloud = connect(config, endpoint)
    except DevbridgeError as error:
        yield _failed("identity", error)
        return
    yield Check("identity", True, cloud.principal_arn)
    yield Check("region", True, cloud.region)
    yield _attempt("iot", lambda: check_iot(cloud))
    yield _attempt("permissions", lambda: check_permissions(cloud, actions_of(app)))


def line(check: Check) -> str:
    """A check as it is printed, its remedy on a second line."""
    marks = {True: ALWAYS.good("ok  "), False: ALWAYS.bad("FAIL"), None: "-   "}
    mark = marks[check.ok]
    text = f"{mark}  {check.name:<16} {check.detail}"
    return text + (f"\n{'':<23}to do: {check.remedy}" if check.remedy else "")


@click.command(
    epilog="""\b
Examples:
  devbridge doctor --local
  devbridge doctor --profile dev --region eu-west-1
  devbridge doctor --json | jq '.[] | select(.ok == false)'
"""
)
@click.option(
    "--app",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The app's folder: the one with app.py (default: here, or the nearest above).",
)
@click.option("--stage", help="The stage (default: your user name).")
@click.option("--local", is_flag=True, default=None, help="Check the embedded cloud, not AWS.")
@click.option("--endpoint", metavar="URL", help="Check the AWS-compatible cloud at this URL.")
@click.option("--profile", help="The AWS profile.")
@click.option("--region", help="The AWS region.")
@click.option("--python", metavar="PATH", help="The app's interpreter.")
@click.option("--json", "json_", is_flag=True, help="Print JSON: a list of checks.")
@click.pass_context
def doctor(ctx: click.Context, /, app: Path | None, json_: bool, **flags: object) -> None:
    """Check what devbridge needs: installed, reachable, permitted. Changes nothing.

    Ends with 1 if a check failed.
    """
    try:
        root, has_app = find_root(app), True
    except AppNotFound:
        root, has_app = (app or Path.cwd()).resolve(), False
    checks = []
    for check in examine(root, flags, has_app=has_app):
        checks.append(check)
        if not json_:
            click.echo(line(check))
    if json_:
        print_json([asdict(check) for check in checks])
    if any(check.ok is False for check in checks):
        ctx.exit(EXIT_ERROR)
