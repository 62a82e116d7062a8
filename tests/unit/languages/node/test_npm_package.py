"""The npm package: its own tests, and that it agrees with what Python has."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from freezegun import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

import devbridge
from devbridge import errors
from devbridge.errors import PayloadInvalid
from devbridge.languages.python.probe_script import describe
from devbridge.payload.check import FILE, compiled
from devbridge.types.resources import kinds, properties
from devbridge.types.sender_schema import accepted
from tests.node import NODE
from tests.unit.payload.test_check import MSGSPEC, PYDANTIC, anything, like

PACKAGE = Path(__file__).parents[4] / "devbridge" / "languages" / "node" / "package"


def asked(script: str, given: object) -> Any:
    """What a module that reads JSON from stdin, and may import from the package, prints as JSON."""
    head = (
        'import { readFileSync } from "node:fs";\n'
        "const given = JSON.parse(readFileSync(0, 'utf8'));\n"
        "const answer = (value) => process.stdout.write(JSON.stringify(value));\n"
    )
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", head + script],
        input=json.dumps(given),
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_its_own_tests_pass() -> None:
    files = sorted(str(file) for file in Path(__file__).parent.glob("package/*.test.mjs"))
    environment = {k: v for k, v in os.environ.items() if k != "NODE_OPTIONS"}
    done = subprocess.run(
        [NODE, "--test", *files], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout[-8000:]


def test_it_has_devbridge_s_version() -> None:
    found = json.loads((PACKAGE / "package.json").read_text())
    assert found["version"] == devbridge.__version__
    assert not any(kind.endswith("ependencies") for kind in found)


def test_its_errors_have_the_names_and_the_tree_of_python_s() -> None:
    script = """
        const found = await import("devbridge/job");
        const classes = Object.entries(found).filter(([, e]) => e.prototype instanceof Error);
        answer(classes.map(([name, e]) => [name, new e("x").name, Object.getPrototypeOf(e).name]));
    """
    for name, told, parent in asked(script, None):
        assert told == name
        own = getattr(errors, name)
        assert own.__mro__[1].__name__ == (parent if parent != "Error" else "Exception")


def test_it_has_the_kinds_and_properties_that_python_has() -> None:
    declared = (PACKAGE / "resources.d.ts").read_text()
    for kind, of in kinds().items():
        assert f'export declare const {kind}: Named<"{kind}", Bound{kind}>;' in declared
        (body,) = re.findall(rf"interface Bound{kind} \{{(.*?)\n\}}", declared, re.DOTALL)
        names = set(re.findall(r"readonly (\w+): string", body))
        expected = {each.name for each in properties(of).values()}
        assert names == ({"value"} if kind == "Secret" else expected)
    script = 'answer(Object.keys(await import("devbridge/resources")))'
    assert set(kinds()) <= set(asked(script, None))


# --- signatures -----------------------------------------------------------------------------------

REQUESTS = [
    ("POST", "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/a-b_c/invocations", "{}"),
    ("POST", "https://x/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu%3A1%3Afunction%3Aa/b", "é"),
    ("POST", "http://127.0.0.1:4566/", ""),
    ("GET", "https://host:8443/a%20b/%E2%82%AC/~x?b=2&a=1&a=0&c=%20%2F", ""),
]


@pytest.mark.parametrize(("method", "url", "body"), REQUESTS)
@pytest.mark.parametrize("token", [None, "a/token=="])
def test_requests_are_signed_as_botocore_signs_them(
    method: str, url: str, body: str, token: str | None
) -> None:
    headers = {"Content-Type": "application/json", "X-Amz-Target": "A.B", "x-amz-many": " a   b "}
    with freeze_time("2026-02-03 04:05:06"):
        request = AWSRequest(method=method, url=url, data=body.encode(), headers=headers)
        SigV4Auth(Credentials("AKID", "secret", token), "lambda", "eu-west-1").add_auth(request)
    script = """
        const { signed } = await import("./lib/sigv4.js");
        const url = new URL(given.url), date = new Date("2026-02-03T04:05:06Z");
        answer(signed({ ...given, url, date, service: "lambda", region: "eu-west-1" }));
    """
    keys = {"accessKeyId": "AKID", "secretAccessKey": "secret", "sessionToken": token}
    given = {"method": method, "url": url, "body": body, "headers": headers, "credentials": keys}
    found = asked(script, given)
    assert found["authorization"] == request.headers["Authorization"]
    assert found["x-amz-date"] == request.headers["X-Amz-Date"]
    assert found.get("x-amz-security-token") == request.headers.get("X-Amz-Security-Token")


# --- payloads -------------------------------------------------------------------------------------

SENT: list[dict[str, Any]] = [
    {"type": "string", "minLength": 2, "maxLength": 3},
    {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 2},
    {"type": "integer", "multipleOf": 2, "minimum": 1, "maximum": 9, "exclusiveMaximum": True},
    {"type": "number", "multipleOf": 0.01},
    {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": ["string", "null"]}},
    {"type": "object", "additionalProperties": False, "properties": {"a": {}}},
    {"type": "object", "minProperties": 1, "maxProperties": 2},
    {"allOf": [{"type": "string"}, {"pattern": r"^[\w.]+\n?\Z"}]},
    {"anyOf": [{"type": "string", "pattern": r"(?i)^[^a]$"}, {"type": "null"}]},
    {"enum": ["a", 1, None, True]},
    {"enum": ["it's", 'a "b"', "\n"]},
    {"not": {}},
    {"type": "array", "items": [{"type": "integer"}, {"enum": ["x"]}]},
]
"""Schemas as `devbridge.types.sender_schema` makes them."""
PAIR = len(SENT) - 1


def plain(value: Any) -> Any:
    """The value without what JavaScript reads in its own way: 1.0, 10**25, 1e-7, and the key "1",
    which comes first there."""
    match value:
        case bool():
            return value
        case float():
            rounded = round(value, 2)
            return rounded + 0.25 if rounded.is_integer() and abs(rounded) < 1e9 else 0.75
        case int():
            return value if abs(value) < 2**53 else 7
        case list():
            return [plain(item) for item in value]
        case dict():
            return {"one" if key == "1" else key: plain(item) for key, item in value.items()}
    return value


def parts_at(value: Any, path: str) -> Iterator[Any]:
    """The value with and without the other members of what is on the path, at each of its steps."""
    if isinstance(value, dict):
        for key in value:
            if path.startswith(f".{key}") or not path:
                for part in parts_at(value[key], path[len(key) + 1 :]):
                    yield {**value, key: part}
                    yield {key: part}
    elif isinstance(value, list) and (found := re.match(r"\[(\d+)\]", path)):
        at = int(found[1])
        for part in parts_at(value[at], path[found.end() :]):
            yield [*value[:at], part, *value[at + 1 :]]
    yield value


def verdict(schema: dict[str, Any], value: Any) -> list[str] | None:
    try:
        compiled("job", schema)(value)
    except PayloadInvalid as error:
        return [str(error.where), error.what]
    return None


def described(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a type's payloads look like, and what they are checked with."""

    def handler(payload: Any) -> None: ...

    handler.__annotations__["payload"] = kind
    handler.__devbridge_handler__ = handler  # type: ignore[attr-defined]
    found = describe(handler, "job")
    return found["payload"], accepted(found["payload"], found["checked"])


@pytest.mark.parametrize("kind", [*MSGSPEC, *PYDANTIC, *range(len(SENT))], ids=str)
def test_payloads_are_refused_for_the_same_reasons_at_the_same_paths(kind: Any) -> None:
    schema, checked = (SENT[kind], SENT[kind]) if isinstance(kind, int) else described(kind)
    values: list[Any] = []

    pairs = st.lists(anything | st.sampled_from(["x", 1]), max_size=3)

    @settings(max_examples=30)
    @given((like(schema, schema.get("$defs", {})) if kind != PAIR else pairs) | anything)
    def collect(value: Any) -> None:
        values.append(plain(json.loads(json.dumps(value))))

    collect()
    script = """
        const { checkBy } = await import("./lib/schema.js");
        const verdict = (value) => {
          try { checkBy("job", given.schema, value); return null; }
          catch (error) { if (!error.where) throw error; return [error.where, error.what]; }
        };
        answer(given.values.map(verdict));
    """
    found = asked(script, {"schema": checked, "values": values})
    for value, there in zip(values, found, strict=True):
        here = verdict(checked, value)
        if there != here and there is not None and here is not None:
            # Which one of several wrong members is told is a matter of chance in Python.
            assert there in [verdict(checked, part) for part in parts_at(value, there[0][1:])]
        else:
            assert there == here, value
    assert any(found)


def test_multiples_are_those_of_the_digits() -> None:
    pairs = [[0.3, 0.1], [19.01, 0.01], [-0.5, 0.1], [0, 0.1], [0.35, 0.1], [1e21, 7], [1e-7, 1e-8]]
    script = """
        const { isMultiple } = await import("./lib/decimal.js");
        answer(given.map(([value, of]) => isMultiple(value, of)));
    """
    assert asked(script, pairs) == [
        Decimal(repr(value)) % Decimal(repr(of)) == 0 for value, of in pairs
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"^\d+\Z", "\u0663", True),
        (r"^\w+\Z", "caf\u00e9", True),
        (r"^[\w-]+\n?\Z", "a-\u00e9\n", True),
        (r"^\W\Z", "\u00e9", False),
        (r"\A(?P<x>a)\Z", "a", True),
        (r"^[]a]+\Z", "]a", True),
        (r"^a{2}b{\Z", "aab{", True),
        (r"(?i)^AB\Z", "ab", True),
        (r"^(?P<x>a)(?P=x)\Z", "zz", True),  # it cannot be said in JavaScript: nothing is refused
        (r"^[[]\Z", "[", True),
    ],
)
def test_patterns_are_read_as_python_reads_them(pattern: str, text: str, fits: bool) -> None:
    script = """
        const { matcher } = await import("./lib/pattern.js");
        answer(matcher(given[0])?.test(given[1]) ?? true);
    """
    assert asked(script, [pattern, text]) is fits


def test_the_schemas_are_read_from_where_the_function_s_zip_has_them(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"my-job": {"type": "integer"}}))
    script = """
        process.env.LAMBDA_TASK_ROOT = given;
        const { check } = await import("./lib/schema.js");
        check("my_job", 1);
        check("other", "x");
        try { check("my_job", "x"); } catch (error) { answer([error.where, error.what]); }
    """
    found = asked(script, str(tmp_path))
    assert found == ["$", "the payload is not what job 'my-job' takes: Expected `int`, got `str`"]
