"""``python .../probe/__main__.py FOLDER``: a question on stdin, the answer on stdout.

Both are JSON; see `answer`. FOLDER is the one that the package devbridge is in.
"""

from __future__ import annotations

# What the probe's modules import is imported first: the folder may have files of the same names.
import ast
import functools
import importlib.machinery
import json
import operator
import os
import re
import sys
import warnings

if __name__ == "__main__":
    _standard = (ast, functools, importlib.machinery, operator, os, re, warnings)
    sys.path.insert(0, sys.argv[1])
    from devbridge.languages.python.probe.questions import answer

    sys.path.remove(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    json.dump(answer(json.load(sys.stdin)), out)
    out.flush()
