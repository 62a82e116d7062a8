"""The text that a container's Python is given: it fetches the job's code and becomes the runner.

Made of the modules that do so here, without what is for people; the standard library only.
"""

from __future__ import annotations

import ast
from pathlib import Path

from runner import signed, sigv4
from runner.host import unpacking

_BEGIN = """\
import sys, types
def module(name, text):
    made = sys.modules[name] = types.ModuleType(name)
    exec(text, made.__dict__)
    return made
"""


def script() -> str:
    """The text. The same for all jobs, and on every machine."""
    modules = {one.__name__: Path(str(one.__file__)) for one in (sigv4, signed, unpacking)}
    texts = "".join(
        f"module({name!r}, r'''\n{bare(path.read_text('utf-8'))}''')\n"
        for name, path in modules.items()
    )
    return f"{_BEGIN}{texts}sys.modules[{unpacking.__name__!r}].main()\n"


def bare(source: str) -> str:
    """The same program without comments of their own line, documentation, and empty lines; each
    step of indentation is one space."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        found = getattr(node, "body", None)
        body = found if isinstance(found, list) else []
        for text in body:
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                lonely = len(body) == 1
                kept = f"{lines[text.lineno - 1][: text.col_offset]}pass" if lonely else ""
                end = text.end_lineno or text.lineno
                lines[text.lineno - 1 : end] = [kept, *[""] * (end - text.lineno)]
    kept_lines = (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return "".join(f"{_dented(line.split('  # noqa')[0])}\n" for line in kept_lines)


def _dented(line: str) -> str:
    text = line.lstrip()
    return " " * ((len(line) - len(text)) // 4) + text
