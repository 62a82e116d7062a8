"""Storing checkpoints aside of what goes on."""

from __future__ import annotations

import threading

from runner.keeper import Keeper


def test_each_checkpoint_is_kept_by_one_thread_in_order() -> None:
    kept: list[tuple[bytes, int]] = []
    taken = threading.Event()

    def keep(body: bytes) -> None:
        kept.append((body, threading.get_ident()))
        taken.set()

    keeper = Keeper(keep, print)
    for body in (b"1", b"2", b"3"):
        taken.clear()
        keeper.add(body)
        assert taken.wait(10)
    keeper.close()
    assert [body for body, _ in kept] == [b"1", b"2", b"3"]
    assert len({thread for _, thread in kept}) == 1
    assert kept[0][1] != threading.get_ident()


def test_what_is_older_than_another_that_waits_is_left_out() -> None:
    kept: list[bytes] = []
    began, go_on = threading.Event(), threading.Event()

    def keep(body: bytes) -> None:
        began.set()
        assert go_on.wait(10)
        kept.append(body)

    keeper = Keeper(keep, print)
    keeper.add(b"1")
    assert began.wait(10)
    for body in (b"2", b"3", b"4"):
        keeper.add(body)
    go_on.set()
    keeper.close()
    assert kept == [b"1", b"4"]


def test_why_one_cannot_be_kept_is_told_once_and_the_last_is_tried_again_at_the_end() -> None:
    tried: list[bytes] = []
    told: list[str] = []
    seen = threading.Semaphore(0)

    def keep(body: bytes) -> None:
        tried.append(body)
        seen.release()
        if len(tried) < 3:
            raise OSError("no network")

    keeper = Keeper(keep, told.append)
    for body in (b"1", b"2"):
        keeper.add(body)
        assert seen.acquire(timeout=10)
    keeper.close()
    assert tried == [b"1", b"2", b"2"]
    assert told == ["a checkpoint could not be stored: OSError: no network"]


def test_an_attempt_without_checkpoints_has_no_thread() -> None:
    before = threading.active_count()
    Keeper(print, print).close()
    assert threading.active_count() == before
