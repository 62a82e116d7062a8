"""``python -m tests.mutants MODULE``: would the tests of a module notice if it were wrong?

Makes small changes to a module at random, one at a time, in a copy of the tree, and runs the
module's tests on each: those of its own test file first, then those of its room. What no test
notices is printed with its line: a hole in the tests, or a change that does not matter.

By hand: mutmut and cosmic-ray bring an interface, a database and parsers of their own, and the
tests have to be told to them again.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from tests.mutations import Mutant, chosen, mutants_of

EXIT_KILLED = 0
EXIT_SURVIVED = 1  # at least one, or its tests took too long to say so
EXIT_NOT_TRIED = 2  # a wrong option (argparse has the same), no tests, or tests that fail anyway
EXIT_INTERRUPTED = 130

_NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", ".devbridge", "dist", "site", "*.egg-info"
)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.M)
_COUNTED = re.compile(r" in [\d.]+s\b")  # pytest's last line: a module may have ended pytest itself
_PATIENCE = 2.0  # seconds in which pytest may clean up after an interrupt


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True)
class Verdict:
    """What the tests said: ``seconds`` of wall time; ``by``, the first test that failed."""

    fate: Fate
    seconds: float
    by: str = ""


class NotTried(Exception):
    """Nothing can be said about the module: its tests are missing, or fail without a change."""


def steps_of(module: Path, root: Path) -> list[list[Path]]:
    """The tests of a module: its own file (``devbridge/runs/ledger.py`` has
    ``tests/unit/runs/test_ledger.py``), then the others of its room.
    """
    room = module.parent
    if room.parts[0] == "devbridge":
        room = Path(*room.parts[1:])
    folder = Path("tests/unit") / room
    own = folder / f"test_{module.stem}.py"
    there = sorted(path.relative_to(root) for path in (root / folder).glob("test_*.py"))
    return [step for step in ([one for one in there if one == own], [*there]) if step]


class Copy:
    """A copy of the tree, in which the tests run; gone with its processes at the end."""

    def __init__(self, folder: Path, module: Path, root: Path) -> None:
        self._tree = folder / "tree"
        shutil.copytree(root, self._tree, ignore=_NOT_COPIED, symlinks=True)
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._module = self._tree / module
        self._changed = self._module.stat().st_mtime_ns

    def write(self, source: bytes) -> None:
        """Replaces the module. Its time changes too: Python compares it with its cache's."""
        self._changed += 10**9
        self._module.write_bytes(source)
        os.utime(self._module, ns=(self._changed, self._changed))

    def judge(self, steps: Sequence[Sequence[Path]], limit: float) -> Verdict:
        """Runs the tests until one fails, for at most ``limit`` seconds."""
        began = time.monotonic()
        done: list[Path] = []
        for step in steps:
            paths = [path for path in step if path not in done]
            done += paths
            left = limit - (time.monotonic() - began)
            output = self._pytest(paths, limit, left) if paths else ""
            if output is None:
                return Verdict(Fate.OUT_OF_TIME, time.monotonic() - began)
            if output:
                failed = _FAILED.search(output)
                by = failed[1] if failed else output.strip()[-500:]
                return Verdict(Fate.KILLED, time.monotonic() - began, by)
        return Verdict(Fate.SURVIVED, time.monotonic() - began)

    def _pytest(self, paths: Sequence[Path], limit: float, left: float) -> str | None:
        """What pytest prints of a failure: nothing when there is none, None when time is up.

        A test that hangs is a test that fails: it has half of the time.
        """
        command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-x", "--tb=no", "-rfE"]
        without = ("cacheprovider", "xdist", "anyio")  # not used, and slow to import
        plugins = [argument for name in without for argument in ("-p", f"no:{name}")]
        environment = os.environ | {
            # Also for the processes that tests start elsewhere: devbridge is installed editable.
            "PYTHONPATH": str(self._tree),
            "TMPDIR": str(self._temporary),
        }
        process = subprocess.Popen(
            [*command, *plugins, f"--timeout={limit / 2}", *map(str, paths)],
            cwd=self._tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=max(left, 0))
        except subprocess.TimeoutExpired:
            return None
        finally:
            _stop(process)
        passed = process.returncode == 0 and _COUNTED.search(output)
        return "" if passed else output or "pytest ended without a word"


def _stop(process: subprocess.Popen[str]) -> None:
    """Ends pytest, and what its tests have started."""
    with suppress(psutil.NoSuchProcess):
        started = psutil.Process(process.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        for one in started:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.kill()
    process.wait()


def try_mutants(
    module: Path,
    steps: Sequence[Sequence[Path]],
    *,
    number: int,
    seed: int,
    limit: float,
    say: Callable[[str], None],
    root: Path,
) -> list[Verdict]:
    """Tries ``number`` mutants of a module, with ``limit`` seconds for each, and tells of each.

    Raises:
        NotTried: the tests fail without any change, or there are none.
    """
    if not steps:
        raise NotTried(f"{module} has no tests: name some with --tests")
    source = (root / module).read_bytes()
    mutants = chosen(mutants_of(source), number, seed)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        tree = Copy(Path(folder), module, root)
        unchanged = tree.judge(steps, 30 * limit)
        if unchanged.fate is not Fate.SURVIVED:
            raise NotTried(f"without a change, this fails or hangs: {unchanged.by}")
        say(f"{module}: {len(mutants)} mutants, tests of {unchanged.seconds:.1f} s, seed {seed}")
        if unchanged.seconds > limit:
            say(f"the tests need more than the {limit:g} s that each mutant has: use --timeout")
        for mutant in mutants:
            tree.write(mutant.source)
            verdict = tree.judge(steps, limit)
            verdicts.append(verdict)
            say(_line(module, mutant, verdict))
    return verdicts


def _line(module: Path, mutant: Mutant, verdict: Verdict) -> str:
    where = f"{verdict.fate.value:<11} {module}:{mutant.line} ({mutant.kind})"
    if verdict.fate is Fate.KILLED:
        return f"{where} in {verdict.seconds:.1f} s by {verdict.by}"
    return f"{where}\n{mutant.diff()}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many have died, and how long the slowest took."""
    fates = Counter(verdict.fate for verdict in verdicts)
    killed = [verdict.seconds for verdict in verdicts if verdict.fate is Fate.KILLED]
    slowest = f" in at most {max(killed):.1f} s" if killed else ""
    return (
        f"{len(killed)} of {len(verdicts)} mutants killed{slowest}, "
        f"{fates[Fate.SURVIVED]} survived, {fates[Fate.OUT_OF_TIME]} out of time"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, one of those above."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description=(__doc__ or "").partition("\n\n")[0],
        epilog="Exit code: 0 all killed, 1 not all, 2 nothing tried.",
    )
    parser.add_argument("module", type=Path, help="for example devbridge/runs/ledger.py")
    parser.add_argument("number", type=int, nargs="?", default=20, help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="another choice of them (default: 1)")
    parser.add_argument("--timeout", type=float, default=10, help="seconds for each (default: 10)")
    parser.add_argument(
        "--tests", type=Path, nargs="+", help="files or folders, instead of its own"
    )
    options = parser.parse_args(arguments)
    root, module = Path.cwd(), options.module
    if module.is_absolute() or not module.is_file():
        parser.error(f"there is no {module} in {root}")
    steps = [[path] for path in options.tests] if options.tests else steps_of(module, root)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        verdicts = try_mutants(
            module,
            steps,
            number=options.number,
            seed=options.seed,
            limit=options.timeout,
            say=lambda line: print(line, flush=True),
            root=root,
        )
    except NotTried as reason:
        print(reason, file=sys.stderr)
        return EXIT_NOT_TRIED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(summary(verdicts))
    all_killed = all(verdict.fate is Fate.KILLED for verdict in verdicts)
    return EXIT_KILLED if all_killed else EXIT_SURVIVED


if __name__ == "__main__":
    sys.exit(main())
