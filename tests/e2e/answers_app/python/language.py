"""What the app is written in: Python."""

RUNTIME = None
