"""What the shell offers behind Tab: from files of the stage alone, as it must not take long."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from devbridge.config import Config

_RUNS: Final = 20


def other_stages(config: Config) -> list[str]:
    """The other stages that this folder knows of, by name."""
    folders = (path.parent for path in config.state_dir.glob("*/logs"))
    return sorted({folder.name for folder in folders} - {config.stage, config.cloud_dir.name})


Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offer(found: Callable[[Config, str], Iterable[CompletionItem]]) -> Offer:
    """Of what is found, what begins as what is typed. Nobody reads an error there: what cannot be
    read offers nothing."""

    @functools.wraps(found)
    def offered(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from devbridge.config import load_config

        try:
            config = load_config({"stage": ctx.params.get("stage")}, app=ctx.params.get("app"))
            items = list(found(config, incomplete.lower()))
        except Exception:
            return []
        return [item for item in items if item.value.startswith(incomplete.lower())]

    return offered


@_offer
def jobs(config: Config, _: str) -> Iterable[CompletionItem]:
    """The jobs, as `devbridge dev` or `devbridge deploy` has last seen them here."""
    return map(CompletionItem, json.loads(config.job_names.read_bytes()))


@_offer
def stages(config: Config, _: str) -> Iterable[CompletionItem]:
    """The stages that this folder knows of."""
    return map(CompletionItem, sorted({*other_stages(config), config.stage}))


@_offer
def runs(config: Config, typed: str) -> Iterable[CompletionItem]:
    """The newest live runs, the newest first, each with its job and state."""
    from devbridge.cli.text import ago
    from devbridge.runs.base import shortened
    from devbridge.runs.ledger_reader import LedgerReader
    from devbridge.runs.queued import Queued

    with LedgerReader.open(config.ledger) as book:
        entered = book.find(typed) if typed else book.recent(limit=_RUNS)
    known = {record.job_id for record in entered}
    waiting = (each for each in Queued(config.stage_dir).find(typed) if each.job_id not in known)
    records = [*waiting, *entered]
    ids, now = [record.job_id for record in records], time.time()
    for record in records:
        short = shortened(record.job_id, ids)
        when = ago(now - (record.created_at or now))
        shown = short if short.startswith(typed) else record.job_id
        yield CompletionItem(shown, help=f"{record.job} {record.state} {when}")
