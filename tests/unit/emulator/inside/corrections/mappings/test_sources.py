from __future__ import annotations

from typing import Any

from devbridge.emulator.inside.corrections.mappings.sources import Shard, Stream, start


def shard(*numbers: int) -> Shard:
    return Shard([{"n": each} for each in numbers], lambda each: int(each["n"]), dict)


def numbers(found: Any) -> list[int]:
    return [each["n"] for each in found]


def test_a_shard_is_read_from_where_it_was_left_though_that_record_has_expired() -> None:
    assert numbers(shard(3, 5, 9).newer("", 2)) == [3, 5]
    assert numbers(shard(3, 5, 9).newer("0005", 2)) == [9]
    assert numbers(shard(3, 5, 9).newer("4", 2)) == [5, 9]


def test_a_mapping_begins_before_all_records_or_after_those_that_are_there() -> None:
    stream = Stream({"a": shard(1, 2), "b": shard()}, 1)
    assert start(stream, "TRIM_HORIZON") == {"a": "", "b": ""}
    assert start(stream, "LATEST") == {"a": "2", "b": ""}
