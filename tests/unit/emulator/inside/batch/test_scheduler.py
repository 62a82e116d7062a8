from __future__ import annotations

from devbridge.emulator.inside.batch.definitions import Need
from devbridge.emulator.inside.batch.scheduler import (
    MAX_RESOURCE,
    REQUIREMENT,
    Environment,
    Scheduler,
    Turn,
    never,
    placed,
    told,
)

SMALL, LARGE = Environment("small", 2, has_gpus=False), Environment("large", 4)


def turn(queue: str, vcpus: float, *environments: Environment) -> Turn:
    return Turn(queue, Need(vcpus), lambda: environments)


def test_jobs_of_a_queue_go_on_in_their_order_and_the_first_blocks_the_others() -> None:
    here = Scheduler()
    running, large, small = (turn("q", n, SMALL) for n in (1, 2, 1))
    for each in (running, large, small):
        here.enter(each)
    assert [each.came.is_set() for each in (running, large, small)] == [True, False, False]
    assert (here.is_first(large), here.is_first(small)) == (True, False)
    here.leave(running)
    assert [each.environment for each in (large, small)] == ["small", ""]
    here.leave(large)
    assert small.came.is_set()


def test_queues_share_the_vcpus_of_an_environment() -> None:
    here = Scheduler()
    first, other = turn("a", 2, SMALL), turn("b", 1, SMALL)
    here.enter(first)
    here.enter(other)
    assert not other.came.is_set()
    here.leave(first)
    assert other.environment == "small"
    here.leave(other)
    assert here._used == {"small": 0}


def test_who_gives_up_lets_the_next_one_on() -> None:
    here = Scheduler()
    stuck, behind = turn("q", 8, SMALL), turn("q", 1, SMALL)
    here.enter(stuck)
    here.enter(behind)
    here.leave(stuck)
    assert behind.came.is_set()


def test_the_first_environment_with_room_is_taken() -> None:
    both = (SMALL, LARGE)
    assert placed(Need(1), both, {}) == "small"
    assert placed(Need(1), both, {"small": 1.5}) == "large"
    assert placed(Need(1, gpus=1), both, {}) == "large"
    assert placed(Need(1), both, {"small": 2, "large": 4}) is None


def test_what_can_never_run_has_a_reason_in_the_words_of_batch() -> None:
    assert never(Need(4), (SMALL, LARGE)) == ""
    assert never(Need(5), (SMALL, LARGE)) == MAX_RESOURCE
    assert never(Need(1, gpus=1), (SMALL,)) == REQUIREMENT
    assert never(Need(1), ()) == REQUIREMENT
    assert told(MAX_RESOURCE) == f"{MAX_RESOURCE} - CE(s) associated with the job queue cannot" + (
        " meet the CPU requirement of the job."
    )
