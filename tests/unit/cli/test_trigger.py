"""`devbridge trigger`, with AWS in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from devbridge import errors
from devbridge.cli import main
from devbridge.cli import trigger as module
from devbridge.config import Config
from tests.unit.cli.stage_of_queues import APP, stage
from tests.unit.messages.fakes import FakeCloud

SCHEMA = {"type": "object", "properties": {"num": {"type": "integer"}}, "required": ["num"]}
Deploy = Callable[[str], None]


@pytest.fixture
def there(config: Config, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    config.schemas.write_text(json.dumps({"orders": SCHEMA}))
    return stage(module, config.root, monkeypatch)


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Says how the stage was deployed: in the cloud, unless a test says otherwise."""

    def by(mode: str) -> None:
        monkeypatch.setattr("devbridge.deploy.stage_mode", lambda *_: mode)

    by("deployed")
    return by


def trigger(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["trigger", *arguments], input=stdin)


def bodies(there: FakeCloud, queue: str = "incoming") -> list[Any]:
    return [json.loads(each.body) for each in there.sqs.queues[queue]]


def test_an_example_goes_to_the_only_trigger_and_the_run_is_told(there: FakeCloud) -> None:
    done = trigger("orders")
    (message,) = there.sqs.queues["incoming"]
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(
        f"sent message {message.id} to queue incoming, starts run demo_ann_orders:"
    )
    assert bodies(there) == [{"num": 1}]


def test_another_message_is_given_by_file_by_standard_input_or_by_its_parts(
    there: FakeCloud, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_text('{"num": 2}')
    trigger("orders", "--event", str(tmp_path / "m.json"))
    trigger("orders", "--event", "-", stdin='{"num": 3}')
    trigger("orders", "--set", "num=4", "--set", "more.a=x")
    assert bodies(there) == [{"num": 2}, {"num": 3}, {"num": 4, "more": {"a": "x"}}]


def test_what_the_handler_would_refuse_is_not_sent(there: FakeCloud) -> None:
    refused = trigger("orders", "--set", "num=many")
    assert refused.exit_code == errors.EXIT_PAYLOAD
    assert "$.num" in refused.stderr
    assert bodies(there) == []
    assert trigger("orders", "--set", "num=many", "--no-check").exit_code == 0
    assert bodies(there) == [{"num": "many"}]


def test_many_are_sent_and_each_is_told(there: FakeCloud) -> None:
    done = json.loads(trigger("orders", "--count", "3", "--json").stdout)
    assert [each["id"] for each in done] == [each.id for each in there.sqs.queues["incoming"]]
    assert len({each["run"] for each in done}) == 3


def test_of_several_triggers_one_is_named(there: FakeCloud) -> None:
    refused = trigger("thumbs")
    assert refused.exit_code == errors.EXIT_NOT_FOUND
    assert "--on: files (object), paid (event), started (event)" in refused.stderr
    assert trigger("thumbs", "--kind", "object", "--key", "a.jpg").stdout == (
        "sent object a.jpg to bucket files\n"
    )
    done = trigger("thumbs", "--on", "started")
    assert "only AWS itself sends such events" in done.stderr
    assert [each["devbridge"]["name"] for each in bodies(there, "inbox")] == ["started"]


def test_the_raw_event_is_printed_and_nothing_is_sent(there: FakeCloud) -> None:
    done = trigger("orders", "--print", "--count", "2", "--set", "num=7")
    assert [json.loads(each["body"]) for each in json.loads(done.stdout)["Records"]] == [
        {"num": 7},
        {"num": 7},
    ]
    assert there.sqs.calls == []


def test_a_run_that_is_not_known_can_be_looked_for(there: FakeCloud) -> None:
    done = trigger("thumbs", "--kind", "object")
    assert "starts run" not in done.stdout
    assert done.stderr.endswith("not known here, see: devbridge jobs --job thumbs\n")
    assert "devbridge jobs" not in trigger("orders").stderr
    assert there.s3.calls == ["PutObject"]


def test_where_no_dev_runs_it_is_said_that_it_waits(
    there: FakeCloud, config: Config, deployed: Deploy
) -> None:
    assert there.sqs.calls == []
    assert trigger("orders").stderr == ""
    deployed("dev")
    done = trigger("orders")
    assert done.stderr == f"{module.WAITS}\n"
    assert "starts run demo_ann_orders:" not in done.stdout
    (config.lock).write_text(f"{os.getpid()}\n")
    assert trigger("orders").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("order",), errors.EXIT_NOT_FOUND, "did you mean 'orders'?"),
        (("orders", "--set", "num"), errors.EXIT_USAGE, "'num' is not KEY=VALUE"),
        (("orders", "--event", "no/such"), errors.EXIT_PAYLOAD, "file cannot be read"),
        (("orders", "--key", "x"), errors.EXIT_PAYLOAD, "for triggers of kind object"),
        (("orders", "--token", "x"), errors.EXIT_PAYLOAD, "of kind request and load-balancer"),
        (("orders", "--token", "@no/such"), errors.EXIT_PAYLOAD, "the token's file cannot be read"),
        (("orders", "--kind", "letter"), errors.EXIT_USAGE, "'stream', 'table', 'log'"),
    ],
)
@pytest.mark.usefixtures("there")
def test_bad_input_is_one_clear_error(arguments: tuple[str, ...], code: int, what: str) -> None:
    refused = trigger(*arguments)
    assert refused.exit_code == code
    assert what in refused.stderr


class Shown:
    """What `content` was given as the token."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from devbridge.messages import chosen

        self.tokens: list[str | None] = []
        real = chosen.content

        def content(trigger: Any, *given: Any) -> Any:
            self.tokens.append(given[-1])
            return real(trigger, *given[:-1])

        monkeypatch.setattr(chosen, "content", content)


@pytest.mark.usefixtures("there")
def test_a_token_is_read_from_its_file_which_no_list_of_processes_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(monkeypatch)
    (tmp_path / "token").write_text("secret\n")
    trigger("orders", "--token", f"@{tmp_path / 'token'}")
    trigger("orders", "--token", "plain")
    assert shown.tokens == ["secret", "plain"]


def test_a_token_is_in_a_variable_which_other_triggers_do_not_mind(
    there: FakeCloud, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = (
        "from devbridge import Api, OnRequest\n"
        'asked = OnRequest(Api(app, "web"), "GET /a")\n'
        'Job(app, "asked", handler="job.handler", triggers=[asked])\n'
    )
    (config.root / "app.py").write_text(f"{APP}{more}")
    shown = Shown(monkeypatch)
    monkeypatch.setenv(module.VARIABLE, "secret")
    assert trigger("orders").exit_code == 0
    assert len(bodies(there)) == 1
    trigger("asked")
    assert shown.tokens == [None, "secret"]
