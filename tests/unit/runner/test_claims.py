from __future__ import annotations

from runner.claims import Claim, Place, run_uuid


def test_the_same_key_names_the_same_run_of_a_job_alone() -> None:
    names = [("demo", "prod", "a", "k"), ("demo", "prod", "b", "k"), ("demo", "dev", "a", "k")]
    assert run_uuid(*names[0]) == run_uuid(*names[0]) == "861bfb04-ac6f-581f-9d1f-6e09e327c6aa"
    assert len({run_uuid(*each) for each in names}) == 3


def test_what_was_asked_for_is_read_as_it_was_written() -> None:
    for claim in (Claim(1.5, 3, "lambda", payload="{}"), Claim(1.5, 1, "", payload_at="k")):
        assert Claim.of(claim.body()) == claim


def test_where_it_runs_is_read_as_it_was_written() -> None:
    for place in (Place("a", "lambda", 1.5), Place("b", "", 2.0, 1, ("a",))):
        assert Place.of(place.body()) == place
