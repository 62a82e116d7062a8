"""The examples, followed by their READMEs: live under `devbridge dev`, and deployed beside it."""

from __future__ import annotations

import io
import json
import re
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from devbridge.emulator.ports import free_port
from tests.e2e.dev_process import DevProcess, client, processes_of, run
from tests.e2e.readme import Step, Terminal, outputs

EXAMPLES = Path(__file__).parents[2] / "examples"
SET_UP, LIVE, DEPLOYED, END = "Set up", "Run it live on this machine", "Deploy it", "The end"
DEV = "devbridge dev --local"
NOT_THE_APP = (
    ".devbridge",
    ".venv",
    "__pycache__",
    "typings",
    ".*_cache",
    "node_modules",
    "*-env.d.ts",
)
LOOKS = ("dlq list greeting", "logs tell", "jobs")
REDRIVE = "devbridge dlq redrive greeting ID --local"
SERVER = "PORT=3000 devbridge bind --local -- node server.mjs"


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    """A terminal in a copy of the example that is the parameter."""
    monkeypatch.setenv("DEVBRIDGE_METRICS_SECONDS", "1")  # alarms are not waited for
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder, ignore=shutil.ignore_patterns(*NOT_THE_APP))
    try:
        ports = {rf"\b{port}\b": str(free_port()) for port in (3000, 4566)}
        yield Terminal(folder, replaced=ports)
    finally:
        run(folder, "cloud", "stop")
    assert processes_of(folder) == []


def live(terminal: Terminal) -> DevProcess:
    """`devbridge dev` as the README starts it, when it is ready."""
    dev = DevProcess(terminal.folder, *DEV.split()[2:])
    dev.wait_for(r"^Ready", deadline=120)
    return dev


def resources(terminal: Terminal, *stage: str) -> dict[str, str]:
    """The names of what the stage has deployed."""
    found = run(terminal.folder, "outputs", "--local", "--json", *stage)
    assert found.returncode == 0, found.stderr
    known: dict[str, str] = json.loads(found.stdout)
    return known


def only(steps: list[Step], word: str) -> Step:
    """The one step whose command has the word."""
    (found,) = (step for step in steps if word in step.command)
    return found


@pytest.mark.parametrize("terminal", ["etl"], indirect=True)
def test_etl_imports_a_file_live_and_deployed(terminal: Terminal) -> None:
    def imported(steps: list[Step], *stage: str) -> None:
        end = only(steps, "/imports/")
        assert json.loads(end.output) == {
            "state": "SUCCEEDED",
            "attempt": 1,
            "result": {"orders": 7, "dropped": 2, "totals": 5},
        }
        assert json.loads(only(steps, "/totals/").output) == [
            {"month": "2026-01", "orders": 2, "euros": 200.5},
            {"month": "2026-02", "orders": 1, "euros": 10.5},
        ]
        table = resources(terminal, *stage)["TotalsTable"]
        rows = client(terminal.folder, "dynamodb").scan(TableName=table)["Items"]
        euros = {(row["country"]["S"], row["month"]["S"]): row["euros"]["N"] for row in rows}
        assert {key: Decimal(value) for key, value in euros.items()} == {
            ("DE", "2026-01"): Decimal("200.5"),
            ("DE", "2026-02"): Decimal("10.5"),
            ("GB", "2026-02"): Decimal("233.98"),
            ("US", "2026-01"): Decimal("184"),
            ("US", "2026-02"): Decimal("45.08"),
        }

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        steps = list(terminal.follow(LIVE, since=DEV))
        codes = {step.command: step.code for step in steps if step.code}
        good, bad = steps[:6], steps[6:]
        assert list(codes) == [only(bad, "devbridge wait").command], codes
        imported(good)
        assert "required field `key`" in json.loads(bad[0].output)["error"]
        failed = only(bad, "devbridge wait")
        assert (failed.code, "NoSuchKey" in failed.output) == (20, True)
        assert re.search(r"FAILED.*\b3/3\b", only(bad, "devbridge jobs").output)
        dev.wait_for(r"\+\S+ +DE 2026-01: 2 orders, 200.50 EUR")

        deployed = list(terminal.follow(DEPLOYED))
        assert [step.code for step in deployed] == [0] * len(deployed), deployed
        imported(deployed, "--stage", "prod")
        assert "DE 2026-01: 2 orders, 200.50 EUR" in only(deployed, "devbridge logs").output
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.parametrize("terminal", ["zip-files"], indirect=True)
def test_zip_files_packs_an_order_and_mails_a_link_live_and_deployed(terminal: Terminal) -> None:
    def packed(steps: list[Step], order: str, *stage: str) -> None:
        shown = json.loads(only(steps, f"/zips/{order}").output)
        assert (shown["state"], shown["missing"]) == ("packed", ["none.txt"])
        sent = json.loads(only(steps, "mails.py").output)["messages"]
        mails = [mail for account in sent.values() for mail in account]
        (mail,) = (mail for mail in mails if f"/{order}.zip?" in mail["BodyText"])
        assert (mail["Source"], mail["To"]) == ("zips@example.com", ["jane@example.com"])
        mailed = re.search(r"https?://\S+", mail["BodyText"])
        assert mailed
        for link in (mailed[0], shown["link"]):
            with urllib.request.urlopen(link) as answer:  # noqa: S310
                archive = zipfile.ZipFile(io.BytesIO(answer.read()))
            for name in archive.namelist():
                assert archive.read(name) == (terminal.folder / "data" / name).read_bytes()
            assert archive.namelist() == ["first.txt", "table.csv"]
        names = resources(terminal, *stage)
        kept = client(terminal.folder, "s3").list_objects_v2(Bucket=names["ZipsBucket"])["Contents"]
        assert [entry["Key"] for entry in kept] == [f"{order}.zip"]
        rows = client(terminal.folder, "dynamodb").scan(TableName=names["OrdersTable"])["Items"]
        assert [row["id"]["S"] for row in rows] == [order]

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        steps = list(terminal.follow(LIVE, since=DEV))
        assert [step.code for step in steps] == [0] * len(steps), steps
        *steps, again, closed = steps
        assert closed.output.strip() == "401"
        packed(steps, "order-1")
        assert json.loads(again.output) == json.loads(only(steps, "idempotency-key").output)
        dev.wait_for(r"mailed the link to jane@example.com")

        deployed = list(terminal.follow(DEPLOYED))
        assert [step.code for step in deployed] == [0] * len(deployed), deployed
        packed(deployed, "order-2", "--stage", "prod")
        assert "2/3 table.csv" in only(deployed, "devbridge logs").output
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.parametrize("terminal", ["background-jobs"], indirect=True)
def test_what_fails_in_the_background_is_told_and_sent_back_live_and_deployed(
    terminal: Terminal,
) -> None:
    listed, told, jobs = (f"devbridge {each} --local" for each in LOOKS)
    mend = "sed -i.bak 's/^MENDED = False/MENDED = True/' jobs/greeting.py"
    failed = r"^\w{8} .* 3 .* topic jobs +RuntimeError: the greeting should fail, and does$"
    alarm = r"ALARM \S+BackgroundCompositeAlarm"
    ended = r"(greeting +SUCCEEDED [^\0]*){2}"

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        outputs(terminal.follow(LIVE, since=DEV, until=listed))
        dev.wait_for(r"report .*Invoke report .*by topic jobs .*\"May\"")
        dev.wait_for(r'greeting .*Done .*result "Welcome, Hank!"')
        dev.wait_for(r"has failed for good: .* devbridge dlq list greeting")
        dev.wait_for(rf"\| +tell +{alarm}")
        assert re.search(failed, terminal.run(listed).output, re.M)
        (shown, _) = outputs(terminal.follow(LIVE, since=listed, until=REDRIVE))
        assert '"Value": "greeting"' in shown
        dev.wait_for(r"^Reloaded greeting")
        redriven, left = outputs(terminal.follow(LIVE, since=mend, until=jobs))
        assert redriven == "1 of 1 message redriven to the own queue of greeting\n"
        assert re.search(r"^greeting +0 ", left, re.M)
        dev.wait_for(r'greeting .*Done .*result "Welcome, whoever you are!"')
        assert re.search(ended, terminal.run(jobs).output)

        prod = " --stage prod"
        outputs(terminal.follow(DEPLOYED, until=listed + prod))
        assert re.search(failed, terminal.until(listed + prod, failed), re.M)
        assert re.search(alarm, terminal.until(told + prod, alarm))
        *_, redriven, _ = outputs(terminal.follow(DEPLOYED, since=told + prod))
        assert redriven == "1 of 1 message redriven to the own queue of greeting\n"
        assert re.search(ended, terminal.until(jobs + prod, ended))
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("terminal", ["train"], indirect=True)
def test_a_training_goes_on_where_it_was_interrupted_live_and_deployed(terminal: Terminal) -> None:
    def printed(step: Step) -> list[int]:
        return [int(number) for number in re.findall(r"^epoch (\d+): ", step.output, re.M)]

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        steps = list(terminal.follow(LIVE, since=DEV))
        assert [step.code for step in steps] == [0] * len(steps), steps
        whole = json.loads(only(steps, "/trainings/").output)
        assert (whole["state"], whole["attempt"]) == ("SUCCEEDED", 1)
        assert whole["result"]["accuracy"] > 0.8
        sha256 = whole["result"]["sha256"]
        assert sha256[:12] in only(steps, "devbridge rerun").output  # which is shortened
        dev.wait_for(r"goes on at its checkpoint \{\"epoch\":")

        steps = list(terminal.follow(DEPLOYED))
        assert [step.code for step in steps] == [0] * len(steps), steps
        log = only(steps, "--all")
        assert "at its checkpoint" in log.output
        assert sorted(set(printed(log))) == list(range(1, 31))
        assert len(printed(log)) <= 31
        interrupted = json.loads(only(steps, "/trainings/").output)
        assert (interrupted["state"], interrupted["attempt"]) == ("SUCCEEDED", 1)
        assert interrupted["result"]["sha256"] == sha256
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.parametrize("terminal", ["factorial", "factorial-ts"], indirect=True)
def test_factorial_computes_live_and_deployed(terminal: Terminal) -> None:
    typescript = terminal.folder.name.endswith("-ts")
    if typescript:
        outputs(terminal.follow(SET_UP))
    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        curl = dev.wait_for(r"^\s+(curl .+)$")[1]
        started = terminal.run(f"{curl} -s")
        run_id = json.loads(started.output)["jobId"]
        assert terminal.run(f"devbridge wait {run_id}").code == 0
        invoked, listed, logged, *result = outputs(terminal.follow(LIVE, since=DEV))
        assert run_id[:8] in listed
        assert logged.startswith("computing 5!")
        assert result == (['"120"\n'] if typescript else [])

        *_, invoked, listed = outputs(terminal.follow(DEPLOYED))
        assert ('result "120"' if typescript else "result 120") in invoked
        assert "SUCCEEDED" in listed
        for stage, values in (("", {"100!", "5!"}), ("prod", {"5!"})):
            table = resources(terminal, *(("--stage", stage) if stage else ()))["NotesTable"]
            rows = client(terminal.folder, "dynamodb").scan(TableName=table)["Items"]
            assert {row["id"]["S"] for row in rows} == values
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.parametrize("terminal", ["factorial-ts"], indirect=True)
def test_the_api_of_the_example_in_typescript_tells_and_cancels_runs(terminal: Terminal) -> None:
    outputs(terminal.follow(SET_UP))
    with live(terminal) as dev:
        curl = dev.wait_for(r"^\s+curl -X POST '(.+)'$")[1]

        def api(what: str) -> Any:
            return json.loads(terminal.run(f"curl -s {what}").output)

        for body in ('{"num": 6.5}', '{"num": "six"}', "six"):
            assert "num must be a whole number" in api(f"{curl} -d '{body}'")["error"]
        # As a form's, whose body comes in base64, and as JSON, whose body does not.
        for header in ("", "-H 'content-type: application/json'"):
            job_id = api(f"""{curl} {header} -d '{{"num": 6}}'""")["jobId"]
            assert terminal.run(f"devbridge wait {job_id}").code == 0
            assert api(f"{curl}/{job_id}") == {"state": "SUCCEEDED", "result": "720"}
        failed = api(f"-X POST '{curl}?num=1001'")["jobId"]
        assert terminal.run(f"devbridge wait {failed}").code == 20
        told = {"state": "FAILED", "error": "num must be a whole number from 0 to 1000, not 1001"}
        assert api(f"{curl}/{failed}") == told
        assert api(f"-X DELETE {curl}/{failed}") == {"was": "FAILED"}
        assert dev.interrupt() == 0


@pytest.mark.parametrize("terminal", ["mixed"], indirect=True)
def test_mixed_starts_each_language_s_job_from_the_other_live_and_deployed(
    terminal: Terminal,
) -> None:
    outputs(terminal.follow(SET_UP))
    with live(terminal) as dev:
        _, _, words, _, shout = outputs(terminal.follow(LIVE, since=DEV, until=SERVER))
        assert words.endswith('result ["to","be"]\n')
        assert shout.endswith('result {"text":"HELLO","times":2}\n')
        dev.wait_for(r"6 words, 4 different ones$")
        dev.wait_for(r"2: HELLO!$")

        with terminal.started(SERVER, says="/start"):
            started, status, cancelled, ended = terminal.follow(LIVE, since=SERVER)
            run_id = json.loads(started.output)["jobId"]
            assert json.loads(status.output)["job"] == "shout"
            assert json.loads(cancelled.output)["jobId"] == run_id
            assert ended.output.startswith("Cancelled")

        _, words, shout = outputs(terminal.follow(DEPLOYED))
        assert 'result ["to","be","or"]' in words
        assert 'result {"text":"HELLO","times":2}' in shout
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))
