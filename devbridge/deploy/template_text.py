"""A template's values as people read them: references by the names of their constructs. Pure.

In two steps: `text` is the same for the same value alone, so that texts can be compared; `named`
then calls by their names what only the template calls by its logical id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_MARK: Final = "\0"
"""Around a logical id, until it is named."""
_MARKED: Final = re.compile(rf"(?:(?<![\w:])[\w-]+:)?{_MARK}(\w+){_MARK}")
"""With the service of its ARN, which the construct's name says as well."""
_REFERENCE: Final = re.compile(r"\$\{([\w.:]+)\}")
_HERE: Final = re.compile(
    r"arn:(?:\$\{AWS::Partition\}|aws[\w-]*):([\w-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:"
)
"""What an ARN of this account and region begins with."""
_PSEUDO: Final[Mapping[str, str]] = {
    "AWS::AccountId": "this account",
    "AWS::NoValue": "nothing",
    "AWS::Partition": "aws",
    "AWS::Region": "this region",
    "AWS::StackId": "this stack",
    "AWS::StackName": "this stack",
    "AWS::URLSuffix": "amazonaws.com",
}
_OPERATORS: Final[Mapping[str, str]] = {
    "ArnEquals": "is",
    "ArnLike": "is like",
    "ArnNotEquals": "is not",
    "ArnNotLike": "is not like",
    "Bool": "is",
    "StringEquals": "is",
    "StringLike": "is like",
    "StringNotEquals": "is not",
    "StringNotLike": "is not like",
}
"""IAM's operators of conditions (IAM JSON policy elements: condition operators)."""


def text(value: object) -> str:
    """A value with references, as short as it is clear."""
    match value:
        case str():
            return _HERE.sub(r"\1:", value)
        case list():
            return ", ".join(map(text, value))
        case {"Fn::Sub": [str(template), Mapping() as values]}:
            return _substituted(template, values)
        case {"Fn::Sub": str(template)}:
            return _substituted(template, {})
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(map(text, parts))
    return _reference_of(value) or json.dumps(value, sort_keys=True)


def _reference_of(value: object) -> str:
    """What a value refers to that is nothing but a reference; "": it is something else."""
    match value:
        case {"Ref": str(name)}:
            return _reference(name)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return _dotted(f"{name}.{attribute}")
        case {"Fn::GetAtt": str(dotted)}:
            return _dotted(dotted)
        case {"Fn::ImportValue": imported}:
            return f"the export {text(imported)}"
    return ""


def named(said: str, labels: Mapping[str, str]) -> str:
    """The text with constructs in place of logical ids.

    Args:
        labels: logical id -> construct; one that has none keeps its id.
    """
    return _MARKED.sub(lambda found: labels.get(found[1]) or found[0].replace(_MARK, ""), said)


def condition(value: object) -> str:
    """A policy's condition in words; its parts must all hold."""
    if not isinstance(value, Mapping):
        return text(value)
    return " and ".join(
        f"{key} {_OPERATORS.get(operator, operator)} {' or '.join(map(text, _list(wanted)))}"
        for operator, keys in sorted(value.items())
        for key, wanted in sorted(keys.items())
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _reference(name: str) -> str:
    return _PSEUDO.get(name) or f"{_MARK}{name}{_MARK}"


def _dotted(text_: str) -> str:
    """``Table.Arn`` is the table."""
    name, _, attribute = text_.partition(".")
    return _reference(name) + (f".{attribute}" if attribute not in ("", "Arn") else "")


def _substituted(template: str, values: Mapping[str, object]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        return text(values[name]) if name in values else _dotted(name)

    return _REFERENCE.sub(value, _HERE.sub(r"\1:", template))
