from __future__ import annotations

import json
from typing import Any

import pytest

from devbridge.emulator.inside.codebuild import variables
from devbridge.emulator.inside.codebuild.buildspec import Buildspec
from devbridge.emulator.inside.machines.failure import Failure


class Stores:
    """A Parameter Store and a Secrets Manager; `asked` is what was looked up."""

    def __init__(self, parameters: dict[str, str], secrets: dict[str, str]) -> None:
        self.parameters = parameters
        self.secrets = secrets
        self.asked: list[Any] = []

    def __call__(self, service: str) -> Stores:
        assert service in ("ssm", "secretsmanager")
        return self

    def get_parameters(self, **asked: Any) -> dict[str, Any]:
        assert asked["WithDecryption"]
        names = asked["Names"]
        self.asked.append(names)
        return {
            "Parameters": [
                {"Name": n.rpartition("parameter")[2], "ARN": n, "Value": self.parameters[n]}
                for n in names
                if n in self.parameters
            ],
            "InvalidParameters": [n for n in names if n not in self.parameters],
        }

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        self.asked.append(asked)
        return {"SecretString": self.secrets[asked["SecretId"]]}


def resolve(stores: Stores, **values: tuple[str, str]) -> dict[str, str]:
    return variables.resolved(values, stores, lambda _: None)


def test_the_builds_own_count_more_than_the_buildspecs() -> None:
    record = {
        "environment": {"environmentVariables": [{"name": "A", "type": "PLAINTEXT", "value": "b"}]}
    }
    spec = Buildspec(
        variables={"A": "s", "B": "s"}, parameters={"C": "/c"}, secrets={"A": "x", "D": "d"}
    )
    assert variables.declared(record, spec) == {
        "A": ("PLAINTEXT", "b"),
        "B": ("PLAINTEXT", "s"),
        "C": ("PARAMETER_STORE", "/c"),
        "D": ("SECRETS_MANAGER", "d"),
    }


def test_plain_values_ask_nobody() -> None:
    stores = Stores({}, {})
    assert resolve(stores, A=("PLAINTEXT", "a")) == {"A": "a"}
    assert stores.asked == []


def test_parameters_are_asked_for_ten_at_a_time_and_each_once() -> None:
    names = {f"/p{n:02}": str(n) for n in range(11)}
    stores = Stores(names, {})
    wanted = {f"V{n}": ("PARAMETER_STORE", name) for n, name in enumerate([*names, "/p00"])}
    found = resolve(stores, **wanted)
    assert [found[f"V{n}"] for n in range(12)] == [*map(str, range(11)), "0"]
    assert [len(asked) for asked in stores.asked] == [10, 1]


def test_a_parameter_can_be_named_by_its_arn() -> None:
    arn = "arn:aws:ssm:eu-west-1:1:parameter/a"
    assert resolve(Stores({arn: "x"}, {}), A=("PARAMETER_STORE", arn)) == {"A": "x"}


def test_a_parameter_that_is_not_there_is_named() -> None:
    with pytest.raises(Failure, match="parameter does not exist: /no") as caught:
        resolve(Stores({}, {}), A=("PARAMETER_STORE", "/no"))
    assert caught.value.code == "Decrypted Variables Error"


@pytest.mark.parametrize(
    ("reference", "value"),
    [("s", '{"k": "v", "n": [1]}'), ("s:k", "v"), ("s:n", "[1]")],
)
def test_a_secret_is_its_text_or_what_its_json_has_for_the_key(reference: str, value: str) -> None:
    stores = Stores({}, {"s": json.dumps({"k": "v", "n": [1]})})
    assert resolve(stores, A=("SECRETS_MANAGER", reference)) == {"A": value}


def test_a_version_of_a_secret_can_be_asked_for() -> None:
    stores = Stores({}, {"s": "x"})
    resolve(stores, A=("SECRETS_MANAGER", "s::AWSPREVIOUS:7"))
    assert stores.asked == [{"SecretId": "s", "VersionStage": "AWSPREVIOUS", "VersionId": "7"}]


@pytest.mark.parametrize("text", ["no JSON", "{}", "[]"])
def test_a_secret_without_the_key_is_named(text: str) -> None:
    with pytest.raises(Failure, match="the secret s has no text, or no JSON key 'k'"):
        resolve(Stores({}, {"s": text}), A=("SECRETS_MANAGER", "s:k"))
