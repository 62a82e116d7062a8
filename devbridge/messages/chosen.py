"""Which of a job's triggers is meant, and what is sent to it. Pure.

What is sent is what was given, or is made up: by the type of the job's payload, and so that the
trigger's own filter lets it pass.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devbridge.constructs import (
    Job,
    OnEvent,
    OnLoadBalancer,
    OnLog,
    OnObject,
    OnQueue,
    OnRequest,
    OnStream,
    OnTable,
    OnTopic,
    Schedule,
    Trigger,
)
from devbridge.constructs.triggers.batching import Batched
from devbridge.constructs.triggers.table import WHERE
from devbridge.errors import PayloadError, UnknownTrigger, did_you_mean
from devbridge.messages.log_lines import line
from devbridge.messages.patterns import matching, merge, plain
from devbridge.payload.example import example

SOURCE: Final = "devbridge.trigger"
DETAIL_TYPE: Final = "devbridge trigger"
"""Of an event whose pattern demands none."""
OBJECT: Final = b"put here by devbridge trigger\n"
_TEXTS: Final = (OnQueue, OnTopic, OnStream, OnLog, OnRequest, OnLoadBalancer)
"""What need not be sent JSON."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent."""

    value: Any
    """The message, an event's ``detail``, a schedule's payload, a request's body, a line of a log:
    a JSON value; of an object, what its key is to be, None for a new one each time; of a table
    ``{"event": "INSERT", "keys": {...}, "new": {...}, "old": {...}}``."""
    text: str = ""
    """A message as it was given, whose bytes are to stay."""
    data: bytes = OBJECT
    """Of an object."""
    event: Mapping[str, Any] | None = None
    """The event around the detail: its source, its type, and more that the pattern demands."""
    attributes: Mapping[str, Any] | None = None
    """Of a message."""
    given: bool = False
    """The user has said what is sent: whether the filter lets it pass is not known."""
    token: str = ""
    """What a request's authorizer is shown."""

    @property
    def body(self) -> str:
        """A message's text."""
        return self.text or json.dumps(self.value, ensure_ascii=False)

    @property
    def line(self) -> str:
        """The same, of a log."""
        return self.value if isinstance(self.value, str) else self.body


def choose(job: Job, name: str | None, kind: str | None) -> Trigger:
    """The trigger of that name or of that kind; without either, the only one.

    Raises:
        UnknownTrigger: there is none, or several.
    """
    found = [
        each
        for each in job.triggers
        if (name is None or each.label == name) and (kind is None or each.kind == kind)
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{each.label} ({each.kind})" for each in job.triggers)
    if not job.triggers:
        raise UnknownTrigger(
            f"{job} has no triggers",
            where=str(job.where),
            remedy=f"start it with devbridge invoke {job.name}, or give it triggers=[...]",
        )
    if found:
        what = f"{job} has {len(found)} triggers"
        what += f" of kind {kind}" if kind else ""
    else:
        meant = " and ".join(
            text for text in (f"called {name!r}" if name else "", f"of kind {kind}" if kind else "")
            if text
        )  # fmt: skip
        hint = did_you_mean(name, [each.label for each in job.triggers]) if name else ""
        if of_kind := [each.kind for each in job.triggers if each.label == name]:
            hint = f": that is of kind {of_kind[0]}"
        what = f"{job} has no trigger {meant}{hint}"
    raise UnknownTrigger(what, where=str(job.where), remedy=f"name one with --on: {listed}")


def content(
    trigger: Trigger,
    schema: Mapping[str, Any] | None,
    given: bytes | None,
    sets: Sequence[tuple[str, Any]] = (),
    key: str | None = None,
    token: str | None = None,
) -> Content:
    """What is sent to a trigger.

    Args:
        schema: of the job's payload, where it is known.
        given: what the user wants to be sent, in place of an example.
        sets: the places inside it that are to have another value: ``("items.0.price", 5)``.
        key: of an object.
        token: for a route's authorizer.

    Raises:
        PayloadError: it cannot be sent to this trigger.
    """
    if token is not None and not isinstance(trigger, OnRequest | OnLoadBalancer):
        raise _refused(trigger, "--token", "it is for triggers of kind request and load-balancer")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise _refused(trigger, "--token", "a header has ASCII's printable characters, in one line")
    if isinstance(trigger, OnObject):
        return _object(trigger, given, sets, key)
    if key is not None:
        raise _refused(trigger, "--key", "it is for triggers of kind object")
    if isinstance(trigger, OnEvent):
        return _event(trigger, _sample(trigger, schema), given, sets)
    if isinstance(trigger, OnTable):
        return _row(trigger, _sample(trigger, schema), given, sets)
    made = given is None
    value = _parsed(trigger, given) if given is not None else _made(trigger, schema)
    for path, one in sets:
        value = put(value, path, one)
    text = _text(trigger, given) if given is not None and not sets else ""
    attributes = _attributes(trigger)
    own = not made or bool(sets)
    return Content(value, text, attributes=attributes, given=own, token=token or "")


def payload(trigger: Trigger, sent: Content) -> Any:
    """What the handler gets of it, as far as that is the sender's."""
    return [sent.value] if _together(trigger) else sent.value


def set_value(text: str) -> tuple[str, Any]:
    """A place and its value, of ``key=value``: JSON, or a text where it is none.

    Raises:
        ValueError: there is no ``=``.
    """
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise ValueError(text)
    try:
        return path, json.loads(value)
    except (ValueError, RecursionError):
        return path, value


def put(value: Any, path: str, one: Any) -> Any:
    """A copy of a value with something else at a place inside it; what is missing is made.

    Raises:
        PayloadError: there is a value there that has no such places.
    """
    root = {"": copy.deepcopy(value)}
    holder: Any = root
    key: Any = ""
    for name in path.split("."):
        inner = holder[key]
        if inner is None or not isinstance(inner, dict | list):
            inner = holder[key] = {}
        holder, key = inner, int(name) if isinstance(inner, list) and name.isdigit() else name
        if isinstance(holder, list) and not (isinstance(key, int) and key <= len(holder)):
            raise PayloadError(
                f"--set {path}: {name!r} is no place in a list of {len(holder)}",
                remedy="give a number from 0 on: --set items.0.price=5",
            )
        if isinstance(holder, list) and key == len(holder):
            holder.append(None)
        elif isinstance(holder, dict):
            holder.setdefault(key, None)
    holder[key] = one
    return root[""]


def _made(trigger: Trigger, schema: Mapping[str, Any] | None) -> Any:
    """An example of what is sent."""
    if isinstance(trigger, Schedule):
        return json.loads(trigger.payload_text())
    if isinstance(trigger, OnLog):
        return _line(trigger)
    return _sample(trigger, schema)


def _sample(trigger: Trigger, schema: Mapping[str, Any] | None) -> Any:
    value = example(_of_one(trigger, schema)) if schema else {}
    if not schema:
        value = {"example": "of devbridge trigger"}
    return _fitted(value, _wanted(trigger))


def _of_one(trigger: Trigger, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of one record: a batch is a list of them."""
    if not _together(trigger):
        return schema
    items = schema.get("items")
    definitions = schema.get("$defs", {})
    return {**items, "$defs": definitions} if isinstance(items, Mapping) else {}


def _together(trigger: Trigger) -> bool:
    """Whether several records are one run."""
    return isinstance(trigger, Batched) and trigger.batch is not None


def _wanted(trigger: Trigger) -> Mapping[str, Any]:
    """The pattern of what is sent."""
    pattern: Any = None
    if isinstance(trigger, OnQueue):
        pattern = (trigger.filter or {}).get("body")
    elif isinstance(trigger, OnTopic) and trigger.filter_on == "body":
        pattern = trigger.filter
    elif isinstance(trigger, OnEvent):
        pattern = trigger.pattern.get("detail")
    elif isinstance(trigger, OnStream):
        pattern = (trigger.filter or {}).get("data")
    return pattern if isinstance(pattern, Mapping) else {}


def _fitted(value: Any, pattern: Mapping[str, Any]) -> Any:
    """The example, changed so that the pattern matches."""
    if not pattern:
        return value
    return merge(value if isinstance(value, dict) else {}, matching(pattern))


def _attributes(trigger: Trigger) -> dict[str, Any] | None:
    """Those of a message that its filter wants."""
    if isinstance(trigger, OnTopic) and trigger.filter and trigger.filter_on == "attributes":
        return matching(trigger.filter)
    wanted = (trigger.filter or {}).get("messageAttributes") if isinstance(trigger, OnQueue) else {}
    if not isinstance(wanted, Mapping):
        return None
    # As Lambda has them: {"name": {"stringValue": [...], "dataType": [...]}}.
    return {name: matching(each).get("stringValue", "text") for name, each in wanted.items()}


def _object(
    trigger: OnObject, given: bytes | None, sets: Sequence[tuple[str, Any]], key: str | None
) -> Content:
    for name, value in sets:
        if name != "key":
            raise _refused(trigger, f"--set {name}", "of an object, only its key can be set")
        key = str(value)
    if key is not None and not (key.startswith(trigger.prefix) and key.endswith(trigger.suffix)):
        wants = [f"begins with {trigger.prefix!r}"] if trigger.prefix else []
        wants += [f"ends with {trigger.suffix!r}"] if trigger.suffix else []
        raise _refused(trigger, f"key {key!r}", f"it hears of what {' and '.join(wants)}")
    return Content(key, data=OBJECT if given is None else given, given=given is not None)


def _event(
    trigger: OnEvent, sample: Any, given: bytes | None, sets: Sequence[tuple[str, Any]]
) -> Content:
    around = {"source": SOURCE, "detail-type": DETAIL_TYPE}
    merge(around, {k: v for k, v in matching(trigger.pattern).items() if k != "detail"})
    detail = sample
    if given is not None:
        detail = _parsed(trigger, given)
        if isinstance(detail, Mapping) and {"source", "detail"} <= detail.keys():
            merge(around, {key: value for key, value in detail.items() if key != "detail"})
            detail = detail["detail"]
    for path, one in sets:
        detail = put(detail, path, one)
    if not isinstance(detail, Mapping):
        raise _refused(trigger, f"detail {detail!r}", "EventBridge takes a JSON object")
    return Content(detail, event=around, given=given is not None or bool(sets))


def _line(trigger: OnLog) -> Any:
    if (found := line(trigger.pattern)) is None:
        why = f"what its pattern {trigger.pattern!r} matches is not easy to see"
        raise _refused(trigger, "an example", why, "give a line: --event FILE, or --event -")
    try:
        return json.loads(found)
    except ValueError:
        return found


def _row(
    trigger: OnTable, sample: Any, given: bytes | None, sets: Sequence[tuple[str, Any]]
) -> Content:
    """What becomes of a row. What was given is the row, or the payload that the handler gets."""
    value: dict[str, Any] = {"event": next(each for each in WHERE if each in trigger.where)}
    if given is not None:
        found = _parsed(trigger, given)
        if not isinstance(found, Mapping):
            raise _refused(trigger, "what was given", "a row is a JSON object")
        whole = found.get("event") in WHERE and isinstance(found.get("new", {}), Mapping | None)
        merge(value, found if whole else {"new": found})
    else:
        merge(value, _example_row(trigger, sample))
    for path, one in sets:
        value = put(value, path, one)
    rows = {name: value.get(name) or {} for name in ("keys", "new", "old")}
    if value["event"] not in WHERE:
        raise _refused(trigger, f"event {value['event']!r}", f"it is one of {', '.join(WHERE)}")
    for name, row in rows.items():
        if not isinstance(row, Mapping):
            raise _refused(trigger, f"{name} {row!r}", "a row is a JSON object")
    return Content({"event": value["event"], **rows}, given=given is not None or bool(sets))


def _example_row(trigger: OnTable, sample: Any) -> dict[str, Any]:
    """The rows of an example. What is a key is made when it is sent, each time another one."""
    table, wanted = trigger.table, matching(trigger.filter or {}).get("dynamodb", {})
    own = () if table.known else (table.partition_key, table.sort_key)
    found: dict[str, Any] = {}
    for name, image in (("keys", "Keys"), ("new", "NewImage"), ("old", "OldImage")):
        row = sample.get(name) if isinstance(sample, Mapping) else None
        row = {key: each for key, each in row.items() if key not in own} if row else {}
        typed = wanted.get(image)
        found[name] = merge(row, plain(typed)) if isinstance(typed, Mapping) else row
    return found


def _parsed(trigger: Trigger, given: bytes) -> Any:
    """What was given: its JSON value, else the text, where a text may be sent."""
    text = _text(trigger, given)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if isinstance(trigger, _TEXTS):
            return text
        raise _refused(trigger, "what was given", "it takes JSON") from None


def _text(trigger: Trigger, given: bytes) -> str:
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise _refused(trigger, "what was given", "it takes text in UTF-8") from None


def _refused(
    trigger: Trigger,
    what: str,
    why: str,
    remedy: str = "leave it out for an example, or see devbridge trigger --help",
) -> PayloadError:
    return PayloadError(f"{what} cannot be sent to {trigger}", where=why, remedy=remedy)
