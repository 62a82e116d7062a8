from __future__ import annotations

import json
from typing import Any

from devbridge.emulator.inside.machines.running import PATH, Machine, run_of, served_by

TASK = "arn:aws:ecs:r:1:task/c/0a"


class World:
    """A task that runs and a job that waits, and who was interrupted."""

    def __init__(self) -> None:
        self.interrupted: list[tuple[str, bool]] = []
        self.passed: list[str] = []
        self.machines = [
            self.machine("fargate", TASK, [7], "p:0b", "0b"),
            self.machine("batch", "j", [], "p:0c", "name"),
        ]

    def machine(self, compute: str, own: str, pids: list[int], run: str, *names: str) -> Machine:
        def interrupt(kill: bool) -> None:
            self.interrupted.append((own, kill))

        return Machine(compute, own, "RUNNING", names, run, pids, interrupt)

    async def __call__(self, method: str, query: str = "", path: str = PATH) -> tuple[int, Any]:
        sent: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.passed.append(scope["path"])
            await send({"status": 0})
            await send({"body": b"null"})

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
        await served_by(app, [lambda: self.machines])(scope, None, send)
        return sent[0]["status"], json.loads(sent[1]["body"])


async def test_what_runs_and_what_waits_is_listed() -> None:
    world = World()
    status, answer = await world("GET")
    assert status == 200
    assert answer["machines"][0] == {
        "compute": "fargate",
        "id": TASK,
        "status": "RUNNING",
        "run": "p:0b",
        "names": ["0b"],
        "pids": [7],
    }
    assert [each["pids"] for each in answer["machines"]] == [[7], []]
    assert await world("GET", path="/other") == (0, None)
    assert world.passed == ["/other"]


async def test_a_machine_is_taken_away_from_what_has_one_by_any_of_its_names() -> None:
    world = World()
    for name in (TASK, "0a", "p:0b", "0b"):
        assert (await world("POST", f"id={name}"))[0] == 200
    assert (await world("POST", "id=0b&kill=1"))[0] == 200
    assert world.interrupted == [*[(TASK, False)] * 4, (TASK, True)]
    status, answer = await world("POST", "id=name")
    assert (status, answer["interrupted"], answer["known"][0]["id"]) == (404, [], "j")
    for nothing in ("id=none", "id=", "", "id=p"):
        status, answer = await world("POST", nothing)
        assert (status, answer["known"]) == (404, [])


def test_a_run_s_id_is_one_of_the_variables() -> None:
    assert run_of([{"name": "A", "value": "1"}, {"name": "DEVBRIDGE_RUN_ID", "value": "r"}]) == "r"
    assert run_of([]) == ""
