from __future__ import annotations

import pytest

from devbridge.console import server
from devbridge.console.gate import HEADERS
from devbridge.runs.model import State

from .stages import Browser, Stage


@pytest.mark.parametrize(
    "path", ["/", "/functions", "/functions/factorial", "/runs", "/runs/3f2a", "/stage"]
)
async def test_every_page_is_the_one_document(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers.items() >= HEADERS.items()
    assert page.body == (server.FILES / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd",
     "/static/none.js", "/nowhere", "/api", "/api/", "/api/none", "/functions/a/b"],
)  # fmt: skip
async def test_what_there_is_not_is_not_found(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status == 404
    assert answer.json()["error"]["type"] == "NotFound"


async def test_a_path_that_has_another_method_says_so(browser: Browser) -> None:
    assert (await browser.write("DELETE", "/api/runs")).status == 405


async def test_runs_come_with_what_a_list_shows(browser: Browser, stage: Stage) -> None:
    one = stage.add()
    two = stage.add(State.RUNNING, b'{"num": 6}')
    answer = (await browser.get("/api/runs")).json()
    assert [run["id"] for run in answer["runs"]] == [two, one]
    assert (answer["total"], answer["after"]) == (2, None)
    row = answer["runs"][1]
    assert (row["state"], row["job"], row["payload"]) == ("SUCCEEDED", "factorial", '{"num":5}')
    assert (row["created_at"], row["started_at"], row["ended_at"]) == (1010.0, 1011.0, 1013.0)
    assert (row["trigger"], row["error"], row["attempt"]) == (None, None, 1)
    page = (await browser.get("/api/runs?limit=1")).json()
    assert [run["id"] for run in page["runs"]] == [two]
    older = (await browser.get(f"/api/runs?limit=1&after={page['after']}")).json()
    assert [run["id"] for run in older["runs"]] == [one]
    found = (await browser.get("/api/runs?text=NUM%22:%206&state=running,queued")).json()
    assert [run["id"] for run in found["runs"]] == [two]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=many", "since=yesterday", "state=LAZY", "stat=FAILED"),
        *("since=nan", "since=inf", "since=-1", "until=1e300"),
    ],
)
async def test_a_query_that_makes_no_sense_is_told(browser: Browser, query: str) -> None:
    answer = await browser.get(f"/api/runs?{query}")
    assert answer.status == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"job": "\xff", "payload": "1"}', "UTF-8"),
        (b'{"other": ' + b"[" * 3000 + b"]" * 3000 + b"}", "unknown field"),
        (b"{", "truncated"),
    ],
)
async def test_a_body_that_makes_no_sense_is_told(browser: Browser, body: bytes, told: str) -> None:
    answer = await browser.post("/api/runs", body)
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["type"] == "InvalidRequest"
    assert told in error["message"]


async def test_what_is_asked_for_and_is_not_known_is_refused_and_not_left_out(
    browser: Browser,
) -> None:
    wrong = {"action": "cancel", "filter": {"log": "a"}}  # else it would be all runs
    for path, body in (("bulk", wrong), ("runs/1/replay", {"paylod": "1"})):
        answer = await browser.post(f"/api/{path}", body)
        assert answer.status == 400
        assert "unknown field" in answer.json()["error"]["message"]
    answer = await browser.send("GET", "/api/events?job=a", {"Origin": browser.origin})
    assert answer.status == 400


async def test_a_defect_of_ours_is_an_answer_and_no_end(
    browser: Browser, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devbridge.console.api.Api.runs", lambda *_, **__: 1 / 0)
    answer = await browser.get("/api/runs")
    assert answer.status == 500
    assert answer.json()["error"]["type"] == "InternalError"
    monkeypatch.undo()
    assert (await browser.get("/api/runs")).status == 200


async def test_a_ledger_that_is_no_ledger_is_told(browser: Browser, stage: Stage) -> None:
    stage.ledger.close()
    for path in stage.config.stage_dir.glob("ledger.sqlite*"):
        path.unlink()
    stage.config.ledger.write_text("no ledger at all, and longer than the head of one" * 10)
    answer = await browser.get("/api/runs")
    assert answer.status == 500
    assert "ledger" in answer.json()["error"]["message"]


async def test_a_log_is_read_in_parts_searched_and_downloaded(
    browser: Browser, stage: Stage
) -> None:
    text = b"".join(b"line %d <b>\x1b[31m\n" % number for number in range(1000))
    run_id = stage.add(log=text)
    where = f"/api/runs/{run_id}/log"
    part = (await browser.get(f"{where}?from=500&count=2")).json()
    assert (part["from"], part["total"], part["complete"]) == (500, 1000, True)
    assert part["lines"] == ["line 500 <b>\x1b[31m", "line 501 <b>\x1b[31m"]
    assert (await browser.get(f"{where}?from=-1")).json()["lines"] == ["line 999 <b>\x1b[31m"]
    assert (await browser.get(f"{where}?find=LINE%2077%20&from=3")).json() == {"line": 77}
    assert (await browser.get(f"{where}?find=line&from=3&back=1")).json() == {"line": 3}
    assert (await browser.get(f"{where}?find=nothing")).json() == {"line": None}
    file = await browser.get(f"{where}.txt")
    assert (file.status, file.body) == (200, text)
    assert file.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert file.headers.items() >= HEADERS.items()


async def test_a_large_log_is_sent_at_the_pace_of_who_reads_it(
    browser: Browser, stage: Stage
) -> None:
    text = b"x" * 99 + b"\n"
    run_id = stage.add(log=text * 100_000)
    file = await browser.get(f"/api/runs/{run_id}/log.txt")
    assert file.body == text * 100_000


async def test_a_log_that_is_gone_is_told(browser: Browser, stage: Stage) -> None:
    run_id = stage.add()
    for path in (f"/api/runs/{run_id}/log", f"/api/runs/{run_id}/log.txt", "/api/runs/ffff"):
        answer = await browser.get(path)
        assert answer.status == 404, path
        assert answer.json()["error"]["type"] == "UnknownRun"
