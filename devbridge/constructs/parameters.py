"""Values that code reads at run time: Secret and Config."""

from __future__ import annotations

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable
from devbridge.constructs.references import Reference


class Secret(Bindable):
    """A secret value: an SSM SecureString, set with `devbridge secrets set`.

    It is in no template and in no environment variable; who binds it fetches it when it starts.

    Args:
        encryption_key: as for Table; it counts from the next `devbridge secrets set` on.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(self, app: App, name: str, *, encryption_key: str | None = None) -> None:
        super().__init__(app, name)
        self.encryption_key = self.key_of(encryption_key)
        self.register()

    @property
    def arn(self) -> Reference:
        """The ARN of its SSM parameter; never its value."""
        return Reference(self, "arn")

    @property
    def parameter_name(self) -> Reference:
        """The name of its SSM parameter."""
        return Reference(self, "parameter_name")


class Config(Bindable):
    """A value that is no secret: it is in the environment of who binds it.

    Args:
        value: at most 1024 bytes.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(self, app: App, name: str, *, value: str) -> None:
        super().__init__(app, name)
        fits = isinstance(value, str) and len(value.encode()) <= values.CONFIG_LIMIT
        if not fits or not values.plain(value):
            allowed = f"{values.PLAIN}, of at most {values.CONFIG_LIMIT} bytes"
            raise self.invalid("value", value, allowed)
        self.value = value
        self.register()
