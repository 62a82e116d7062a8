"""`devbridge init`: a working app from a template, in an empty or new folder.

The templates are examples (a test holds them together); only the app's name differs.
"""

from __future__ import annotations

import os
import re
import shlex
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final

import click

from devbridge.constructs.values import APP_NAME, APP_NAME_ALLOWED
from devbridge.errors import DevbridgeError, InvalidValue

TEMPLATES: Final = {"python": "factorial", "typescript": "factorial-ts"}
"""The folders of the templates, and of the examples that they are, by what users call them."""
TEMPLATE_NAME: Final = "factorial-demo"
"""What an app is called of whose folder no name can be made."""
_RENAMED: Final = {"gitignore": ".gitignore"}


def name_of(template: str) -> str:
    """The name of a template's app, which the new app's name replaces."""
    return f"{TEMPLATES[template]}-demo"


def template_files(template: str = "python") -> dict[PurePosixPath, str]:
    """A template: each file's path in the new app, and its text."""
    found: dict[PurePosixPath, str] = {}

    def collect(folder: Traversable, at: PurePosixPath) -> None:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name == "__pycache__":
                continue
            path = at / _RENAMED.get(entry.name, entry.name)
            if entry.is_dir():
                collect(entry, path)
            else:
                found[path] = entry.read_text(encoding="utf-8")

    folder = resources.files("devbridge.cli") / "templates" / TEMPLATES[template]
    collect(folder, PurePosixPath())
    return found


def default_name(directory: Path) -> str:
    """An app's name made of a folder's name, or the template's where nothing can be made of it."""
    name = re.sub(r"[^a-z0-9]+", "-", directory.name.lower()).strip("-")
    name = re.sub(r"^[^a-z]+", "", name)[:32].rstrip("-")
    return name if APP_NAME.fullmatch(name) else TEMPLATE_NAME


def create(directory: Path, name: str, template: str = "python") -> list[Path]:
    """Write the template's files, all or none, and return their paths.

    Raises:
        InvalidValue: the name cannot be an app's.
        DevbridgeError: something is in the way, or the folder cannot be written.
    """
    if not APP_NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} cannot be an app's name",
            where="--name",
            remedy=f"allowed: {APP_NAME_ALLOWED}",
        )
    files = {directory / path: text for path, text in template_files(template).items()}
    in_the_way = _in_the_way(directory, files)
    if in_the_way:
        raise DevbridgeError(
            f"nothing was written: {', '.join(in_the_way)} would be overwritten",
            where=str(directory),
            remedy="move what is in the way, or name another folder: devbridge init DIR",
        )
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text.replace(name_of(template), name))
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise DevbridgeError(
            f"the app cannot be written: {error.strerror or error}",
            where=str(error.filename or directory),
            remedy="check the folder's permissions and the disk's free space",
        ) from error
    return written


def _in_the_way(directory: Path, files: dict[Path, str]) -> list[str]:
    """What exists where a file would be written, or is a file where a folder must be."""
    if os.path.lexists(directory) and not directory.is_dir():
        return [str(directory)]
    folders = {path.parent for path in files} - {directory}
    found = [path for path in files if os.path.lexists(path)]
    found += [folder for folder in folders if os.path.lexists(folder) and not folder.is_dir()]
    return sorted(path.relative_to(directory).as_posix() for path in found)


@click.command(
    epilog="""\b
Examples:
  devbridge init                     # here
  devbridge init hello               # in a new folder
  devbridge init hello --name greet  # with another name for the app
  devbridge init hello --template typescript
"""
)
@click.argument("directory", type=click.Path(path_type=Path), default=".", metavar="[DIR]")
@click.option("--name", help="The app's name (default: made of the folder's name).")
@click.option(
    "--template",
    type=click.Choice([*TEMPLATES]),
    default="python",
    show_default=True,
    help="The language of its job and its API.",
)
def init(directory: Path, name: str | None, template: str) -> None:
    """Create a working app in an empty folder.

    Writes an API, a long-running job and a table: an app that runs as it is. Nothing that is there
    is overwritten.
    """
    chosen = name if name is not None else default_name(directory.absolute())
    for path in create(directory, chosen, template):
        click.echo(f"created {path}")
    here = directory.resolve() == Path.cwd()
    enter = "" if here else f"cd {shlex.quote(str(directory))} && "
    click.echo(f"\n{chosen} is ready. Run it, without an AWS account:\n")
    if template == "typescript":
        click.echo(f"  {enter}npm install")
    click.echo(f"  {enter}devbridge dev --local")
    click.echo("\nand, when it says that it is ready, start a job from another terminal:\n")
    click.echo(f"  {enter}devbridge invoke factorial --payload '{{\"num\": 5}}'")
    click.echo("\nIts tests, once pytest is installed:\n")
    click.echo(f"  {enter}pytest")
