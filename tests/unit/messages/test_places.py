"""Which dead-letter queues an app has, and what they are called."""

from __future__ import annotations

import pytest

from devbridge.constructs import App, Function, OnEvent, OnQueue, Queue
from devbridge.errors import NotDeployed, UnknownQueue
from devbridge.messages.places import address_of, labels, named, places


def test_each_dead_letter_queue_is_listed_once_with_what_sends_there(app: App) -> None:
    assert [(place.name, place.of) for place in places(app)] == [
        ("orders", ("job 'orders'",)),
        ("bad-orders", ("job 'orders'", "queue 'incoming'")),
        ("thumbs", ("job 'thumbs'",)),
        ("failed", ("job 'one'", "job 'two'")),
        ("three", ("job 'three'",)),
        ("late", ("job 'three'", "queue 'in-order'")),
        ("nightly", ("job 'nightly'",)),
    ]


def test_a_place_knows_the_own_queues_of_its_jobs(app: App) -> None:
    inboxes = {place.name: place.inboxes for place in places(app)}
    assert inboxes["thumbs"] == ("ThumbsJobInbox",)
    assert inboxes["failed"] == ("TwoJobInbox",)
    assert inboxes["three"] == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("orders", ["orders", "bad-orders"]),
        ("bad-orders", ["bad-orders"]),
        ("incoming", ["bad-orders"]),
        ("one", ["failed"]),
        ("failed", ["failed"]),
        ("first", ["failed"]),
        ("in-order", ["late"]),
    ],
)
def test_a_name_means_the_dead_letters_of_a_job_or_of_a_queue(
    app: App, name: str, meant: list[str]
) -> None:
    assert [place.name for place in named(app, name)] == meant


def test_a_name_that_is_nearly_one_is_told_with_that_one(app: App) -> None:
    with pytest.raises(UnknownQueue, match="did you mean 'bad-orders'") as raised:
        named(app, "bad-order")
    assert raised.value.remedy == (
        "use one of: bad-orders, failed, late, nightly, one, orders, three, thumbs, two"
    )


@pytest.mark.parametrize(("name", "what"), [("alone", "Queue 'alone'"), ("called", "Job 'called'")])
def test_of_what_has_no_dead_letters_it_is_said(app: App, name: str, what: str) -> None:
    with pytest.raises(UnknownQueue, match=f"of '{name}': {what} sends none"):
        named(app, name)


def test_an_app_without_any_is_told_how_to_have_them() -> None:
    with pytest.raises(UnknownQueue) as raised:
        named(App("empty"), "x")
    assert "a job or function with triggers" in str(raised.value.remedy)


def test_a_function_has_dead_letters_where_nobody_else_has_its_messages(app: App) -> None:
    failed = Queue(app, "shared-dead")
    sold = OnEvent({"source": ["shop"]})
    Function(app, "own", handler="jobs/work.handler", triggers=[sold])
    Function(app, "shared", handler="jobs/work.handler", triggers=[sold], on_failure=failed)
    kept = Queue(app, "kept", dead_letter=failed)
    Function(app, "reader", handler="jobs/work.handler", triggers=[OnQueue(kept)])
    Function(app, "silent", handler="jobs/work.handler")
    (own,), (shared,), (reader,) = (named(app, name) for name in ("own", "shared", "reader"))
    assert (own.of, own.url({"OwnFunctionDeadLetters": "https://x"}, "ann")) == (
        ("function 'own'",),
        "https://x",
    )
    assert shared == reader
    assert {"function 'shared'", "function 'reader'"} <= set(shared.of)
    assert shared.inboxes == ()
    with pytest.raises(UnknownQueue, match="Function 'silent' sends none"):
        named(app, "silent")


def test_queues_are_called_as_their_users_call_them(app: App) -> None:
    found = labels(app)
    assert found["BadOrdersQueue"] == "bad-orders"
    assert found["ThumbsJobInbox"] == "the own queue of thumbs"
    Function(app, "speak", handler="jobs/work.handler")
    assert labels(app)["SpeakFunction"] == "the function speak"


def test_what_is_in_app_py_and_not_deployed_yet_is_named(app: App) -> None:
    (place,) = named(app, "failed")
    assert place.url({"FailedQueue": "https://x/failed"}, "ann") == "https://x/failed"
    with pytest.raises(NotDeployed, match="FailedQueue is not deployed at stage 'ann'"):
        place.url({}, "ann")
    (made,) = named(app, "thumbs")
    assert made.url({"ThumbsJobDeadLetters": "https://x/made"}, "ann") == "https://x/made"


def test_a_queue_that_exists_is_where_it_says(app: App) -> None:
    arn = "arn:aws:sqs:eu-west-1:111122223333:theirs"
    queue = Queue.existing(app, "theirs", arn=arn)
    assert address_of(queue, {}, "ann") == queue.known["queue_url"]
