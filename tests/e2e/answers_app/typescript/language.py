"""What the app is written in: TypeScript."""

RUNTIME = "nodejs24.x"
