from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.emulator.inside import plug
from devbridge.emulator.inside.batch import templates as batch_templates
from devbridge.emulator.inside.codebuild import service
from devbridge.emulator.inside.corrections import (
    alarms,
    apis,
    asynchronous,
    authorization,
    buckets,
    durable,
    environments,
    events,
    file_systems,
    function_properties,
    functions,
    integrations,
    keep_alive,
    listeners,
    load_balancers,
    networks,
    node_functions,
    notifications,
    objects,
    payloads,
    queues,
    recursion,
    refusals,
    scheduler,
    speed,
    starts,
    subscriptions,
    templates,
    updates,
    workers,
)
from devbridge.emulator.inside.corrections.mappings import consumers, poller, terms
from devbridge.emulator.inside.corrections.mappings import templates as mapping_templates
from devbridge.emulator.inside.ecs import service as ecs
from devbridge.emulator.inside.ecs import templates as ecs_templates
from devbridge.emulator.inside.gate import access, gate
from devbridge.emulator.inside.machines import metadata, roles, running
from devbridge.emulator.inside.machines.invocations import Invocations
from tests.unit.emulator.inside.conftest import MakeModule


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was corrected, in its order."""
    found: list[str] = []

    def note(module: Any, name: str, answer: Any = None) -> None:
        title = getattr(module, "__module__", None) or module.__name__

        def noted(*_: Any) -> Any:
            found.append(f"{title.rpartition('.')[2]}.{name}")
            return answer

        monkeypatch.setattr(module, name, noted)

    for module, name in (
        *((authorization, "correct"), (listeners, "stay_on_loopback")),
        *((access, "believe_only_signatures"), (speed, "save_faster")),
        (speed, "match_faster"),
        *((durable, "keep_room"), (durable, "keep_what_waits")),
        (keep_alive, "end_silent_connections"),
        *((speed, "copy_logs_faster"), (functions, "page_logs")),
        *((listeners, "hide_runtime_apis"), (functions, "tell_as_lambda")),
        *((environments, "isolate"), (networks, "complete"), (objects, "hide")),
        *((file_systems, "keep_in_folders"), (recursion, "stop_who_repeats")),
        *((payloads, "limit"), (workers, "read_to_the_mark")),
        *((updates, "finish_first"), (starts, "take_turns")),
        (integrations, "answer_as_apis"),
        *((node_functions, "run_with_node"), (asynchronous, "invoke_as_lambda")),
        *((service, "keep_properties"), (ecs, "keep_definitions")),
        *((batch_templates, "keep"), (Invocations, "plug_in")),
        *((templates, "spell_cors"), (apis, "give_base_paths")),
        *((buckets, "keep_tags"), (templates, "name_anew"), (refusals, "refuse")),
        (templates, "tell_changes"),
        *((poller, "read_as_lambda"), (terms, "refuse"), (mapping_templates, "keep")),
        *((consumers, "keep"), (load_balancers, "keep_targets")),
        *((load_balancers, "check_registered"), (load_balancers, "answer_as_balancers")),
        (notifications, "deliver_as_sns"),
        *((notifications, "check_as_s3"), (subscriptions, "forward_as_logs")),
        *((function_properties, "keep"), (events, "deliver_as_eventbridge")),
        *((scheduler, "keep_time"), (scheduler, "keep_templates"), (queues, "keep_and_redrive")),
        *((alarms, "measure_and_judge"), (alarms, "keep_composites")),
        (ecs_templates, "keep_scaling"),
    ):
        note(module, name)
    monkeypatch.setattr(apis, "served_by", lambda app: ("apis", app))
    monkeypatch.setattr(asynchronous, "served_by", lambda app: ("asynchronous", app))
    monkeypatch.setattr(gate, "with_health", lambda app: ("health", app))
    monkeypatch.setattr(gate, "served_by", lambda app, root: ("gate", root, app))
    monkeypatch.setattr(roles, "served_by", lambda app, find: ("credentials", app))
    monkeypatch.setattr(metadata, "served_by", lambda app, register: ("metadata", app))
    monkeypatch.setattr(running, "served_by", lambda app, sources: ("machines", app))
    return found


@pytest.fixture
def app(ministack: MakeModule, done: list[str]) -> Any:
    """ministack's app, with everything plugged in."""
    made = ministack(
        "app",
        app="ministack",
        SERVICE_HANDLERS={},
        _H11Protocol=SimpleNamespace(),
        _get_module=lambda name: f"module {name}",
    )
    ministack("services.cloudformation.provisioners")
    plug.plug_in("A", "S")
    return made


def test_the_gate_is_before_all_and_the_signed_and_the_open_behind_it(app: Any) -> None:
    name, root, behind = app.app
    assert (name, root) == ("gate", ("A", "S"))
    credentials = ("credentials", ("asynchronous", "ministack"))
    assert behind == ("apis", ("health", ("machines", ("metadata", credentials))))
    assert app.SERVICE_HANDLERS.keys() == {"codebuild"}


def test_what_ministack_imports_at_once_is_corrected_at_once(app: Any, done: list[str]) -> None:
    assert done == [
        *("authorization.correct", "listeners.stay_on_loopback", "access.believe_only_signatures"),
        *("speed.save_faster", "durable.keep_room"),
        *("listeners.hide_runtime_apis", "environments.isolate"),
        *("workers.read_to_the_mark", "updates.finish_first"),
        *("starts.take_turns", "functions.tell_as_lambda"),
        *("node_functions.run_with_node", "asynchronous.invoke_as_lambda"),
        *("recursion.stop_who_repeats", "payloads.limit"),
        *("poller.read_as_lambda", "terms.refuse"),
        "invocations.plug_in",
    ]


def test_a_service_is_corrected_when_it_is_needed_first_and_once(app: Any, done: list[str]) -> None:
    done.clear()
    assert app._get_module("apigateway") == "module apigateway"
    assert done.pop() == "integrations.answer_as_apis"
    for _ in range(2):
        assert app._get_module("iot") == "module iot"
        assert app._get_module("kms") == "module kms"
    assert done == [
        *("speed.match_faster", "durable.keep_what_waits"),
        "keep_alive.end_silent_connections",
    ]
    for name in (
        "cloudformation",
        "eventbridge",
        "efs",
        "alb",
        "sns",
        "s3",
        "cloudwatch_logs",
    ):  # it imports the others itself
        app._get_module(name)
    assert done[3:] == [
        *(
            "service.keep_properties",
            "service.keep_definitions",
            "templates.keep_scaling",
            "templates.keep",
            "templates.spell_cors",
            "apis.give_base_paths",
        ),
        *("buckets.keep_tags", "templates.name_anew", "templates.tell_changes", "refusals.refuse"),
        *("function_properties.keep", "networks.complete"),
        *("scheduler.keep_templates", "alarms.keep_composites", "templates.keep"),
        *("consumers.keep", "load_balancers.keep_targets"),
        *("events.deliver_as_eventbridge", "file_systems.keep_in_folders"),
        *("load_balancers.check_registered", "load_balancers.answer_as_balancers"),
        "notifications.deliver_as_sns",
        *("objects.hide", "notifications.check_as_s3"),
        *("speed.copy_logs_faster", "functions.page_logs", "subscriptions.forward_as_logs"),
        *("scheduler.keep_time", "queues.keep_and_redrive", "alarms.measure_and_judge"),
    ]


async def test_no_connection_becomes_http_2_before_the_gate_is_asked(app: Any) -> None:
    assert await app._H11Protocol._check_protocol(None, None) is None
