"""What a function's answer says of a batch, with ReportBatchItemFailures. Pure.

"Success and failure conditions" of partial batch responses, AWS Lambda's developer guide ("Handling
errors for an SQS event source", and the same for Kinesis and DynamoDB).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

REPORTS: Final = "ReportBatchItemFailures"


def failures(answer: Any, ids: Collection[str]) -> frozenset[str]:
    """The ids of a batch that have failed: none, some, or, if the answer says nothing that is
    understood, all.

    Args:
        answer: what the function returned, or its JSON.
        ids: of the batch's messages or records.
    """
    everything = frozenset(ids)
    if isinstance(answer, str) and answer:
        try:
            answer = json.loads(answer)
        except ValueError:
            return everything
    if answer is None or answer == "":
        return frozenset()
    if not isinstance(answer, Mapping):
        return everything
    items = answer.get("batchItemFailures")
    if items is None:
        return frozenset()
    if not isinstance(items, list):
        return everything
    failed = {str(each.get("itemIdentifier")) for each in items if isinstance(each, Mapping)}
    understood = all(isinstance(each, Mapping) for each in items) and failed <= everything
    return frozenset(failed) if understood else everything
