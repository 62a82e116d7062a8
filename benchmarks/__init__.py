"""What devbridge costs, measured beside what it cannot cost less than.

`python -m benchmarks` prints one table. Ours and its floor are measured in turns, in the same run,
because a machine's speed drifts and only their ratio holds. docs/benchmarks.md says what is what.
"""
