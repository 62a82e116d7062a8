"""EventBridge Scheduler as AWS has it: time zones, what it puts into a target's input, retries, and
dead letters.

ministack evaluates expressions in UTC, forgets from templates what is new in Scheduler, hands on
inputs as they are written, invokes each target once whatever becomes of it, asks no role, looks
every 10 seconds, and fires once more after a restart.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from ..host import ministack
from ..machines import roles
from . import deliveries, grants, schedules
from .schedules import iso

log = logging.getLogger("scheduler")

Json = Mapping[str, Any]
Key = tuple[str, str, str]
"""A schedule's account, region, and group and name."""

SERVICE: Final = "scheduler.amazonaws.com"
PAGE: Final = 100
"""Schedules that are listed at once, at most and by default."""
TICK: Final = 1.0
"""Seconds between two looks at all schedules."""
LATE: Final = 60.0
"""Seconds after which a time that was missed, because the machine slept, is not made up for, if
another comes: AWS never sleeps."""
_DONE: Final = "devbridge_done"
_OPEN: Final = "devbridge_deliveries"
_MORE: Final = ("ScheduleExpressionTimezone", "StartDate", "EndDate", "KmsKeyArn")

_more: contextvars.ContextVar[Json | None] = contextvars.ContextVar("more", default=None)
"""What ministack's CloudFormation leaves out of the request that it makes."""
_done: dict[Key, tuple[float, float]] = {}
"""Of each schedule, when it was changed last, and up to when its times are done with."""
_next: dict[Key, tuple[tuple[float, float], float | None]] = {}
"""The next time of each, for what is in `_done`."""
_open: list[dict[str, Any]] = []
"""The deliveries that are not done with."""
_ends = threading.Event()
"""That the cloud is stopping: nothing is begun, or tried again."""


def keep_time() -> None:
    """Correct `services.scheduler`."""
    scheduler = ministack("services.scheduler")
    create, update = scheduler._create_schedule, scheduler._update_schedule
    get_state, load, reset = scheduler.get_state, scheduler.load_persisted_state, scheduler.reset

    def checked(put: Callable[..., Any]) -> Callable[..., Any]:
        def made(name: str, body: Json) -> Any:
            whole = {**body, **(_more.get() or {})}
            if problem := _problem_of(whole):
                return scheduler._error(400, "ValidationException", problem)
            dates = {d: schedules.seconds_of(whole.get(d)) for d in ("StartDate", "EndDate")}
            answer = put(name, {**whole, **dates})
            return answer if _more.get() is None else _accepted(answer)

        return made

    def get_state_with_times() -> Any:
        _ends.set()
        done = [[*key, *value] for key, value in _done.items()]
        return {**get_state(), _DONE: done, _OPEN: [dict(each) for each in _open]}

    def load_with_times(data: Any) -> None:
        load(data)
        for account, region, name, *value in (data or {}).get(_DONE) or ():
            _done[account, region, name] = (value[0], value[1])
        for delivery in (data or {}).get(_OPEN) or ():
            _begin(delivery)

    def reset_with_times() -> None:
        reset()
        _done.clear()
        _next.clear()
        _open.clear()

    scheduler._list_schedules = _paged(scheduler)
    scheduler._create_schedule, scheduler._update_schedule = checked(create), checked(update)
    scheduler.get_state, scheduler.reset = get_state_with_times, reset_with_times
    scheduler.load_persisted_state = load_with_times
    scheduler._tick_schedules = lambda: None
    threading.Thread(target=_tick_forever, daemon=True).start()


def keep_templates(provisioners: Any) -> None:
    """Make of a template's schedule what it says.

    Raises:
        ValueError: AWS refuses it.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]
    create, delete = handlers["create"], handlers["delete"]
    scheduler = ministack("services.scheduler")

    def created(title: str, properties: Json, stack: str) -> Any:
        if problem := _problem_of(properties):
            raise ValueError(f"{problem} (Service: Scheduler, Status Code: 400)")
        token = _more.set({name: properties[name] for name in _MORE if name in properties})
        try:
            return create(title, properties, stack)
        finally:
            _more.reset(token)

    def updated(physical: str, old: Json, new: Json, stack: str, title: str = "") -> Any:
        name, group = new.get("Name") or physical, new.get("GroupName", "default")
        if name != physical or group != old.get("GroupName", "default"):
            answer = created(title or physical, {**new, "Name": name}, stack)
            delete(physical, old)
            return answer
        default = {"FlexibleTimeWindow": {"Mode": "OFF"}}
        _accepted(scheduler._update_schedule(name, {**default, **new}))
        return physical, {"Arn": scheduler._schedule_arn(group, physical)}

    handlers["create"], handlers["update"] = created, updated


def _paged(scheduler: Any) -> Callable[[Json], Any]:
    """ListSchedules with NextToken: ministack leaves out all but the first hundred."""
    list_ = scheduler._list_schedules

    def listed(query: Json) -> Any:
        size, begin = int(query.get("MaxResults", PAGE)), int(query.get("NextToken", 0))
        _, _, body = list_({**query, "MaxResults": sys.maxsize})
        found = sorted(json.loads(body)["Schedules"], key=lambda each: str(each["Name"]))
        page: dict[str, Any] = {"Schedules": found[begin : begin + size]}
        if begin + size < len(found):
            page["NextToken"] = str(begin + size)
        return scheduler._json_resp(200, page)

    return listed


def _accepted(answer: Any) -> Any:
    """
    Raises:
        ValueError: it is a refusal.
    """
    status, _, body = answer
    if status >= 400:
        message = json.loads(body)["Message"]
        raise ValueError(f"{message} (Service: Scheduler, Status Code: {status})")
    return answer


def _problem_of(body: Json) -> str | None:
    role = str((body.get("Target") or {}).get("RoleArn") or "")
    if role and not roles.admits(role, SERVICE):
        return (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume"
            f" the role: {role}"
        )
    return schedules.problem_of(body, _cron, time.time())


def _cron(expression: str, after: datetime) -> datetime | None:
    events = ministack("services.eventbridge")
    fields = events._parse_cron_fields(expression)
    if fields is None:
        raise ValueError(f"Invalid Schedule Expression {expression}.")
    found = events._cron_next_fire(fields, after)
    return None if found is None else found.replace(tzinfo=None)


def _tick_forever() -> None:
    while not _ends.wait(TICK):
        _tick(time.time())


def _tick(now: float) -> None:
    stored = ministack("services.scheduler")._schedules._data
    for key, schedule in list(stored.items()):
        try:
            _look(key, schedule, now)
        except Exception:
            log.exception("schedule %s", key[2])
    for key in _done.keys() - stored.keys():
        _done.pop(key, None)
        _next.pop(key, None)


def _look(key: Key, schedule: dict[str, Any], now: float) -> None:
    """Begin what is due of one schedule; forget it, if it has asked for that, when it is over."""
    if schedule.get("State") != "ENABLED":
        return
    changed = float(schedule.get("LastModificationDate") or 0.0)
    plan = schedules.plan_of(schedule, changed)
    done = _done.get(key)
    if done is None:
        done = _done[key] = (changed, plan.done_at_first())
    elif done[0] != changed:
        done = _done[key] = (changed, done[1] if plan.is_once else changed)
    if _next.get(key, (None,))[0] != done:
        _next[key] = (done, plan.next(done[1], _cron))
    moment = _next[key][1]
    if moment is None:
        if schedule.get("ActionAfterCompletion") == "DELETE":
            ministack("services.scheduler")._schedules._data.pop(key, None)
        return
    if moment > now:
        return
    _done[key] = (changed, moment)
    if not plan.is_once and moment < now - LATE:
        _done[key] = (changed, now - LATE)
        log.warning("schedule %s did not run at %s: this machine slept", key[2], iso(moment))
        return
    _begin(
        {
            "key": list(key),
            "arn": schedule["Arn"],
            "target": dict(schedule.get("Target") or {}),
            "moment": moment,
            "since": now,
            "attempt": 1,
        }
    )


def _begin(delivery: dict[str, Any]) -> None:
    _open.append(delivery)
    threading.Thread(target=_deliver, args=(delivery,), daemon=True).start()


def _deliver(delivery: dict[str, Any]) -> None:
    """Until the target has it, or its dead-letter queue, or the cloud stops."""
    account, region, name = delivery["key"]
    try:
        with ministack("core.responses").request_scope(account, region):
            _try(delivery)
    except Exception:
        log.exception("schedule %s", name)
    finally:
        if not _ends.is_set():
            with suppress(ValueError):
                _open.remove(delivery)


def _try(delivery: dict[str, Any]) -> None:
    target = delivery["target"]
    policy = target.get("RetryPolicy") or {}
    retries = int(policy.get("MaximumRetryAttempts", schedules.ATTEMPTS))
    age = float(policy.get("MaximumEventAgeInSeconds", schedules.AGE))
    while delivery in _open and not _ends.is_set():
        execution = uuid.uuid4().hex[:16]
        try:
            _invoke(delivery, execution)
            return
        except deliveries.Undeliverable as error:
            log.warning("schedule %s: %s", delivery["arn"], error)
            attempt, exhausted = delivery["attempt"], ""
            pause = schedules.pause_after(attempt)
            if attempt > retries:
                exhausted = "MaximumRetryAttempts"
            elif time.time() + pause > delivery["since"] + age:
                exhausted = "MaximumEventAgeInSeconds"
            if exhausted:
                _bury(delivery, execution, error, exhausted)
                return
        delivery["attempt"] += 1
        _ends.wait(pause)


def _invoke(delivery: Json, execution: str) -> None:
    target, moment = delivery["target"], delivery["moment"]
    arn = str(target.get("Arn") or "")
    payload = _payload(delivery, execution)
    service = arn.split(":")[2] if arn.count(":") > 4 else ""
    if service == "lambda":
        deliveries.to_function(arn, payload, _by_role(target, arn))
    elif service == "sqs":
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        deliveries.to_queue(arn, payload, _by_role(target, arn), group=group)
    else:
        event = {**_notification(delivery), "Time": moment}
        named = {"Arn": delivery["arn"], "Name": delivery["key"][2].rpartition("/")[2]}
        ministack("services.eventbridge")._invoke_target({**target, "Input": payload}, event, named)


def _payload(delivery: Json, execution: str) -> str:
    text = delivery["target"].get("Input")
    if not text:
        account, region, _ = delivery["key"]
        return json.dumps(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": account,
                "time": iso(delivery["moment"]),
                "region": region,
                "resources": [delivery["arn"]],
                "detail": "{}",
            }
        )
    return schedules.rendered(
        str(text),
        {
            "schedule-arn": delivery["arn"],
            "scheduled-time": iso(delivery["moment"]),
            "execution-id": execution,
            "attempt-number": str(delivery["attempt"]),
        },
    )


def _notification(delivery: Json) -> dict[str, Any]:
    """As ministack has events."""
    account, region, _ = delivery["key"]
    return {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Resources": [delivery["arn"]],
        "Account": account,
        "Region": region,
    }


def _by_role(target: Json, arn: str) -> deliveries.May:
    role = str(target.get("RoleArn") or "")
    return lambda _, action: roles.admits(role, SERVICE) and grants.role_may(role, action, arn)


def _bury(delivery: Json, execution: str, error: deliveries.Undeliverable, condition: str) -> None:
    """Send what was not delivered to the schedule's dead-letter queue, if it has one ("Configuring
    a dead-letter queue for a schedule")."""
    target = delivery["target"]
    queue = str((target.get("DeadLetterConfig") or {}).get("Arn") or "")
    if not queue:
        log.warning("schedule %s: its event is lost: it has no dead-letter queue", delivery["arn"])
        return
    attributes = {
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": str(error),
        "EXECUTION_ID": execution,
        "EXHAUSTED_RETRY_CONDITION": condition,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(delivery["attempt"] - 1),
        "SCHEDULED_TIME": iso(delivery["moment"]),
        "SCHEDULE_ARN": delivery["arn"],
        "TARGET_ARN": str(target.get("Arn") or ""),
    }
    try:
        payload = _payload(delivery, execution)
        deliveries.to_queue(queue, payload, _by_role(target, queue), attributes=attributes)
    except deliveries.Undeliverable as problem:
        log.warning("schedule %s: its dead letter is lost: %s", delivery["arn"], problem)
