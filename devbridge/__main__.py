"""The `devbridge` command, and `python -m devbridge`, which is the same."""

from devbridge.interrupts import end_at_once


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback while it is being imported, too."""
    end_at_once()
    import atexit  # not before: see `devbridge.interrupts`
    import gc

    # As it ends, Python looks for garbage in all that was imported.
    atexit.register(gc.freeze)
    from devbridge.cli import main as commands

    commands(prog_name="devbridge")


if __name__ == "__main__":
    main()
