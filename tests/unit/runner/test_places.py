from __future__ import annotations

from runner.places import Places, uuid_in_list

UUID = "0e3b2c1d-1111-5222-8333-444455556666"
PLACES = Places("shop/prod/train")


def test_what_the_invoker_and_the_runner_write_are_different_objects_of_the_jobs_own() -> None:
    keys = [
        PLACES.claim(UUID),
        PLACES.place(UUID),
        PLACES.end(UUID),
        PLACES.told(UUID),
        PLACES.checkpoint(UUID),
        PLACES.payload(UUID),
        PLACES.result(UUID),
    ]
    assert len(set(keys)) == len(keys)
    assert all("/shop/prod/train/" in key and UUID in key for key in keys)


def test_the_list_has_the_newest_run_first_and_names_each() -> None:
    older, newer = PLACES.in_list(UUID, 1_700_000_000.0), PLACES.in_list(UUID, 1_700_000_000.002)
    assert sorted([older, newer]) == [newer, older]
    assert all(
        key.startswith(PLACES.listed) and uuid_in_list(key) == UUID for key in (older, newer)
    )
