"""Records a newcomer's first hour in real terminals: `docs/first-hour.md`, and README's picture."""
