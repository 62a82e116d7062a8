"""`devbridge dlq`, with queues in memory."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import dlq as module
from devbridge.cli import main
from devbridge.config import Config
from devbridge.testing import FakeClock
from tests.unit.cli.stage_of_queues import stage
from tests.unit.messages.fakes import FakeSqs


@pytest.fixture
def sqs(config: Config, monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    found = stage(module, config.root, monkeypatch).sqs
    found.clock = FakeClock(time.time() - 5400)
    return found


def dlq(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dlq", *arguments])


def as_json(*arguments: str) -> Any:
    done = dlq(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def add(sqs: FakeSqs, number: int) -> str:
    run = f"demo_ann_orders:{number}ead1d52-9a38"
    told = {"kind": "queue", "trigger": "incoming", "attempt": 3, "error": "ValueError: no"}
    return sqs.add("dead", f'{{"n": {number}}}', source="incoming", run=run, **told).id


def test_each_message_is_a_line_with_what_the_run_has_told(sqs: FakeSqs) -> None:
    run, moved = add(sqs, 1), sqs.add("dead", source="incoming").id
    head, *lines = dlq("list", "orders").stdout.splitlines()
    assert head.split() == ["ID", "WHEN", "ATTEMPTS", "RUN", "TRIGGER", "ERROR"]
    told = ["3", "1ead1d52", "queue incoming", "ValueError: no"]
    assert [line.split("  ") for line in map(_apart, lines)] == [
        [run[:8], "1 h ago", *told],
        [moved[:8], "1 h ago", "-", "-", "queue incoming", "its run could not be started"],
    ]


def _apart(line: str) -> str:
    """Columns apart by exactly two blanks."""
    return "  ".join(cell.strip() for cell in line.split("  ") if cell.strip())


def test_a_bound_is_kept_and_told(sqs: FakeSqs) -> None:
    for number in range(3):
        add(sqs, number)
    found = dlq("list", "orders", "--limit", "2")
    assert len(found.stdout.splitlines()) == 3
    assert found.stderr == "there may be more messages than were seen: --limit N\n"
    assert len(as_json("list", "orders")) == 3


def test_all_dead_letter_queues_are_listed_with_their_messages(sqs: FakeSqs) -> None:
    add(sqs, 1)
    lines = [_apart(line) for line in dlq("list").stdout.splitlines()]
    assert lines == [
        "QUEUE  MESSAGES  OLDEST  OF",
        "orders  1  1 h ago  job 'orders'",
        "thumbs  0  -  job 'thumbs'",
    ]
    one, two = as_json("list")
    assert (one["queue"], one["messages"], one["of"]) == ("orders", 1, ["job 'orders'"])
    assert one["oldest"].endswith("Z")
    assert two["oldest"] is None


def test_an_empty_queue_and_an_app_without_any_are_told(sqs: FakeSqs, config: Config) -> None:
    assert dlq("list", "orders").stdout == "no message is in the dead letters of orders\n"
    assert sqs.queues["dead"] == []
    (config.root / "app.py").write_text('from devbridge import App\n\napp = App("demo")\n')
    assert dlq("list").stdout.startswith("app.py has no dead-letter queue")
    assert as_json("list") == []


def test_a_message_is_shown_with_all_that_it_carries(sqs: FakeSqs) -> None:
    number = add(sqs, 1)
    sqs.queues["dead"][0].attributes["colour"] = {"DataType": "String", "StringValue": "red"}
    shown = dlq("show", "orders", number[:9]).stdout
    assert f"id                {number}\n" in shown
    assert "run               demo_ann_orders:1ead1d52-9a38\n" in shown
    assert "attribute colour  red\n" in shown
    assert shown.endswith('\n\n{\n  "n": 1\n}\n')
    assert as_json("show", "orders", number)["body"] == '{"n": 1}'


def test_an_error_of_several_lines_is_one_in_the_list_and_lines_where_it_is_shown(
    sqs: FakeSqs,
) -> None:
    error = "PayloadInvalid: no\n  where: $.n\n  to do: send it"
    number = sqs.add("dead", source="incoming", run="demo_ann_orders:1ead", error=error).id
    assert "PayloadInvalid: no; where: $.n; to do: send it\n" in dlq("list", "orders").stdout
    shown = dlq("show", "orders", number[:9]).stdout.splitlines()
    first = next(line for line in shown if line.startswith("error"))
    below = first.index("PayloadInvalid") * " "
    assert shown[shown.index(first) + 1 :][:2] == [
        below + "  where: $.n",
        below + "  to do: send it",
    ]


def test_a_message_that_is_no_json_is_shown_as_it_is_and_commands_no_terminal(sqs: FakeSqs) -> None:
    number = add(sqs, 1)
    sqs.queues["dead"][0].body = "{n: \x1b[2J"
    assert dlq("show", "orders", number[:9]).stdout.endswith("\n\n{n: \\x1b[2J\n")


def test_messages_are_sent_back_by_id_and_all(sqs: FakeSqs) -> None:
    ids = [add(sqs, number) for number in range(3)]
    assert dlq("redrive", "orders", ids[1][:9]).stdout == ("1 of 1 message redriven to incoming\n")
    assert dlq("redrive", "orders", "--all", "--dry-run").stdout == (
        "2 of 2 messages would be redriven to incoming\n"
    )
    assert as_json("redrive", "orders", "--all") == {
        "redriven": [ids[0], ids[2]],
        "to": {"incoming": 2},
        "kept": [],
        "dryRun": False,
    }
    assert [each.body for each in sqs.queues["incoming"]] == ['{"n": 1}', '{"n": 0}', '{"n": 2}']


def test_what_cannot_go_back_is_an_error_and_stays(sqs: FakeSqs) -> None:
    stays = sqs.add("dead", source="gone", run="r-1").id
    add(sqs, 1)
    done = dlq("redrive", "orders", "--all")
    assert done.exit_code == errors.EXIT_CLOUD
    assert done.stdout == "1 of 2 messages redriven to incoming\n"
    assert f"{stays}  stays: names a queue that is not this stage's" in done.stderr
    assert done.stderr.count("not this stage's") == 1
    assert f"devbridge dlq show orders {stays[:8]}" in done.stderr
    assert len(sqs.queues["dead"]) == 1


def test_ctrl_c_says_how_far_it_came_and_the_rest_is_still_there(sqs: FakeSqs) -> None:
    for number in range(3):
        add(sqs, number)
    deleted = iter([None, KeyboardInterrupt()])
    sqs.refuses = lambda operation: next(deleted) if operation == "DeleteMessage" else None  # type: ignore[assignment,return-value]
    done = dlq("redrive", "orders", "--all")
    assert done.exit_code == errors.EXIT_INTERRUPTED
    assert done.stdout == "1 of 1 message redriven to incoming\n"
    assert [each.visible_at <= sqs.clock() for each in sqs.queues["dead"]] == [True, True]


def test_messages_are_deleted_if_it_is_meant_so(sqs: FakeSqs) -> None:
    ids = [add(sqs, number) for number in range(3)]
    refused = dlq("purge", "orders", "--all")
    assert refused.exit_code == errors.EXIT_NOT_CONFIRMED
    assert "3 messages of the dead letters of orders are to go" in refused.stderr
    assert dlq("purge", "orders", "--all", "--dry-run").stdout == (
        "would delete 3 messages of the dead letters of orders\n"
    )
    assert len(sqs.queues["dead"]) == 3
    assert dlq("purge", "orders", ids[0], "--yes").stdout == (
        "deleted 1 message of the dead letters of orders\n"
    )
    assert as_json("purge", "orders", "--all", "--yes") == {"purged": ids[1:], "dryRun": False}
    assert dlq("purge", "orders", "--all").stdout == (
        "deleted 0 messages of the dead letters of orders\n"
    )
    assert as_json("purge", "orders", "--all") == {"purged": [], "dryRun": False}


@pytest.mark.parametrize("command", ["redrive", "purge"])
def test_which_messages_must_be_said(sqs: FakeSqs, command: str) -> None:
    number = add(sqs, 1)
    for arguments in ((), (number, "--all")):
        refused = dlq(command, "orders", *arguments)
        assert refused.exit_code == errors.EXIT_USAGE
        assert "name messages by their ids, or all of them with --all" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("list", "order"), "did you mean 'orders'?"),
        (("show", "orders", "zzz"), "no message has an id that begins with 'zzz'"),
        (("redrive", "orders", "zzz"), "no message has an id that begins with 'zzz'"),
    ],
)
@pytest.mark.usefixtures("sqs")
def test_what_is_not_there_is_told(arguments: tuple[str, ...], hint: str) -> None:
    refused = dlq(*arguments)
    assert refused.exit_code == errors.EXIT_NOT_FOUND
    assert hint in refused.stderr
