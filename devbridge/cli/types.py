"""`devbridge types`: the stubs that make type checkers and editors know the app."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from devbridge.cli.common import app_options, loaded, print_json
from devbridge.cli.deploying import types_of
from devbridge.errors import EXIT_ERROR, UnknownJob, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devbridge.config import Config
    from devbridge.types import JobTypes

_ALL: Final = "*"


@click.command(
    epilog="""\b
Examples:
  devbridge types
  devbridge types --check                       # writes nothing: 1 where a stub is out of date
  devbridge types --schema factorial            # JSON Schema of its payload and result
  devbridge types --schema | jq .factorial.payload

pyright and Pylance find the stubs by themselves; for mypy, write mypy_path = "typings" and
explicit_package_bases = true below [tool.mypy] in pyproject.toml.
"""
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; the exit code is 1 if a stub is missing or out of date.",
)
@click.option(
    "--schema",
    metavar="[JOB]",
    is_flag=False,
    flag_value=_ALL,
    help="Print the JSON Schema of the payload and result of JOB, or of all jobs; write nothing.",
)
@click.option("--python", metavar="PATH", help="The app's interpreter (default: the active venv).")
@app_options
def types(config: Config, *, check: bool, schema: str | None) -> None:
    """Make type checkers and editors know the app's jobs, payloads, results and resources.

    Writes stubs of devbridge.job and devbridge.resources below typings/. The types are those that
    the handlers declare: their modules are imported, in the app's own Python. `devbridge dev` and
    `devbridge deploy` do the same by themselves.
    """
    from devbridge.interpreter import verify_interpreter
    from devbridge.languages.probing import declarations
    from devbridge.types import outdated, write

    app = loaded(config)
    verify_interpreter(config.python)
    found = types_of(app, config)
    if schema is not None:
        print_json(_schemas(found, schema))
        return
    others = declarations(app, found)
    wrong = outdated(app, found, others)
    if check:
        for path in wrong:
            click.echo(f"out of date: {path}")
        if wrong:
            click.echo("to do: run `devbridge types`", err=True)
            sys.exit(EXIT_ERROR)
        return
    write(app, found, others)
    for path in wrong:
        click.echo(f"wrote {path}")
    if not wrong:
        click.echo("nothing to write: the stubs are up to date")


def _schemas(types: Mapping[str, JobTypes], job: str) -> dict[str, Any]:
    """What is printed of one job, or of all. What can be anything has an empty schema."""
    every = {
        name: {"payload": known.payload or {}, "result": known.result or {}}
        for name, known in types.items()
    }
    if job == _ALL:
        return every
    if job not in every:
        raise UnknownJob(
            f"the app has no job {job!r}{did_you_mean(job, every)}",
            where="--schema",
            remedy=f"use one of: {', '.join(every) or 'there is none'}",
        )
    return every[job]
