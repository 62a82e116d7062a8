"""What is known of a construct when it is deployed, and not before: its ARN, its role's, its name.

A reference stands for that text in `environment`, in `permissions` and in the app's outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from devbridge.constructs.where import here
from devbridge.errors import InvalidValue

VALUE_ALLOWED = "environment={'TABLE': notes.arn}, permissions or app.output('Table', notes.arn)"


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """One text of a construct, with more before and after it: ``bucket.arn + "/*"``.

    It is no text itself: what it stands for is known only to AWS.

    Raises:
        InvalidValue: on being put into a text by an f-string, `str` or `format`.
    """

    construct: object
    what: str
    """``arn``, ``role_arn``, ``table_name`` ...: the construct's attribute that gives it."""
    before: str = ""
    after: str = ""

    def __add__(self, text: object) -> Reference:
        """The same with a text behind it."""
        if not isinstance(text, str):
            return NotImplemented
        return replace(self, after=self.after + text)

    def __radd__(self, text: object) -> Reference:
        """The same with a text before it."""
        if not isinstance(text, str):
            return NotImplemented
        return replace(self, before=text + self.before)

    def __repr__(self) -> str:
        parts = (repr(self.before), f"{self.construct!r}.{self.what}", repr(self.after))
        return " + ".join(part for part in parts if part != "''")

    def __str__(self) -> str:
        raise self._is_no_text()

    def __format__(self, _spec: str) -> str:
        raise self._is_no_text()

    def _is_no_text(self) -> InvalidValue:
        own = f"{self.construct!r}.{self.what}"
        return InvalidValue(
            f"{own} is no text: what it is, is known when it is deployed",
            where=str(here()),
            remedy=f"add texts with '+', not in an f-string: {self.what} + '/*'; and give it to"
            f" {VALUE_ALLOWED}",
        )
