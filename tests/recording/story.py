"""What is typed in the first hour, and what must come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rich.text import Text

from tests.recording.page import Page
from tests.recording.terminal import Terminal

INTRODUCTION: Final = """\
# The first hour

Two terminals side by side: `dev` has `devbridge dev --local`, `shell` is for everything else. Every
line below was printed by the commands above it."""
RATES: Final = """\
import asyncio
import time


def rate(currency):
    try:
        return {"USD": 1.0}[currency]
    except KeyError as error:
        raise LookupError(f"no rate for {currency}") from error


async def convert(order):
    try:
        return order["amount"] * rate(order["currency"])
    except LookupError as error:
        error.add_note(f"while converting order {order['id']}")
        raise


async def handler(orders):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(convert(order)) for order in orders]
    return sum(task.result() for task in tasks)
"""
SLOW: Final = """\
import threading
import time


def upload():
    time.sleep(60)


def handler(payload):
    for step in range(3):
        print(f"{payload}: step {step}")
        time.sleep(1)
    if payload == "leave":
        threading.Thread(target=upload, name="upload").start()
    return "done"
"""
ORDERS: Final = """\
import json

from devbridge.job import Job


def handler(event, context):
    print("asked for", event["rawPath"])
    order = json.loads(event["body"])
    run = Job.rates.run(payload=[order])
    return {"statusCode": 202, "body": run.job_id}
"""
MENDED: Final = """\
import json

from devbridge.job import Job


def handler(event, context):
    print("asked for", event["rawPath"])
    try:
        order = json.loads(event["body"])
    except ValueError as error:
        return {"statusCode": 400, "body": f"no order: {error}"}
    run = Job.rates.run(payload=[order])
    return {"statusCode": 202, "body": run.job_id}
"""
JOBS: Final = """\
rates = Job(app, "rates", handler="jobs/rates.handler")
Job(app, "slow", handler="jobs/slow.handler", timeout="1 hour")
Api(app, "orders", routes={"POST /orders": "api/orders.handler"}, bind=[rates])
"""


def first_hour(page: Page, app: Path, dev: Terminal, shell: Terminal) -> Text:
    """Live it; what is told of it is on the page. Returns what README's picture has."""
    page.say(INTRODUCTION)
    picture = _start(page, dev, shell)
    picture.append("\n").append_text(_save(page, dev, shell, _curl(picture)))
    _completion(page, shell)
    _refusals(page, shell)
    url = _more_jobs(page, app, dev, shell)
    _errors(page, dev, shell)
    _function(page, app, dev, shell, url)
    _again(page, dev, shell)
    _threads(page, dev, shell)
    _tests(page, shell)
    _ends(page, dev, shell)
    _in_time(page, dev, shell)
    return picture


def _start(page: Page, dev: Terminal, shell: Terminal) -> Text:
    page.say("## An app, and its job on this machine")
    dev.run("devbridge init hello && cd hello", r"^created")
    page.show(dev)
    dev.type("devbridge dev --local")
    dev.see(r"^Ready in")
    dev.see(r"^ +curl .*'$")
    shown = page.show(dev)
    shell.run("cd hello")
    shell.run(_curl(shown), r"jobId")
    page.show(shell)
    _called(dev, "100")
    page.show(dev)
    return shown


def _called(dev: Terminal, num: str) -> None:
    """The API was, and has started the job: each has its lines, and the request's first is above
    the run's."""
    dev.see(rf'POST /factorial( 202 \S+)?\n.*Invoke factorial {{"num":{num}}}')
    dev.see(r"POST /factorial 202 ")
    dev.see(r"Done +took")


def _curl(shown: Text) -> str:
    curl = re.search(r"^ +(curl .*)$", shown.plain, re.M)
    assert curl is not None
    return curl[1]


def _save(page: Page, dev: Terminal, shell: Terminal, curl: str) -> Text:
    page.say("## A save is the next run's code")
    shell.run("sed -i 's/print(f\"comp/print(f\"now comp/' jobs/factorial.py")
    dev.see(r"^Reloaded factorial in")
    shell.run(curl.removesuffix("'") + "?num=5'", r"jobId")
    page.show(shell)
    _called(dev, "5")
    return page.show(dev)


def _completion(page: Page, shell: Terminal) -> None:
    page.say(
        "## The Tab key knows commands, jobs, stages and runs\n\nHere it was typed after `fa`:"
    )
    shell.run('eval "$(devbridge completion bash)"')
    shell.complete("devbridge invoke --payload '{\"num\": 3}' fa", "'{\"num\": 3}' factorial")
    page.show(shell)


def _refusals(page: Page, shell: Terminal) -> None:
    page.say(
        "## What cannot work is refused before it is sent\n\n"
        "By the types of the handler's payload; `--no-check` sends it all the same."
    )
    shell.run('devbridge invoke factorial --payload \'{"num": "five"}\'', r"^error: ")
    shell.run("devbridge invoke factoral --payload '{\"num\": 5}'", r"did you mean 'factorial'")
    page.show(shell)


def _more_jobs(page: Page, app: Path, dev: Terminal, shell: Terminal) -> str:
    """The URL that the second API has."""
    page.say(
        "## More jobs: each has its name and its colour\n\nThese files are saved, `app.py` last:"
    )
    page.save(app, "jobs/rates.py", RATES)
    page.save(app, "jobs/slow.py", SLOW)
    page.save(app, "api/orders.py", ORDERS)
    page.save(app, "app.py", JOBS, after=(app / "app.py").read_text("utf-8"))
    dev.see(r"^ +curl .*/orders'$")
    deployed = page.show(dev)
    start = "devbridge invoke slow --payload"
    shell.run(f"{start} '\"left\"'; {start} '\"right\"' --wait", r"^Done")
    page.show(shell)
    dev.see(r"Done +took .*\n(.*\n)*.*Done +took ")
    page.show(dev)
    url = re.search(r"http\S+/orders", deployed.plain)
    assert url is not None
    return url[0]


def _errors(page: Page, dev: Terminal, shell: Terminal) -> None:
    page.say("## An error is shown whole: the group's members, their causes and notes")
    order = '[{"id": 7, "amount": 3, "currency": "EUR"}]'
    shell.run(f"devbridge invoke rates --payload '{order}' --wait; echo exit code $?", r"^Error")
    dev.see(r"KeyError: 'EUR'")
    dev.see(r"while converting order 7")
    page.show(shell)
    page.show(dev)


def _function(page: Page, app: Path, dev: Terminal, shell: Terminal, url: str) -> None:
    page.say(
        "## The API's functions are live, too\n\n"
        "A request is a line. What the handler has printed is below it, and so is its error."
    )
    shell.run(f"curl --json '{{\"id\": 8}}' {url}; echo", r"^[0-9a-f]{8}-")
    dev.see(r"POST /orders 202 ")
    dev.see(r"asked for /orders")
    dev.see(r"KeyError: 'amount'")
    shell.run(f"curl --json 'no JSON' {url}; echo", r"Internal Server Error")
    page.show(shell)
    dev.see(r"POST /orders raised JSONDecodeError ")
    dev.see(r"json.loads\(event")
    page.show(dev)
    page.say("A save is the next request's code; nothing is deployed for it:")
    page.save(app, "api/orders.py", MENDED)
    dev.see(r"^Reloaded orders-api-orders in")
    shell.run(f"curl --json 'no JSON' {url}; echo", r"^no order: Expecting value")
    page.show(shell)
    dev.see(r"POST /orders 400 ")
    page.show(dev)


def _again(page: Page, dev: Terminal, shell: Terminal) -> None:
    page.say("## Look back, and once more")
    shell.run("devbridge jobs", r"^ID")
    shown = page.show(shell)
    failed = re.search(r"^([0-9a-f]{8}) +rates", shown.plain, re.M)
    assert failed is not None
    order = '[{"id": 7, "amount": 3, "currency": "USD"}]'
    rerun = f"devbridge rerun {failed[1]} --payload '{order}' --wait"
    shell.run(rerun, r"^Done +took .*result 3.0")
    again = page.show(shell)
    ran = re.search(r"^([0-9a-f]{8})\S* +rates", again.plain, re.M)
    assert ran is not None
    shell.run(f"devbridge result {ran[1]}", r"^3.0$")
    shell.run(f"devbridge status {failed[1]}", r"FAILED")
    page.show(shell)


def _threads(page: Page, dev: Terminal, shell: Terminal) -> None:
    page.say("## What goes on after the answer is said")
    shell.run("devbridge invoke slow --payload '\"leave\"'")
    dev.see(r"upload.*")
    page.show(shell)
    page.show(dev)


def _tests(page: Page, shell: Terminal) -> None:
    page.say(
        "## Tests of your own\n\nThe template's: one runs the handler in pytest's process, two have"
        " the whole app\non an embedded cloud that is the tests' own. See [testing.md](testing.md)."
    )
    shell.run("pytest -q", r"passed")
    page.show(shell)


def _ends(page: Page, dev: Terminal, shell: Terminal) -> None:
    page.say("## The end")
    dev.interrupt()
    page.show(dev)
    shell.run("devbridge invoke factorial --payload '{\"num\": 5}'", r"^error: ")
    shell.run("devbridge jobs --job slow --json | head -5")
    page.show(shell)


def _in_time(page: Page, dev: Terminal, shell: Terminal) -> None:
    page.say(
        "## Once more, with a timeout that one can wait for\n\n"
        "The second start deploys what was saved of a function since: it answers while nobody is\n"
        "here ([live-functions.md](live-functions.md#nobody-at-home))."
    )
    dev.type("devbridge dev --local --timeout 2s")
    dev.see(r"^Ready in")
    dev.see(r"^ +curl .*/orders'$")
    shell.run("devbridge invoke slow --payload '\"late\"' --wait", r"imed out")
    dev.see(r"imed out")
    dev.interrupt()
    page.show(dev)
    page.show(shell)
