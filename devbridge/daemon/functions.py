"""What the app's functions print in the cloud, told as it comes.

Their log groups are asked in turn, as CloudWatch Logs has no other way that costs nothing: see
`devbridge.runs.log_turns`. Of the invokers, whose group all of them share, only errors are told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge.daemon.narrator import Narrator
from devbridge.daemon.told import Began, FunctionPrinted, Mood, NeverStarted, Told, Waits
from devbridge.errors import DevbridgeError
from devbridge.runs.function_output import THROTTLED
from devbridge.runs.lambda_log import IsApps, Shown, shown
from devbridge.runs.log_events import Clock, Group, LogEvent
from devbridge.runs.log_turns import Turns
from runner.outcome import Failure

LOOK: Final = 2.0
"""Seconds between looks at whether there are functions now."""
_ALL: Final = ""
_DENIED: Final = ("AccessDeniedException", "AccessDenied")


@dataclass(frozen=True, slots=True)
class Followed:
    """Whose log a group is."""

    function: str = ""
    """One of the app's functions; empty: the invokers', and each stream is named after one."""
    prefix: str = ""
    """What the names of invokers begin with: ``app_stage_``."""

    @property
    def rare(self) -> bool:
        """It hardly ever has anything that is told."""
        return not self.function

    def told(self, event: LogEvent, is_apps: IsApps) -> tuple[str, Shown] | None:
        """What is told of an event, and of which function."""
        said = shown(event.message, is_apps)
        if said is None or (self.rare and not isinstance(said, Failure)):
            return None
        named = event.stream.rpartition("/")[2].partition("[")[0].removeprefix(self.prefix)
        return self.function or named or "invokers", said


Groups = Mapping[str, Followed]
"""By their names."""


class FunctionLogs:
    """Follows the logs of the functions that there are (`devbridge.daemon.narrator.Listener`).

    Args:
        client: gives botocore's client of CloudWatch Logs, whose credentials may be renewed.
        groups: the groups now; the same value as long as nothing was deployed.
        explain: our error for one of botocore's about credentials or the connection.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        groups: Callable[[], Groups],
        narrator: Narrator,
        *,
        is_apps: IsApps,
        explain: Callable[[Exception], DevbridgeError | None],
    ) -> None:
        self._client = client
        self._groups = groups
        self._narrator = narrator
        self._is_apps = is_apps
        self._explain = explain
        self._began = time.time()
        self._clock = Clock()
        self._logs: dict[str, Group] = {}
        self._turns = Turns(time.monotonic())
        self._news = asyncio.Event()
        self._wrong: dict[str, tuple[str, str]] = {}
        """What keeps a group, or all of them, from being read: whose that is, and what was said."""

    def on(self, event: Told) -> None:
        """Look soon when somebody has called something: a function may have been it."""
        if isinstance(event, Began | Waits | NeverStarted):
            self._turns.happened(time.monotonic())
            self._news.set()

    async def follow(self) -> None:
        """Tell what comes, for ever."""
        known: Groups | None = None
        while True:
            groups = self._groups()
            if groups is not known:
                known = groups
                self._keep(groups)
            turn = self._turns.next()
            if turn is None:
                await asyncio.sleep(LOOK)  # deployed by a save: nobody tells
                continue
            name, at = turn
            if (left := at - time.monotonic()) > 0:
                self._news.clear()
                await self._wait(min(left, LOOK))
                continue
            await self._read(name, groups[name])

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    def _keep(self, groups: Groups) -> None:
        self._logs = {name: log for name, log in self._logs.items() if name in groups}
        kept = {*groups, _ALL}
        self._wrong = {name: said for name, said in self._wrong.items() if name in kept}
        now = time.monotonic()
        self._turns.keep({name: followed.rare for name, followed in groups.items()}, now)
        self._turns.happened(now)

    async def _read(self, name: str, followed: Followed) -> None:
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = Group(self._client, name, self._began, self._clock)
        try:
            events = await asyncio.to_thread(log.read)
        except Exception as error:
            self._turns.refused(name, time.monotonic())
            self._say_what_is_wrong(name, followed, error)
            return
        for key in (name, _ALL):
            if whose := self._wrong.pop(key, ("", ""))[0]:
                self._narrator.say(f"what {whose} can be shown again", Mood.GOOD)
        told = [found for event in events if (found := followed.told(event, self._is_apps))]
        self._turns.answered(name, time.monotonic(), found=bool(events), more=log.more)
        for function in dict.fromkeys(function for function, _ in told):
            said = tuple(each for whose, each in told if whose == function)
            self._narrator.tell(FunctionPrinted(function, said))

    def _say_what_is_wrong(self, name: str, followed: Followed, error: Exception) -> None:
        """Once, until it is something else.

        Raises:
            Exception: it is none of the cloud's.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        key, whose = _ALL, "functions print"
        if isinstance(error, ClientError):
            answer = error.response.get("Error", {})
            code, why = str(answer.get("Code", "")), str(answer.get("Message", ""))
            if code in THROTTLED:
                return  # by all of the account: it is asked less often
            if code == "ResourceNotFoundException":
                key, whose = name, f"{followed.function or 'invokers'} prints"
            if code in _DENIED:
                why += " (allow yourself logs:FilterLogEvents: docs/deploying.md)"
        elif isinstance(error, BotoCoreError | OSError | RuntimeError):
            why = str(error)  # RuntimeError: no thread can be started, or botocore has no class
        else:
            raise error
        if explained := self._explain(error):
            why = explained.what
        if self._wrong.get(key) != (whose, why):
            self._wrong[key] = whose, why
            self._narrator.say(f"what {whose} cannot be shown now: {why}", Mood.WARN)
