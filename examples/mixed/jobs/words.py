"""A job in Python: `api/count.ts` starts it."""

from collections import Counter
from dataclasses import dataclass

from devbridge.job import job_handler


@dataclass
class Text:
    text: str
    at_most: int = 3


@job_handler("words")
def handler(payload: Text) -> list[str]:
    counted = Counter(payload.text.lower().split())
    print(f"{counted.total()} words, {len(counted)} different ones")
    return [word for word, _ in counted.most_common(payload.at_most)]
