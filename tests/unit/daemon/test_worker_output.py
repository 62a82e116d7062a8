from __future__ import annotations

from devbridge.daemon.worker_output import ONE_LINE, WorkerOutput
from tests.unit.daemon.screens import Paper


async def test_lines_of_output_are_behind_the_bar_and_the_time() -> None:
    paper = Paper()
    output = WorkerOutput(paper, "|  ")
    output.printed(b"before\n")
    output.begin("|  a  ")
    output.printed(b"within\nno end")
    output.say("ours")
    before, within, rest, ours = paper.lines
    assert before == "|  before"
    assert within.startswith("|  a  +")
    assert within.endswith("within")
    assert rest.endswith("no end")
    assert ours == "|  a  ours"


async def test_a_whole_run_is_one_line_only_where_it_fits() -> None:
    paper = Paper()
    output = WorkerOutput(paper, "|  ")
    output.say_soon("Invoke a", lambda texts, hang: paper.hold(texts, hang=hang))
    assert not output.say_at_once(lambda invoked: invoked + "x" * ONE_LINE)
    assert output.say_at_once(lambda invoked: f"{invoked} Done")
    paper.release()
    assert paper.lines == ["|  Invoke a Done"]
