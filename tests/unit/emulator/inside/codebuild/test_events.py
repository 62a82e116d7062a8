from __future__ import annotations

from devbridge.emulator.inside.codebuild import events, records

PROJECT = {
    "name": "p",
    "source": {"type": "S3", "location": "b/k", "buildspec": "secret"},
    "environment": {"type": "T", "image": "i", "computeType": "C"},
    "artifacts": {"type": "NO_ARTIFACTS"},
}
ARN = "arn:aws:codebuild:r:1:build/p:u"
NOON = 1_504_282_349.0


def test_an_event_has_the_build_as_it_is_in_codebuild_s_words() -> None:
    override = [{"name": "A", "value": "1"}]
    record = records.new_build(
        PROJECT,
        {"environmentVariablesOverride": override},
        build_id="p:u",
        arn=ARN,
        number=3,
        initiator="ann",
        now=NOON,
    )
    begun = events.detail(record)
    assert (begun["build-status"], begun["build-id"]) == ("IN_PROGRESS", ARN)
    assert (begun["current-phase"], begun["version"]) == ("QUEUED", "1")
    more = begun["additional-information"]
    assert more["environment"]["environment-variables"] == [
        {"name": "A", "type": "PLAINTEXT", "value": "1"}
    ]
    assert more["source"] == {"location": "b/k", "type": "S3"}
    assert more["build-start-time"] == "Sep 1, 2017 4:12:29 PM"
    assert more["phases"] == [
        {
            "phase-type": "SUBMITTED",
            "phase-status": "SUCCEEDED",
            "start-time": "Sep 1, 2017 4:12:29 PM",
            "end-time": "Sep 1, 2017 4:12:29 PM",
            "duration-in-seconds": 0.0,
        },
        {"phase-type": "QUEUED", "start-time": "Sep 1, 2017 4:12:29 PM"},
    ]
    assert more["logs"] == {}
    records.leave(record, records.FAILED, NOON + 13 * 3600, "CODE", "words")
    records.name_stream(record, "g", "s")
    records.complete(record, records.FAILED, NOON + 13 * 3600)
    ended = events.detail(record)["additional-information"]
    assert (ended["logs"]["group-name"], ended["logs"]["stream-name"]) == ("g", "s")
    assert ended["phases"][1]["phase-context"] == ["CODE: words"]
    assert ended["phases"][1]["end-time"] == "Sep 2, 2017 5:12:29 AM"
    assert ended["build-complete"] is True
