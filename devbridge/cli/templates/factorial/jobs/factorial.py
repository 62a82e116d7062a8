"""The job: it may take hours. Save this file, and the next run has the new code."""

from dataclasses import dataclass

import boto3

from devbridge.job import job_handler
from devbridge.resources import Table


@dataclass
class Factorial:
    num: int


@job_handler("factorial")
def handler(payload: Factorial) -> int:
    if not 0 <= payload.num <= 1000:
        raise ValueError(f"num must be from 0 to 1000, not {payload.num}")
    print(f"computing {payload.num}!")

    result = 1
    for n in range(1, payload.num + 1):
        result *= n
        if n % 10 == 0:
            print(f"{n}! has {len(str(result))} digits")

    notes = boto3.resource("dynamodb").Table(Table.notes.table_name)
    notes.put_item(Item={"id": f"{payload.num}!", "value": str(result)})
    print(f"wrote {payload.num}! to the table")
    return result
