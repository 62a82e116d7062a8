"""Buildspec 0.2: YAML to what a build does. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from ..machines.failure import Failure

PHASES: Final = ("install", "pre_build", "build", "post_build")
DEFAULT_FILE: Final = "buildspec.yml"
_SHELLS: Final = {"sh": "/bin/sh", "/bin/sh": "/bin/sh", "bash": "bash", "/bin/bash": "bash"}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RUNTIMES: Final = "runtime-versions"
_IGNORED: Final = ("artifacts", "reports", "cache", "batch", "proxy", "run-as")


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a build: what it runs, and what follows when that fails."""

    commands: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    """``finally``: run after the commands, however they went."""
    go_on: bool = False
    """``on-failure: CONTINUE``: a failure does not keep the next phase from running."""
    abort: bool = False
    """``on-failure: ABORT``: after a failure nothing else runs, post_build neither."""


@dataclass(frozen=True, slots=True)
class Buildspec:
    """A buildspec as far as builds here obey it."""

    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By variable: the name in the Parameter Store."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """By variable: ``id[:json-key[:version-stage[:version-id]]]`` in Secrets Manager."""
    exported: tuple[str, ...] = ()
    shell: str = "/bin/sh"
    phases: Mapping[str, Phase] = field(default_factory=dict)
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """``runtime-versions``: which of those that its image has it asks for, by their names."""
    ignored: tuple[str, ...] = ()
    """What was asked for and is not done here."""


def is_inline(text: str) -> bool:
    """Whether the text of a project is a buildspec itself, and not the name of a file."""
    return "\n" in text.strip() or text.lstrip().startswith(("{", "version"))


def parse(text: str) -> Buildspec:
    """Read a buildspec.

    Raises:
        Failure: it is no YAML, or not what a buildspec must be.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _wrong(str(error).replace("\n", " ")) from None
    top = _mapping(document, "the buildspec")
    if str(top.get("version")) != "0.2":
        raise _wrong(f"unsupported version {top.get('version')!r}; 0.2 is supported")
    env = _mapping(top.get("env"), "env")
    exported = tuple(str(name) for name in env.get("exported-variables") or ())
    for name in exported:
        if not _NAME.fullmatch(name):
            raise _wrong(f"exported-variables: {name!r} is not a variable's name")
    shell = str(env.get("shell", "sh"))
    if shell not in _SHELLS:
        raise _wrong(f"env: unsupported shell {shell!r}")
    asked = _mapping(top.get("phases"), "phases")
    if unknown := [name for name in asked if name not in PHASES]:
        raise _wrong(f"unknown phase {unknown[0]!r}; allowed are {', '.join(PHASES)}")
    if not asked:
        raise _wrong("no phases are defined")
    return Buildspec(
        variables=_texts(env.get("variables"), "env: variables"),
        parameters=_texts(env.get("parameter-store"), "env: parameter-store"),
        secrets=_texts(env.get("secrets-manager"), "env: secrets-manager"),
        exported=exported,
        shell=_SHELLS[shell],
        phases={name: _phase(name, asked[name]) for name in PHASES if name in asked},
        runtimes=_runtimes(asked.get("install")),
        ignored=tuple(name for name in _IGNORED if name in top)
        + tuple(
            f"{name}: {key}"
            for name, phase in asked.items()
            for key, value in (phase or {}).items()
            if (
                key not in ("commands", "finally", "on-failure")
                and (name, key) != ("install", _RUNTIMES)
            )
            or (key == "on-failure" and value not in ("ABORT", "CONTINUE"))
        ),
    )


def _phase(name: str, value: object) -> Phase:
    phase = _mapping(value, name)
    on_failure = str(phase.get("on-failure", ""))
    if on_failure and not re.match(r"(ABORT|CONTINUE|RETRY.*)$", on_failure):
        raise _wrong(f"{name}: on-failure is {on_failure!r}; allowed are ABORT and CONTINUE")
    return Phase(
        commands=_commands(phase.get("commands"), f"{name}: commands"),
        last=_commands(phase.get("finally"), f"{name}: finally"),
        go_on=on_failure == "CONTINUE",
        abort=on_failure == "ABORT",
    )


def _runtimes(install: object) -> dict[str, str]:
    asked = _mapping(install, "install").get(_RUNTIMES)
    return _texts(asked, f"install: {_RUNTIMES}")


def _commands(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise _wrong(f"{where} must be a list of texts")
    for index, command in enumerate(value):
        if not isinstance(command, str):
            kind = type(command).__name__
            raise _wrong(f"expected {where}[{index}] to be of string type: found {kind}")
    return tuple(value)


def _texts(value: object, where: str) -> dict[str, str]:
    items = _mapping(value, where).items()
    return {str(key): _text(item, f"{where}: {key}") for key, item in items}


def _text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise _wrong(f"{where} must be a text")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(f"{where} must be a mapping")
    return value


def _wrong(what: str) -> Failure:
    return Failure("YAML_FILE_ERROR", what)
