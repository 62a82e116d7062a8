"""Libraries, and whether a run that uses them is the same in a fresh interpreter, forked, deployed.

`libraries` is the table, `ways` runs one of them in each way. The suite takes the small ones (see
``tests/integration/test_corpus.py``), ``python -m tests.corpus`` all of them, in an environment
that it makes.
"""
