from __future__ import annotations

from devbridge.runs.deployed_ids import names_deployed, short_deployed


def test_deployed_runs_are_shown_short_and_with_their_project_where_they_are_not_alone() -> None:
    one, two = "ffffffff-0000-4000-8000-000000000001", "ffffffff-0000-4000-8000-000000000002"
    ids = [f"a:{one}", f"b:{two}", "b:12345678-0"]
    assert short_deployed(ids, alone=True) == [one, two, "12345678"]
    assert short_deployed(ids, alone=False)[2] == "b:12345678"
    assert short_deployed([], alone=True) == []
    assert [names_deployed(each) for each in (ids[0], one, "a:", "")] == [True, False, True, False]
