"""Where all this is put into ministack: its app, its services, its CloudFormation."""

from __future__ import annotations

import os
from typing import Any, Final

from . import nodes
from .batch import service as batch
from .batch import templates as batch_templates
from .codebuild import service
from .corrections import (
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
    tagged,
    templates,
    updates,
    users,
    workers,
)
from .corrections.mappings import consumers, poller, terms
from .corrections.mappings import templates as mapping_templates
from .ecs import service as ecs
from .ecs import templates as ecs_templates
from .gate import access, gate
from .host import ministack
from .machines import metadata, roles, running
from .machines.invocations import Invocations
from .machines.task import Room

_IMPORTED: Final = (
    *("eventbridge", "efs", "alb", "sns", "s3", "cloudwatch_logs"),
    *("scheduler", "sqs", "cloudwatch"),
)
"""What CloudFormation imports itself."""


def plug_in(access_key: str, secret_key: str) -> None:
    """Put this package in the place of what ministack does otherwise than AWS, and a gate before
    all; the keys are root's."""
    nodes.take(os.environ)
    pause = alarms.pause_of(os.environ)
    app, root = ministack("app"), access.Root(access_key, secret_key)
    room, invocations = Room(roles.Register(), metadata.Register()), Invocations()
    codebuild, tasks = service.Service(room.roles), ecs.Service(room)
    jobs = batch.Service(room)
    app.SERVICE_HANDLERS["codebuild"] = codebuild.handle_request
    sources = (codebuild.machines, jobs.machines, tasks.machines, invocations.machines)
    own = roles.served_by(asynchronous.served_by(app.app), room.roles.find)
    own = running.served_by(metadata.served_by(own, room.metadata), sources)
    app.app = gate.served_by(apis.served_by(gate.with_health(own)), root)
    app._H11Protocol._check_protocol = _http_1_alone
    authorization.correct()
    listeners.stay_on_loopback()
    access.believe_only_signatures(root)
    speed.save_faster()
    durable.keep_room(app)
    _correct_functions()
    invocations.plug_in()
    # Each is imported by ministack when it is needed first, and not before: it starts faster so.
    changes = {
        "codebuild": codebuild.end_with_ministack,
        "batch": jobs.plug_in,
        "ecs": lambda: _correct_ecs(tasks),
        "cloudformation": _correct_cloudformation,
        "iot": _correct_broker,
        "s3": _correct_s3,
        "sns": notifications.deliver_as_sns,
        "cloudwatch_logs": _correct_logs,
        "cognito": users.refuse_sign_up,
        "efs": file_systems.keep_in_folders,
        "eventbridge": events.deliver_as_eventbridge,
        "tagging": tagged.find_streams,
        "scheduler": scheduler.keep_time,
        "sqs": queues.keep_and_redrive,
        "cloudwatch": lambda: alarms.measure_and_judge(pause),
        "alb": _correct_balancers,
        "apigateway": integrations.answer_as_apis,
    }
    get_module = app._get_module

    def get_changed_module(name: str) -> Any:
        module = get_module(name)
        if change := changes.pop(name, None):
            change()
        return module

    app._get_module = get_changed_module


def _correct_functions() -> None:
    """ministack's gateways import their service themselves, when they call a function."""
    listeners.hide_runtime_apis()
    environments.isolate()
    workers.read_to_the_mark()
    updates.finish_first()
    starts.take_turns()
    functions.tell_as_lambda()
    node_functions.run_with_node()
    asynchronous.invoke_as_lambda()
    recursion.stop_who_repeats()
    payloads.limit()
    poller.read_as_lambda()
    terms.refuse()


async def _http_1_alone(_protocol: object, _request: object) -> None:
    """No change to HTTP/2, which its server offers before the gate is asked."""


def _correct_broker() -> None:
    speed.match_faster()
    durable.keep_what_waits()
    keep_alive.end_silent_connections()


def _correct_ecs(tasks: ecs.Service) -> None:
    tasks.plug_in()
    tasks.services.begin()


def _correct_balancers() -> None:
    load_balancers.check_registered()
    load_balancers.answer_as_balancers()


def _correct_logs() -> None:
    speed.copy_logs_faster()
    functions.page_logs()
    subscriptions.forward_as_logs(roles.admits)


def _correct_s3() -> None:
    objects.hide()
    notifications.check_as_s3()


def _correct_cloudformation() -> None:
    provisioners = ministack("services.cloudformation.provisioners")
    service.keep_properties(provisioners)
    ecs.keep_definitions(provisioners)
    ecs_templates.keep_scaling(provisioners)
    batch_templates.keep(provisioners)
    templates.spell_cors(provisioners)
    apis.give_base_paths(provisioners)
    buckets.keep_tags(provisioners)
    templates.name_anew(provisioners)
    templates.tell_changes(ministack("services.cloudformation"))
    refusals.refuse(provisioners, roles.admits)
    function_properties.keep(provisioners)
    networks.complete(provisioners)
    scheduler.keep_templates(provisioners)
    alarms.keep_composites(provisioners)
    mapping_templates.keep(provisioners)
    consumers.keep(provisioners)
    load_balancers.keep_targets(provisioners)
    for name in _IMPORTED:
        ministack("app")._get_module(name)
