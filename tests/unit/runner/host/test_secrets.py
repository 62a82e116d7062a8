from __future__ import annotations

from typing import Any

import pytest

from runner import aws
from runner.host import secrets
from runner.outcome import Failure
from runner.signed import AwsError


def answering(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def call(service: str, operation: str, **parameters: Any) -> Any:
        assert (service, operation) == ("ssm", "AmazonSSM.GetParameter")
        asked.append(parameters)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(aws, "call", call)
    return asked


def refusal(code: str) -> AwsError:
    error = AwsError(f"{code} no")
    error.code = code
    return error


def test_without_secrets_nobody_is_asked() -> None:
    assert secrets.fetch("") == {}


def test_each_variable_gets_its_parameters_value(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, {"Parameter": {"Value": "hunter2"}})
    assert secrets.fetch('{"A": "/a", "B": "/b"}') == {"A": "hunter2", "B": "hunter2"}
    assert asked == [{"Name": name, "WithDecryption": True} for name in ("/a", "/b")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ParameterNotFound", "A: there is no parameter /a; `devbridge secrets set` makes it"),
        ("AccessDenied", "A: the parameter /a cannot be read: AccessDenied no"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_name(
    monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    answering(monkeypatch, refusal(code))
    assert secrets.fetch('{"A": "/a"}') == Failure("SecretMissing", said)


def test_a_secret_without_a_value_is_told_with_the_command_that_sets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, refusal("ParameterNotFound"))
    missing = secrets.fetch('{"KEY": "/devbridge/shop/prod/secrets/api-key"}')
    assert isinstance(missing, Failure)
    assert "; `devbridge secrets set api-key --stage prod` makes it" in missing.message


def test_a_process_takes_its_own_and_forgets_how(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"Parameter": {"Value": "hunter2"}})
    environment = {"DEVBRIDGE_SECRETS": '{"A": "/a"}', "B": "b"}
    secrets.take(environment)
    assert environment == {"A": "hunter2", "B": "b"}
    answering(monkeypatch, refusal("ParameterNotFound"))
    with pytest.raises(secrets.SecretMissing, match="there is no parameter /a"):
        secrets.take({"DEVBRIDGE_SECRETS": '{"A": "/a"}'})
