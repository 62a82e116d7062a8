from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.errors import DevbridgeError
from devbridge.live.launch_json import NotUnderstood, with_entry, write

ENTRY = {
    "name": "devbridge: Python",
    "type": "debugpy",
    "request": "attach",
    "connect": {"host": "127.0.0.1", "port": 41000},
}
NODE = {"name": "devbridge: Node.js", "type": "node", "request": "attach", "port": 9229}
OTHERS = """\
{
  // Use IntelliSense.
  "version": "0.2.0", /* as ever */
  "configurations": [
    // Ours.
    {
      "name": "app", "program": "${file}", // "configurations": []
      "args": ["a//b", "/* no comment */", "\\"}"],
    },
  ],
}
"""


def test_a_file_is_made_where_there_is_none() -> None:
    text = with_entry("", ENTRY)
    assert json.loads(text) == {"version": "0.2.0", "configurations": [ENTRY]}
    assert '\n        {\n            "name": "devbridge: Python",' in text
    assert text.endswith("        }\n    ]\n}\n")


def test_another_entry_is_added_and_all_else_stays() -> None:
    text = with_entry(OTHERS, ENTRY)
    before, after = OTHERS.split('"configurations": [', 1)
    assert text.startswith(f'{before}"configurations": [')
    assert text.endswith(after)
    added = text[len(f'{before}"configurations": [') : -len(after)]
    assert added.endswith(",")
    assert json.loads(added[:-1]) == ENTRY
    both = with_entry(text, NODE)
    assert with_entry(with_entry(both, ENTRY), NODE) == both


def test_of_an_entry_that_is_there_only_the_port_changes() -> None:
    mine = with_entry(OTHERS, ENTRY).replace('"attach"', '"attach", // mine\n "justMyCode": false')
    moved = with_entry(mine, {**ENTRY, "connect": {"host": "127.0.0.1", "port": 7}})
    assert moved == mine.replace("41000", "7")
    node = with_entry("", NODE)
    assert with_entry(node, {**NODE, "port": 9230}) == node.replace("9229", "9230")


def test_an_entry_without_a_port_is_the_developers_own() -> None:
    text = '{"configurations": [{"name": "devbridge: Python"}]}'
    assert with_entry(text, ENTRY) == text


@pytest.mark.parametrize("text", ["{}", "{ }", '{"version": "0.2.0"}', '\ufeff{"inputs": []}'])
def test_configurations_are_begun_where_there_are_none(text: str) -> None:
    made = json.loads(with_entry(text, ENTRY).lstrip("\ufeff"))
    assert made.pop("configurations") == [ENTRY]
    assert made == json.loads(text.lstrip("\ufeff"))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"configurations": {}}',
        '{"configurations": [}',
        '{"configurations": [',
        '{"a" 1}',
        "{a: 1}",
        "{} {}",
        "{'a': 1}",
        '{"a": "b}',
        "/* no end",
    ],
)
def test_what_is_not_understood_stays_as_it_is(text: str, tmp_path: Path) -> None:
    with pytest.raises(NotUnderstood):
        with_entry(text, ENTRY)
    path = tmp_path / ".vscode/launch.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DevbridgeError, match="cannot be changed") as raised:
        write(tmp_path, [ENTRY])
    assert "41000" in str(raised.value)
    assert path.read_text() == text


def test_the_file_is_the_apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = write(tmp_path, [ENTRY, NODE])
    assert said == '.vscode/launch.json has "devbridge: Python" and "devbridge: Node.js"'
    path = tmp_path / ".vscode/launch.json"
    assert json.loads(path.read_text())["configurations"] == [NODE, ENTRY]
    was = path.stat().st_mtime_ns
    write(tmp_path, [ENTRY, NODE])
    assert path.stat().st_mtime_ns == was
    path.write_bytes(b"\xff")
    with pytest.raises(DevbridgeError, match="cannot be changed"):
        write(tmp_path, [ENTRY])
