"""Which errors belong to an error: what caused it, what was being handled, the members of a group.

In the order in which they are told: what happened last comes first. There are at most some dozens,
however many there were: of a long chain its beginning and its end, of a large group its first
members. A group of one member (``asyncio.TaskGroup``) is told as that member, ``in`` its group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

MAX_CHAIN = 8
MAX_MEMBERS = 8
MAX_ALL = 32
"""Errors after which a chain is told by its two ends, and a group by the number of its members."""
MAX_DEPTH = 4
"""How deep groups are looked into."""
_OURS = "devbridge."
"""The modules of errors whose message says what they were made of."""
_T = TypeVar("_T")


class Related:
    """An error, and how it belongs to the one before it at the same depth."""

    def __init__(self, how: str, error: BaseException | None, depth: int) -> None:
        self.how = how
        self.error = error
        """None: only `how` is told, of errors that were left out."""
        self.depth = depth
        """In how many groups it is."""


def related(error: BaseException) -> tuple[BaseException, list[Related]]:
    """The error that is to be told first, and those that belong to it, in order."""
    walk = _Walk()
    first = walk.around(error, "", 0)
    return first, walk.found[1:]


def ends(items: Sequence[_T], most: int) -> tuple[Sequence[_T], int, Sequence[_T]]:
    """The first and the last of them, at most so many, and how many are left out in between."""
    if len(items) <= most:
        return items, 0, ()
    last = most // 2
    first = most - last
    return items[:first], len(items) - most, items[len(items) - last :]


class _Walk:
    def __init__(self) -> None:
        self.found: list[Related] = []
        self._seen: set[int] = set()
        """By identity: errors need not be hashable, and chains may be rings."""

    def around(self, error: BaseException, how: str, depth: int) -> BaseException:
        """Tell an error, and what belongs to it; the one that was told for it."""
        inner, groups = error, list[BaseException]()
        while (members := _members(inner)) and len(members) == 1:
            groups.insert(0, inner)
            inner = members[0]
        self._seen |= {id(inner), *map(id, groups)}
        self.found.append(Related(how, inner, depth))
        self._of_group(members, depth + 1)
        self._chain(inner, depth)
        first, left_out, last = ends(groups, MAX_CHAIN)
        for group in first:
            self._in(group, depth)
        self._left_out(left_out, depth)
        for group in last:
            self._in(group, depth)
        return inner

    def _in(self, group: BaseException, depth: int) -> None:
        self.found.append(Related("in", group, depth))
        self._chain(group, depth)

    def _of_group(self, members: Sequence[BaseException], depth: int) -> None:
        count = len(members)
        shown = 0
        for member in members[:MAX_MEMBERS]:
            if depth > MAX_DEPTH or len(self.found) >= MAX_ALL:
                break
            shown += 1
            self.around(member, f"{shown} of {count}:", depth)
        self._left_out(count - shown, depth)

    def _chain(self, error: BaseException, depth: int) -> None:
        links: list[tuple[str, BaseException]] = []
        while link := self._link(error):
            links.append(link)
            error = link[1]
        full = len(self.found) >= MAX_ALL
        first, left_out, last = ends(links, 2 if full else MAX_CHAIN)
        for how, each in first:
            self._linked(how, each, depth)
        self._left_out(left_out, depth)
        for how, each in last:
            self._linked(how, each, depth)

    def _link(self, error: BaseException) -> tuple[str, BaseException] | None:
        """What led to an error, as a traceback has it, if it was not told before."""
        how, found = "caused by", error.__cause__
        if found is None and not error.__suppress_context__:
            how, found = "during handling of", error.__context__
        if found is None or id(found) in self._seen or type(error).__module__.startswith(_OURS):
            return None
        self._seen.add(id(found))
        return how, found

    def _linked(self, how: str, error: BaseException, depth: int) -> None:
        members = _members(error)
        if len(members) == 1 and depth < MAX_DEPTH and len(self.found) < MAX_ALL:
            self.around(error, how, depth)
            return
        self.found.append(Related(how, error, depth))
        self._of_group(members, depth + 1)

    def _left_out(self, count: int, depth: int) -> None:
        if count:
            self.found.append(Related(f"and {count} more", None, depth))


def _members(error: BaseException) -> Sequence[BaseException]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()
