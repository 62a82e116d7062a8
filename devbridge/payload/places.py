"""Where in a payload a problem is: msgspec and pydantic do not say it exactly. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

_ANY_KEY: Final = "[...]"
"""What msgspec writes for a key of a mapping, whichever it is."""


def by_path(value: Any, path: str, fails: Callable[[Any], bool]) -> str:
    """A path of msgspec's with the keys of mappings, which it does not name.

    Args:
        path: ``$.pets[...].name``
        fails: whether a payload has the same problem. It is asked about the payload with fewer
            keys.
    """
    steps: list[Any] = []
    node, rest = value, path.removeprefix("$")
    while rest:
        if rest.startswith(_ANY_KEY) and isinstance(node, dict) and node:
            keys = [*node]
            while len(keys) > 1:
                half = keys[: len(keys) // 2]
                still = fails(_replaced(value, steps, {key: node[key] for key in half}))
                keys = half if still else keys[len(half) :]
            step, rest = keys[0], rest[len(_ANY_KEY) :]
            value = _replaced(value, steps, {step: node[step]})
            if not fails(value):
                return path
        else:
            fitting = [step for step in _steps(node) if _begins(rest, written([step])[1:])]
            if not fitting:
                return path
            step = max(fitting, key=lambda step: len(str(step)))
            rest = rest[len(written([step])) - 1 :]
        steps.append(step)
        node = node[step]
    return written(steps)


def by_location(value: Any, location: Sequence[Any], given: Any, *, missing: bool) -> str:
    """The path that a location of pydantic's means. In it are the members of unions, their tags
    and more that is not in the payload.

    Args:
        given: the value there; if the last name is `missing`, what it is missing in.
    """
    last = location[-1:] if missing else ()
    failed: set[tuple[int, int]] = set()

    def walk(node: Any, at: int, *, exact: bool) -> list[Any] | None:
        if at == len(location) - len(last):
            return [] if not exact or node == given else None
        if (id(node), at) in failed:
            return None
        if location[at] in _steps(node):
            found = walk(node[location[at]], at + 1, exact=exact)
            if found is not None:
                return [location[at], *found]
        found = walk(node, at + 1, exact=exact)
        if found is None:
            failed.add((id(node), at))
        return found

    found = walk(value, 0, exact=True)
    if found is None:  # of a key: the value there is another
        failed.clear()
        found = walk(value, 0, exact=False) or []
    return written([*found, *last])


def written(steps: Sequence[Any]) -> str:
    """``$.pets[0].name``"""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _steps(node: Any) -> Iterator[Any] | range:
    """What leads further into a JSON value."""
    if isinstance(node, dict):
        return iter(node)
    return range(len(node)) if isinstance(node, list) else range(0)


def _begins(rest: str, step: str) -> bool:
    return rest.startswith(step) and rest[len(step) : len(step) + 1] in ("", ".", "[")


def _replaced(value: Any, steps: Sequence[Any], node: Any) -> Any:
    """The value with another one at a place."""
    if not steps:
        return node
    copy = value.copy()
    copy[steps[0]] = _replaced(value[steps[0]], steps[1:], node)
    return copy
