from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbridge.cli.payload import check_accepted, check_json, read_payload
from devbridge.config import Config
from devbridge.errors import PayloadError, PayloadInvalid, PayloadNotJson
from devbridge.payload.encode import dump


def refusal(data: bytes) -> tuple[str, list[str]]:
    """The first line of the error, and the two lines that show the place."""
    with pytest.raises(PayloadNotJson) as caught:
        check_json(data, "--payload")
    first, *shown = caught.value.what.splitlines()
    assert caught.value.where == "--payload"
    assert len(shown) == 2
    return first, shown


@pytest.mark.parametrize("text", ["0", "false", '""', "null", " [1] ", '{"a": "\u2028\\ud800 😀"}'])
def test_json_of_every_kind_is_taken_as_it_is(text: str) -> None:
    assert check_json(text.encode(), "x") == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_whatever_devbridge_writes_is_json(value: object) -> None:
    text = dump(value).encode("utf-8", "backslashreplace").decode()
    assert check_json(text.encode(), "x") == text


def test_the_line_and_column_are_named_and_the_place_is_shown() -> None:
    first, shown = refusal(b'{\n  "num": 5,\n  num: 6\n}')
    assert first.startswith("the payload is not JSON: line 3, column 3: expecting property name")
    assert shown == ["      num: 6", "      ^"]


def test_only_the_neighbourhood_of_an_error_in_a_long_line_is_shown() -> None:
    first, (line, caret) = refusal(b'["' + b"x" * 100_000 + b'", oops, "' + b"y" * 1000 + b'"]')
    assert "line 1, column 100006" in first
    assert len(line) < 90
    assert line[caret.index("^") :].startswith("oops")


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(name: str) -> None:
    first, (line, caret) = refusal(f'{{"NaN": "{name}", "a": {name}}}'.encode())
    assert first.endswith(f"{name} is not a JSON value")
    assert line[caret.index("^") :] == f"{name}}}"


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    first, (line, caret) = refusal(b'{"a":\n "\xff"}')
    assert first == "the payload is not JSON: line 2, column 3: not UTF-8 (invalid start byte)"
    assert (line, caret) == ('     "', "      ^")


def test_control_characters_do_not_reach_the_terminal() -> None:
    _, (line, _) = refusal(b'{"a": \x1b[31mred}')
    assert line.strip() == '{"a":  [31mred}'


def test_nothing_at_all_is_not_json() -> None:
    first, _ = refusal(b"")
    assert first == "the payload is not JSON: line 1, column 1: expecting value"


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(PayloadNotJson, match="recursion"):
        check_json(b"[" * 200_000, "x")


def test_a_file_is_read_whatever_editor_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_bytes(b'\xef\xbb\xbf{"num": 5}\r\n')
    data, where = read_payload(f"@{path}")
    assert where == str(path)
    assert check_json(data, where) == '{"num": 5}\r\n'


def test_a_file_that_is_not_there_is_a_payload_error(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="No such file or directory"):
        read_payload(f"@{tmp_path}/nothing.json")


def test_a_payload_is_checked_with_the_types_that_were_found_last(config: Config) -> None:
    config.schemas.write_text('{"import-all": {"type": "integer"}}')
    check_accepted(config, "import-all", "5")
    check_accepted(config, "another", '"x"')
    with pytest.raises(PayloadInvalid, match="Expected `int`, got `str`") as refused:
        check_accepted(config, "import-all", '"x"')
    assert refused.value.remedy is not None
    assert refused.value.remedy.endswith("; or send it all the same: --no-check")


def test_where_no_types_are_known_anything_passes(config: Config) -> None:
    check_accepted(config, "import-all", '"x"')


def test_an_integer_that_lambda_would_not_read_is_refused_with_what_works() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # as the command line does
    try:
        with pytest.raises(PayloadNotJson) as caught:
            check_json(b'{"a": "%b", "b": -%b}' % (b"1" * 5000, b"2" * 5000), "--payload")
    finally:
        sys.set_int_max_str_digits(limit)
    assert "column 5016: an integer of more than 4,300 digits" in caught.value.what
    assert "it has 5,000" in caught.value.what
    assert caught.value.remedy == "send it as text: hex(number), which int(text, 16) reads"
