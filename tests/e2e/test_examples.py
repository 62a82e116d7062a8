"""The examples, followed by their READMEs: live under `devbridge dev`, and deployed beside it."""

from __future__ import annotations

import io
import json
import re
import urllib.request
import zipfile
from decimal import Decimal

import pytest

from tests.e2e.dev_process import client
from tests.e2e.examples import DEPLOYED, DEV, END, LIVE, live, only, resources
from tests.e2e.readme import Step, Terminal, outputs


@pytest.mark.matrix
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


@pytest.mark.matrix
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
