from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from devbridge.build.zips import Asset, make_zip


def test_the_same_files_make_the_same_bytes_whatever_their_order_time_and_mode(
    tmp_path: Path,
) -> None:
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("a")
    b.write_text("b")
    first = make_zip({"x/a.py": a, "b.py": b})
    os.utime(a, (1_000_000_000, 1_000_000_000))
    b.chmod(0o700)
    assert make_zip({"b.py": b, "x/a.py": a}) == first
    assert Asset("x", first).key == Asset("y", first).key


def test_other_content_makes_another_key(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("a")
    first = Asset("a", make_zip({"a.py": file})).key
    file.write_text("b")
    assert Asset("a", make_zip({"a.py": file})).key != first


def test_packed_files_are_readable_by_everyone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.touch(mode=0o600)
    with zipfile.ZipFile(io.BytesIO(make_zip({"a.py": file}))) as archive:
        assert archive.infolist()[0].external_attr >> 16 == 0o100644
