from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Bucket,
    Construct,
    EventBus,
    Job,
    LoadBalancer,
    Queue,
    Stream,
    Table,
    Topic,
)
from devbridge.constructs.app import loading
from devbridge.constructs.existing import Arn, existing_arn
from devbridge.errors import DuplicateName, InvalidValue

HERE = "eu-west-1:123456789012"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
LISTENER = f"arn:aws:elasticloadbalancing:{HERE}:listener/app/web/{'0123456789abcdef/' * 2}"[:-1]
ARNS: dict[type[Any], str] = {
    Queue: f"arn:aws:sqs:{HERE}:orders",
    Topic: f"arn:aws:sns:{HERE}:news.fifo",
    Bucket: "arn:aws:s3:::my.files-1",
    Table: f"arn:aws:dynamodb:{HERE}:table/notes",
    Stream: f"arn:aws:kinesis:{HERE}:stream/clicks",
    EventBus: f"arn:aws:events:{HERE}:event-bus/default",
    LoadBalancer: LISTENER,
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    with loading(tmp_path):
        return App("demo")


def take(app: App, kind: Any, arn: object, **options: object) -> Any:
    argument = "listener_arn" if kind is LoadBalancer else "arn"
    return kind.existing(app, "x", **{argument: arn}, **options)


@pytest.mark.parametrize("kind", ARNS)
def test_what_exists_has_its_arn_and_is_the_apps(kind: type[Any], app: App) -> None:
    found = take(app, kind, ARNS[kind])
    assert type(found) is kind
    assert found.existing == existing_arn(found) == ARNS[kind]
    assert app.constructs == [found]
    assert Path(found.where.file).name == Path(__file__).name
    assert kind.existing.__doc__
    with pytest.raises(DuplicateName, match="same name"):
        take(app, kind, ARNS[kind])


def test_what_the_app_makes_does_not_exist_yet(app: App) -> None:
    queue = Queue(app, "x")
    assert queue.existing is None
    assert existing_arn(queue) is None
    assert queue.known == {}


WRONG: tuple[Callable[[str], object], ...] = (
    lambda arn: arn.replace(":aws:", ":azure:"),
    lambda arn: arn.replace(":aws:", ":awsome:"),
    lambda arn: arn + "/",
    lambda arn: arn + "\n",
    lambda arn: arn + " ",
    lambda arn: arn[3:],
    lambda arn: arn.upper(),
    lambda arn: arn.rpartition(":")[0] + ":",
    lambda arn: arn.rpartition(":")[0] + ":{{resolve:x}}",
    lambda arn: None,
    lambda arn: 7,
    lambda arn: [arn],
    lambda arn: "",
    lambda arn: f"arn:aws:iam::123456789012:role/{arn[-3:]}",
)


@pytest.mark.parametrize("kind", ARNS)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_arn_of_it_is_refused(
    wrong: Callable[[str], object], kind: type[Any], app: App
) -> None:
    given = wrong(ARNS[kind])
    with pytest.raises(InvalidValue) as refused:
        take(app, kind, given)
    assert f"{kind.__name__} 'x': " in str(refused.value)
    assert f"arn {given!r} is not allowed" in str(refused.value)
    assert "allowed: an ARN such as 'arn:aws:" in str(refused.value)
    assert Path(__file__).name in str(refused.value)
    assert app.constructs == []


@pytest.mark.parametrize("kind", [kind for kind in ARNS if kind is not Bucket])
@pytest.mark.parametrize(
    "place", ["eu-west-1:12345678901", "eu-west-1:", ":123456789012", "EU:123456789012", "*:*"]
)
def test_the_region_and_the_account_are_checked(place: str, kind: type[Any], app: App) -> None:
    with pytest.raises(InvalidValue):
        take(app, kind, ARNS[kind].replace(HERE, place))


@pytest.mark.parametrize("one", ARNS)
@pytest.mark.parametrize("other", ARNS)
def test_the_arn_of_something_else_is_refused(one: type[Any], other: type[Any], app: App) -> None:
    if one is not other:
        with pytest.raises(InvalidValue):
            take(app, one, ARNS[other])


def test_a_name_and_an_app_are_checked_as_ever(app: App) -> None:
    with pytest.raises(InvalidValue, match="name"):
        Queue.existing(app, "not ok", arn=ARNS[Queue])
    nothing: Any = None
    with pytest.raises(InvalidValue, match="the first argument must be the App"):
        Queue.existing(nothing, "x", arn=ARNS[Queue])
    with pytest.raises(InvalidValue, match="arn 1"):
        Queue.existing(nothing, "x", arn=nothing or 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Queue, Topic])
@pytest.mark.parametrize("fifo", [False, True])
def test_a_name_tells_what_keeps_an_order(fifo: bool, kind: type[Any], app: App) -> None:
    service = "sqs" if kind is Queue else "sns"
    assert take(app, kind, f"arn:aws:{service}:{HERE}:a{'.fifo' * fifo}").fifo is fifo


@pytest.mark.parametrize(
    ("partition", "region", "domain"),
    [
        ("aws", "eu-west-1", "amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ],
)
def test_a_queues_url_is_that_of_its_region(
    partition: str, region: str, domain: str, app: App
) -> None:
    it = Arn(app, "Queue", "x", f"arn:{partition}:sqs:{region}:123456789012:work")
    assert it.queue_url == f"https://sqs.{region}.{domain}/123456789012/work"
    assert (it.text, it.name) == (f"arn:{partition}:sqs:{region}:123456789012:work", "work")


def test_the_apps_key_is_not_that_of_what_exists(tmp_path: Path) -> None:
    with loading(tmp_path):
        app = App("demo", encryption_key=KEY)
    own = KEY.replace("0123", "9999")
    for kind in set(ARNS) - {EventBus, LoadBalancer}:
        assert take(app, kind, ARNS[kind]).encryption_key is None
        app.constructs.clear()
        assert take(app, kind, ARNS[kind], encryption_key=own).encryption_key == own
        app.constructs.clear()
        with pytest.raises(InvalidValue, match="encryption_key"):
            take(app, kind, ARNS[kind], encryption_key="mine")


def test_a_tables_stream_is_that_of_the_table(app: App) -> None:
    stream = f"{ARNS[Table]}/stream/2026-01-31T12:00:00.000"
    table = Table.existing(app, "x", arn=ARNS[Table], stream_arn=stream)
    table.want_stream()
    assert (table.stream, table.known["stream_arn"]) == (None, stream)
    assert table.stream_arn.what == "stream_arn"
    for wrong in (ARNS[Table], stream.replace("notes", "other"), stream + "/x", 1, stream + "\n"):
        given: Any = wrong
        with pytest.raises(InvalidValue, match="stream_arn "):
            Table.existing(app, "y", arn=ARNS[Table], stream_arn=given)


def test_a_table_whose_stream_is_not_known_is_not_read(app: App) -> None:
    table = Table.existing(app, "x", arn=ARNS[Table])
    for ask in (table.want_stream, lambda: table.stream_arn):
        with pytest.raises(InvalidValue, match="stream_arn None is not allowed"):
            ask()


def test_it_is_bound_and_it_may_be_a_dead_letter_queue(app: App, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def handler(payload): ...\n")
    dead = Queue.existing(app, "dead", arn=ARNS[Queue])
    found: list[Construct] = [Queue(app, "work", dead_letter=dead)]
    found.append(Job(app, "a", handler="a.handler", bind=[dead]))
    assert app.constructs == [dead, *found]


def test_who_forgets_the_arn_is_told_so_of_what_he_has_called(app: App) -> None:
    make: Any = Queue.existing
    with pytest.raises(TypeError, match=r"^Queue\.existing\(\) missing .* 'arn'"):
        make(app, "e")
