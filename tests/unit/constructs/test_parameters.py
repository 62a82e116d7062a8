from __future__ import annotations

from typing import Any

import pytest

from devbridge import names
from devbridge.constructs import App, Config, Secret
from devbridge.errors import DuplicateName, InvalidValue


def test_a_secret_is_only_a_name(app: App) -> None:
    secret = Secret(app, "api-key")
    assert app.of_type(Secret) == [secret]
    value: Any = {"value": "s3cret"}
    with pytest.raises(TypeError, match="value"):
        Secret(app, "b", **value)


@pytest.mark.parametrize("value", ["", "eu", "x" * 1024, "ü" * 512, "two\nlines"])
def test_a_config_has_a_value(app: App, value: str) -> None:
    assert Config(app, "c", value=value).value == value


@pytest.mark.parametrize(
    "value", ["x" * 1025, "ü" * 513, "a\0b", "{{resolve:ssm:x}}", None, 3, b"x"]
)
def test_config_values_that_are_not_allowed_are_refused(app: App, value: Any) -> None:
    with pytest.raises(InvalidValue, match=r"Config 'c': value(.|\n)*at most 1024 bytes"):
        Config(app, "c", value=value)


def test_a_secret_and_a_config_may_have_the_same_name(app: App) -> None:
    secret, config = Secret(app, "x"), Config(app, "x", value="")
    assert (app.of_type(Secret), app.of_type(Config)) == ([secret], [config])
    assert (names.logical(secret), names.logical(config)) == ("XSecret", "XConfig")
    for again in (lambda: Secret(app, "x"), lambda: Config(app, "x", value="")):
        with pytest.raises(DuplicateName, match="has the same name"):
            again()
