"""`devbridge secrets`: give the app's secrets their values, which are in no file of the app."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from devbridge import names, redaction
from devbridge.cli.common import app_options, cloud, loaded, print_json
from devbridge.cli.deploying import confirm
from devbridge.cli.text import table
from devbridge.errors import InvalidValue, NotFound
from devbridge.palette import ALWAYS

if TYPE_CHECKING:
    from devbridge.config import Config
    from devbridge.constructs import App


@click.group(
    epilog="""\b
Examples:
  devbridge secrets set stripe-key --stage prod
  devbridge secrets list --stage prod
"""
)
def secrets() -> None:
    """Set, list and remove the values of the stage's secrets.

    They are SSM parameters of type SecureString, one for each Secret of app.py and stage. What
    binds a secret reads it when it starts.
    """


@secrets.command(
    "set",
    epilog="""\b
Examples:
  devbridge secrets set stripe-key --stage prod              # asks for the value
  pass show stripe | devbridge secrets set stripe-key
  devbridge secrets set signing-key --file key.pem
""",
)
@click.argument("name")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the value from this file, as it is.",
)
@app_options
def set_(config: Config, *, name: str, file: Path | None) -> None:
    """Set a secret's value.

    It is asked for without showing it; or comes from standard input, where that is not a terminal,
    without its last line end; or from a file. It is never an argument, which other users of the
    machine could see. At most 4096 bytes.
    """
    from devbridge.daemon.secrets import touch
    from devbridge.deploy.secrets import defined, set_secret

    app = loaded(config)
    secret = defined(app, name)
    value = read_value(name, file)
    redaction.secret(value)
    with cloud(config, start=True) as there:
        set_secret(there, app.name, config.stage, name, value, secret.encryption_key)
    touch(config.secrets_mark)
    click.echo(f"set: {names.secret(app.name, config.stage, name)}")


@secrets.command("list")
@click.option("--json", "json_", is_flag=True, help='Print JSON: a list of {"name", "set"}.')
@app_options
def list_(config: Config, *, json_: bool) -> None:
    """List the app's secrets and whether they are set, never their values.

    Those that are set, and that app.py has no more, are there too: remove them.
    """
    from devbridge.deploy.secrets import stored

    app = loaded(config)
    with cloud(config, start=True) as there:
        known = set(stored(there, app.name, config.stage))
    defined = set(_names(app))
    listed = sorted(defined | known)
    if json_:
        print_json([{"name": name, "set": name in known} for name in listed])
    elif listed:
        click.echo(table(("NAME", "SET"), [(name, _word(name, defined, known)) for name in listed]))
    else:
        click.echo("app.py has no Secret")


@secrets.command("get")
@click.argument("name")
@app_options
def get(config: Config, *, name: str) -> None:
    """Print a secret's value."""
    from devbridge.deploy.secrets import defined, get_secret

    app = loaded(config)
    with cloud(config, start=True) as there:
        try:
            value = get_secret(there, app.name, config.stage, name)
        except NotFound:
            defined(app, name)
            raise
    # Programs get it as it is; a terminal does not obey it.
    click.echo(value if sys.stdout.isatty() else value.encode("utf-8", "surrogatepass"))


@secrets.command("remove")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@app_options
def remove(config: Config, *, name: str, yes: bool) -> None:
    """Remove a secret's value for good. Asks."""
    from devbridge.daemon.secrets import touch
    from devbridge.deploy.secrets import remove_secret

    app = loaded(config)
    where = names.secret(app.name, config.stage, name)
    with cloud(config, start=True) as there:
        if not yes:
            confirm(f"remove the value of {where} for good?", f"the value of {where} is to go")
        if not remove_secret(there, app.name, config.stage, name):
            raise NotFound(
                f"the secret {name!r} is not set at stage {config.stage!r}",
                where=where,
                remedy="see `devbridge secrets list`",
            )
    touch(config.secrets_mark)
    click.echo(f"removed: {where}")


def read_value(name: str, file: Path | None) -> str:
    """The value from a file, from standard input or from a prompt that does not show it.

    Raises:
        InvalidValue: it is not text in UTF-8.
    """
    if file is None and sys.stdin.isatty():
        return str(click.prompt(f"value of {name}", hide_input=True))
    data = sys.stdin.buffer.read() if file is None else file.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidValue(
            f"the secret's value is not text in UTF-8: {error.reason}",
            where=f"secret {name!r}, {file or 'standard input'}",
            remedy="encode it, for example with base64",
        ) from None
    return text if file is not None else text.removesuffix("\n").removesuffix("\r")


def _names(app: App) -> list[str]:
    from devbridge.constructs import Secret

    return [secret.name for secret in app.of_type(Secret)]


def _word(name: str, defined: set[str], known: set[str]) -> str:
    if name not in known:
        return ALWAYS.warn("not set")
    return "set" if name in defined else "set, but app.py has no such Secret"
