from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from devbridge.constructs import Alarm, App, CompositeAlarm, Queue, Topic
from devbridge.errors import InvalidValue


@pytest.fixture
def dead(app: App) -> Queue:
    return Queue(app, "dead", retention="14 days")


def test_by_default_one_message_is_enough(app: App, dead: Queue) -> None:
    alarm = Alarm(app, "any", queue=dead)
    assert (alarm.metric, alarm.threshold, alarm.notify) == ("messages", 1, ())
    assert (alarm.period, alarm.periods) == (timedelta(minutes=1), 1)


def test_an_age_is_a_duration(app: App, dead: Queue) -> None:
    assert Alarm(app, "a", queue=dead, metric="age", threshold="1 hour").threshold == 3600
    short = Alarm(app, "b", queue=dead, metric="age", threshold=timedelta(minutes=1))
    assert short.threshold == 60


@pytest.mark.parametrize(
    "wrong",
    [
        *({"queue": None}, {"queue": "dead"}, {"metric": "size"}, {"metric": None}),
        *({"threshold": 0}, {"threshold": True}, {"threshold": 1.5}, {"threshold": "1 hour"}),
        *({"threshold": 1, "metric": "age"}, {"threshold": "59 seconds", "metric": "age"}),
        {"threshold": "15 days", "metric": "age"},
        *({"period": "30 seconds"}, {"period": "90 seconds"}, {"period": "2 days"}),
        *({"periods": 0}, {"periods": 1.0}, {"periods": 1441}, {"periods": True}),
        *({"periods": 289, "period": "5 minutes"}, {"periods": 169, "period": "1 hour"}),
        *({"notify": "ops"}, {"notify": [None]}, {"transform": 1}),
    ],
)
def test_what_cloudwatch_would_refuse_is_refused(
    app: App, dead: Queue, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValue, match=f"Alarm 'a': {next(iter(wrong))}"):
        Alarm(app, "a", **{"queue": dead, **wrong})


@pytest.mark.parametrize(("period", "most"), [("1 minute", 1440), ("1 hour", 168), ("1 day", 7)])
def test_all_periods_together_are_a_day_and_of_whole_hours_a_week(
    app: App, dead: Queue, period: str, most: int
) -> None:
    assert Alarm(app, "a", queue=dead, period=period, periods=most).periods == most
    with pytest.raises(InvalidValue, match="periods"):
        Alarm(app, "b", queue=dead, period=period, periods=most + 1)


def test_an_age_that_no_message_reaches_is_refused(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Alarm(app, "a", queue=Queue(app, "q"), metric="age", threshold="4 days")
    assert "less than 4 days, the retention of Queue 'q'" in str(caught.value.remedy)


def test_it_publishes_to_standard_topics_of_its_app(app: App, dead: Queue) -> None:
    ops = Topic(app, "ops")
    assert Alarm(app, "a", queue=dead, notify=[ops]).notify == (ops,)
    fifo, other = Topic(app, "fifo", fifo=True), Topic(App("other"), "ops")
    many = [Topic(app, f"t{number}") for number in range(6)]
    for wrong in ([fifo], [other], [ops, ops], many):
        for make in (
            lambda wrong: Alarm(app, "b", queue=dead, notify=wrong),
            lambda wrong: CompositeAlarm(app, "b", any=[app.of_type(Alarm)[0]], notify=wrong),
        ):
            with pytest.raises(InvalidValue, match="'b': notify"):
                make(wrong)
    assert CompositeAlarm(app, "c", any=[app.of_type(Alarm)[0]], notify=many[:5]).notify


def test_a_composite_alarm_is_on_while_any_or_all_of_others_are(app: App, dead: Queue) -> None:
    first, second = Alarm(app, "a", queue=dead), Alarm(app, "b", queue=dead)
    either = CompositeAlarm(app, "either", any=[first, second])
    assert (either.alarms, either.each) == ((first, second), False)
    both = CompositeAlarm(app, "both", all=[first, either])
    assert (both.alarms, both.each) == ((first, either), True)


def test_a_composite_alarm_has_alarms_of_its_app_in_one_of_the_two(app: App, dead: Queue) -> None:
    first, second = Alarm(app, "a", queue=dead), Alarm(app, "b", queue=dead)
    foreign = App("other")
    other = Alarm(foreign, "a", queue=Queue(foreign, "q"))
    wrong: Any
    for wrong in (
        *({}, {"any": [first], "all": [second]}, {"any": [other]}, {"all": [first, first]}),
        *({"any": "a"}, {"all": [dead]}, {"any": [], "all": []}, {"any": first}),
    ):
        with pytest.raises(InvalidValue, match="CompositeAlarm 'c': a"):
            CompositeAlarm(app, "c", **wrong)


def test_a_composite_alarm_has_at_most_a_hundred(app: App, dead: Queue) -> None:
    many = [Alarm(app, f"a{number}", queue=dead) for number in range(101)]
    assert CompositeAlarm(app, "c", any=many[:100])
    with pytest.raises(InvalidValue, match="CompositeAlarm 'd': any"):
        CompositeAlarm(app, "d", any=many)
