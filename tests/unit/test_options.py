"""What options of ``@job_handler`` are written with, where nobody reads them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from devbridge import options


def test_whatever_stands_in_an_option_does_nothing() -> None:
    from devbridge.options import Lambda, OnQueue

    assert OnQueue("orders", batch_size=1) is None
    assert Lambda() is None


def test_python_finds_nothing_of_its_own_there() -> None:
    with pytest.raises(AttributeError, match="__path__"):
        options.__path__  # noqa: B018


def test_nothing_of_the_constructs_is_imported() -> None:
    code = "import sys\nfrom devbridge.options import OnQueue\nassert OnQueue('a') is None\n"
    code += "assert not [name for name in sys.modules if 'constructs' in name]"
    subprocess.run([sys.executable, "-c", code], check=True)
