"""Changes: what becomes of each resource, worked out from a change set and two templates. Pure.

CloudFormation tells which resources change, not always whether that replaces them: what depends on
a value that is not known yet is "Conditional", and the embedded cloud says so of most types. So the
templates are compared here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from devbridge import names
from devbridge.deploy import iam_diff, kinds
from devbridge.deploy.moves import moved
from devbridge.deploy.references import attributes, references
from devbridge.deploy.resource_types import Renewed

Action = Literal["add", "change", "replace", "remove"]

LABELS: Final = "DevbridgeLabels"
"""Where a deployed template's Metadata has the constructs of its resources."""

UNKNOWN: Final = "Unknown"
"""The Replacement of a change that no change set has judged."""
_LOG: Final = "AWS::Logs::LogGroup"
_KEEPS: Final = ("Retain", "RetainExceptOnCreate")


@dataclass(frozen=True, slots=True)
class Change:
    """What will happen to one resource."""

    action: Action
    logical_id: str
    type: str
    label: str
    """The construct, as the user knows it."""
    reason: str = ""
    """Why it is replaced: the properties that force it; or what it follows, if nothing of its own
    changes; or what a change ends; or why it is made or removed, if its construct stays."""
    properties: tuple[str, ...] = ()
    """Those of its own that change."""
    iam: bool = False
    """Whether it says who may do what."""
    granted: tuple[str, ...] = ()
    """What is allowed from now on, in words."""
    revoked: tuple[str, ...] = ()
    """What is not allowed any more."""
    data: bool = False
    """Whether it holds data and is replaced or removed."""
    kept: bool = False
    """Whether the one that is replaced or removed goes on existing outside of the stack."""
    physical_id: str = ""
    """Its name in the cloud, if it exists."""


def labels_of(template: Mapping[str, Any]) -> Mapping[str, str]:
    """The constructs of a deployed template's resources: logical id -> construct."""
    found = (template.get("Metadata") or {}).get(LABELS)
    return found if isinstance(found, Mapping) else {}


def is_kept(resource: Mapping[str, Any], policy: str = "DeletionPolicy") -> bool:
    """Whether a template's resource stays when the stack does not have it any more."""
    return resource.get(policy) in _KEEPS


def all_added(new: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[Change, ...]:
    """The changes that make a whole template."""
    added = [
        {"Action": "Add", "LogicalResourceId": name, "ResourceType": resource["Type"]}
        for name, resource in new["Resources"].items()
    ]
    return changes_of(added, {}, new, labels)


def changes_of(
    items: Sequence[Mapping[str, Any]],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    labels: Mapping[str, str],
) -> tuple[Change, ...]:
    """The changes of a change set.

    Args:
        items: its ``ResourceChange`` s.
        old, new: the deployed template ({}: none) and the one that it becomes.
        labels: logical id -> construct, of the new template.
    """
    before, after = old.get("Resources") or {}, new.get("Resources") or {}
    labels = {**labels_of(old), **labels}
    said = _in_sentences(labels, {**before, **after})
    replaced, moves = _replaced(items, before, after, labels), moved(before, after, labels)
    found = []
    for item in items:
        if item["ResourceType"] == names.STAMP:
            continue
        name, kind = item["LogicalResourceId"], item["ResourceType"]
        was, will_be = before.get(name), after.get(name)
        action: Action
        reason = ""
        properties: tuple[str, ...] = ()
        match item["Action"]:
            case "Add":
                action = "add"
            case "Remove":
                action = "remove"
            case _:
                gone = name in replaced and not kinds.resource_type(kind).revised
                action = "replace" if gone else "change"
                properties = changed_properties(was or {}, will_be or {})
                reason = replaced[name] if gone else _meaning(item, was or {}, properties, labels)
        if action in ("add", "remove") and kind not in iam_diff.IAM_TYPES:
            reason = moves.get(labels.get(name, name), "")
        goes = action in ("replace", "remove")
        granted, revoked = _permissions(kind, action, was, will_be, said)
        policy = "DeletionPolicy" if action == "remove" else "UpdateReplacePolicy"
        judge = was if action == "remove" else will_be
        found.append(
            Change(
                action,
                name,
                kind,
                labels.get(name, name),
                reason=reason,
                properties=properties,
                iam=kind in iam_diff.IAM_TYPES,
                granted=granted,
                revoked=revoked,
                data=goes and kinds.resource_type(kind).holds_data,
                kept=goes and is_kept(judge or {}, policy),
                physical_id=item.get("PhysicalResourceId", ""),
            )
        )
    return tuple(found)


def _permissions(
    kind: str,
    action: Action,
    was: Mapping[str, Any] | None,
    will_be: Mapping[str, Any] | None,
    said: Mapping[str, str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is granted and what is revoked; nothing, where a type says nothing of that."""
    if kind not in iam_diff.IAM_TYPES:
        return (), ()
    old, new = None if action == "add" else was, None if action == "remove" else will_be
    return iam_diff.compare(old, new, said)


def _in_sentences(
    labels: Mapping[str, str], resources: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Labels that tell a construct from its log."""
    return {
        name: f"the log of {label}" if resources.get(name, {}).get("Type") == _LOG else label
        for name, label in labels.items()
    }


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ``ResourceChange`` s that a change set would have, as far as two templates tell.

    Whether another is made of a type that devbridge does not make is not known: its Replacement
    is `UNKNOWN`.
    """
    before, after = old.get("Resources") or {}, new.get("Resources") or {}
    items = [_item("Add", name, after[name]) for name in after.keys() - before.keys()]
    items += [_item("Remove", name, before[name]) for name in before.keys() - after.keys()]
    items += [
        _item("Modify", name, after[name], changed_properties(before[name], after[name]))
        for name in before.keys() & after.keys()
        if changed_properties(before[name], after[name])
    ]
    while True:
        replaced = _replaced(items, before, after, {})
        listed = {item["LogicalResourceId"] for item in items}
        causing = replaced.keys() | _renewed(items, before, after)
        followers = [
            {
                **_item("Modify", name, after[name]),
                "Details": [{"CausingEntity": cause} for cause in sorted(causes)],
            }
            for name in (before.keys() & after.keys()) - listed
            if (causes := causing & _all_of(after[name].get("Properties")))
        ]
        if not followers:
            return sorted(items, key=lambda item: str(item["LogicalResourceId"]))
        items += followers


def _item(
    action: str, name: str, resource: Mapping[str, Any], properties: Iterable[str] = ()
) -> dict[str, Any]:
    """A change as a change set has it."""
    details = [
        {"Target": {"Name": each, "RequiresRecreation": "Conditionally"}} for each in properties
    ]
    return {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": resource["Type"],
        "Replacement": UNKNOWN,
        "Details": details,
    }


def changed_properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what differs between two resources of templates, sorted."""
    was, will_be = old.get("Properties") or {}, new.get("Properties") or {}
    differing = {name for name in {*was, *will_be} if was.get(name) != will_be.get(name)}
    for attribute in ("Type", "DeletionPolicy", "UpdateReplacePolicy"):
        if old.get(attribute) != new.get(attribute):
            differing.add(attribute)
    return tuple(sorted(differing))


def _replaced(
    items: Iterable[Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
) -> dict[str, str]:
    """The resources that are replaced, each with the reason; those that follow from others, too."""
    modified = {item["LogicalResourceId"]: item for item in items if item["Action"] == "Modify"}
    renewed = _renewed(modified.values(), before, after)
    replaced: dict[str, str] = {}
    while True:
        gone = {*replaced, *renewed}
        found = {
            name: reason
            for name, item in modified.items()
            if (reason := _why(item, before.get(name, {}), after.get(name, {}), gone, labels))
        }
        if found == replaced:
            return found
        replaced = found


def _renewed(
    items: Iterable[Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> set[str]:
    """The ARNs that will be others, though their resources stay: ``NotesTable.StreamArn``."""
    return {
        f"{name}.{part.attribute}"
        for item in items
        if (name := item["LogicalResourceId"]) in before and name in after
        for part in _ended(item, before[name], changed_properties(before[name], after[name]))
    }


def _ended(
    item: Mapping[str, Any], was: Mapping[str, Any], changed: Sequence[str]
) -> Iterator[Renewed]:
    """The parts of a resource that it had, and that go with these properties."""
    for part in kinds.resource_type(item["ResourceType"]).renewed:
        if part.property in changed and part.property in (was.get("Properties") or {}):
            yield part


def _all_of(properties: object) -> set[str]:
    """What properties refer to: resources, and attributes of them."""
    return {*attributes(properties), *references(properties)}


def _why(
    item: Mapping[str, Any],
    was: Mapping[str, Any],
    will_be: Mapping[str, Any],
    gone: set[str],
    labels: Mapping[str, str],
) -> str:
    """Why a resource is replaced; "" if it is not.

    Args:
        gone: the resources that are replaced, and the ARNs that will be others.
    """
    told = item.get("Replacement")
    kind = item["ResourceType"]
    own = changed_properties(was, will_be)
    replacing = kinds.resource_type(kind).replacing
    if replacing is None:
        if told not in ("True", "Conditional", UNKNOWN) or (told == UNKNOWN and not own):
            return ""
        forcing = [name for name in _forcing(item) if name in own] or _forcing(item)
        if told == UNKNOWN:
            return f"perhaps, only CloudFormation knows: {', '.join(forcing)}"
        perhaps = "perhaps: " if told == "Conditional" else ""
        return perhaps + (", ".join(forcing) or "CloudFormation does not say which property")
    reasons = [name for name in own if name in replacing or name == "Type"]
    properties = will_be.get("Properties") or {}
    for name in sorted(replacing - set(reasons)):
        if followed := _all_of(properties.get(name)) & gone:
            owners = sorted({_owner(each, labels) for each in followed})
            reasons.append(f"{name} (of {', '.join(owners)}, which is replaced)")
    if not reasons and told == "True":
        reasons = _forcing(item) or ["CloudFormation does not say which property"]
    return ", ".join(reasons)


def _forcing(item: Mapping[str, Any]) -> list[str]:
    """The properties that force a replacement, as the change set tells."""
    targets = [detail.get("Target", {}) for detail in item.get("Details", ())]
    found = {
        requires: sorted(
            {
                str(target.get("Name") or target.get("Attribute"))
                for target in targets
                if target.get("RequiresRecreation") == requires
            }
        )
        for requires in ("Always", "Conditionally")
    }
    return found["Always"] or found["Conditionally"]


def _owner(reference: str, labels: Mapping[str, str]) -> str:
    """The construct that a resource is of; of an attribute, with its name."""
    name, _, attribute = reference.partition(".")
    label = labels.get(name, name)
    return f"{attribute} of {label}" if attribute else label


def _meaning(
    item: Mapping[str, Any],
    was: Mapping[str, Any],
    properties: Sequence[str],
    labels: Mapping[str, str],
) -> str:
    """What a change ends; of one that has no change of its own, what it follows."""
    if not properties:
        return _cause(item, labels)
    return ", ".join(part.note for part in _ended(item, was, properties))


def _cause(item: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """What a resource follows that has no change of its own."""
    causes = {
        str(detail.get("CausingEntity", "")).partition(".")[0] for detail in item.get("Details", ())
    }
    named = {labels.get(cause, cause) for cause in causes if cause}
    return f"follows {', '.join(sorted(named))}" if named else ""
