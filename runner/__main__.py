"""``python -m runner``, or ``python path/to/runner`` where the package is not on the path.

Without arguments it runs one invocation as the environment says. In front, ``files N`` lets this
process open so many files, as its daemon's shell does; then ``die-with PID`` ends the
process when its parent, PID, is gone; ``exec COMMAND...`` makes it another program, which keeps
that; ``zygote FD`` serves forked workers on that socket instead; ``run`` runs a whole job, where it
is deployed (an older devbridge has deployed buildspecs that say ``build``). A worker ends as
`runner.ending` says.
"""

from __future__ import annotations

import contextlib
import os
import sys


def _find_package() -> None:
    # Only `runner` may come from the folder above: it can be devbridge's own site-packages, whose
    # other packages would hide a dependency that the app forgot to declare.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    above = os.path.dirname(here)
    sys.path.insert(0, above)
    import runner  # noqa: F401

    sys.path.remove(above)


def main() -> int:
    """Do what the arguments say; the exit code. See the module's docstring."""
    if not __package__:
        _find_package()
    arguments = sys.argv[1:]
    sys.argv[:] = ["runner"]
    if arguments[:1] == ["files"]:
        _limit_files(int(arguments[1]))
        arguments = arguments[2:]
    if arguments[:1] == ["die-with"]:
        from runner.process import die_with_parent

        die_with_parent(int(arguments[1]))
        arguments = arguments[2:]
    if arguments[:1] == ["exec"]:
        return _become(arguments[1:])
    if arguments[:1] == ["zygote"]:
        return _zygote(int(arguments[1]))
    if arguments[:1] in (["run"], ["build"]):
        # `-m` has put the app's folder there, whose files may have names of the standard library.
        sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.getcwd()]
        from runner.host.main import main as run

        return run()
    from runner import ending
    from runner.worker import main as worker

    return ending.leave(worker())


def _become(command: list[str]) -> int:
    import signal

    for ignored in ("SIGPIPE", "SIGXFSZ"):  # by Python, and by what it becomes
        with contextlib.suppress(AttributeError, OSError, ValueError):
            signal.signal(getattr(signal, ignored), signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        print(f"runner: {command[0]} cannot be started: {error.strerror}", file=sys.stderr)
    return 127


def _limit_files(soft: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _zygote(descriptor: int) -> int:
    # What is imported first is what a worker that is no fork has at its beginning.
    from runner import ending
    from runner.worker import main as worker

    with contextlib.suppress(ImportError):
        import faulthandler  # noqa: F401 - a worker's first import

    base = frozenset(sys.modules)
    from runner.preloading import Notes

    notes = Notes(base)
    notes.begin()
    from runner.zygote import main as zygote

    return ending.leave(worker()) if zygote(descriptor, notes) else 0


if __name__ == "__main__":
    sys.exit(main())
