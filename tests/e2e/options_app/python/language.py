"""What the app is written in: Python."""

RUNTIME = None
INSTALL = ["cowsay==6.1"]


def more(app):
    """Nothing but what both languages have."""
