"""`python -m devbridge` is the same as the `devbridge` command."""

from devbridge.cli import main

if __name__ == "__main__":
    main(prog_name="devbridge")
