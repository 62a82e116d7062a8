from __future__ import annotations

from pathlib import Path

from devbridge.daemon.halts import Halts


def test_the_worker_reads_how_long_it_was_halted_and_since_when_it_is(tmp_path: Path) -> None:
    halts = Halts(tmp_path / "halted")
    assert not halts.note.exists()
    halts.add(True, 1000.0)
    assert halts.note.read_text() == "0 1000000"
    halts.add(True, 1001.0)
    assert halts.note.read_text() == "0 1000000"
    halts.add(False, 1002.5)
    assert halts.note.read_text() == "2500 0"
    halts.add(False, 1003.0)
    halts.add(True, 1010.0)
    assert halts.note.read_text() == "2500 1010000"
    halts.close()
    halts.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_no_defect(tmp_path: Path) -> None:
    Halts(tmp_path / "gone" / "halted").add(True, 1000.0)
