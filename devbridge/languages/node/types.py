"""What the jobs of Node.js take and return: TypeScript is asked, and nothing of theirs runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.constructs import App, Job
from devbridge.languages.node import projects, tsc
from devbridge.languages.node.declarations import LANGUAGE, PACKAGE, declared
from devbridge.languages.node.grammar import Note, read
from devbridge.languages.node.probe_file import Asked, job_at, probe_file, written
from devbridge.languages.node.tools import any_node
from devbridge.sources.known import SOURCES
from devbridge.types.model import JobTypes, Slow
from devbridge.types.sender_schema import accepted
from runner import stuck

_PROBE: Final = "devbridge-probe.ts"
_ABOUT_DECLARATIONS: Final = frozenset({2742, 2883, 7056, 5055, 5056, 6059, 6307})
"""What tsc says of declarations that cannot be written, and files that cannot: nobody writes any.
So do all from 4000 to 4999, and from 9000 to 9999."""
_NO_MEMBER: Final = (2339, 2551)
_MOST: Final = 5
"""Type errors that are shown of one project."""


@dataclass(frozen=True, slots=True)
class _How:
    timeout: float
    slow: Callable[[Slow], None]
    stopped: Callable[[], bool]
    node: Callable[[], str | None]


def probe(
    app: App,
    jobs: Iterable[Job],
    *,
    timeout: float = 120.0,
    slow: Callable[[Slow], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    node: Callable[[], str | None] = any_node,
) -> dict[str, JobTypes]:
    """What each of these jobs takes and returns, by its name, told by the project's TypeScript.

    The payload's type is that of `JobTypes`, else that of the handler's schema or first parameter.
    What cannot be told, or not within `timeout` seconds, gives a warning, and takes and returns
    anything; so do the type errors of the handlers' code.

    Args:
        slow: is told if it takes long, again and again.
        stopped: asked often; when it says so, tsc is killed, and jobs that nothing is known of yet
            take and return anything.
        node: finds a Node.js for a TypeScript that needs one.
    """
    source = SOURCES[LANGUAGE]
    asked = [
        Asked(job.name, source.file(app.root, job.handler.module), job.handler.function)
        for job in jobs
        if job.handler is not None
    ]
    how = _How(timeout, slow, stopped, node)
    found: dict[str, JobTypes] = {}
    for project in projects.projects(app.root, asked):
        found |= _of_project(app, project, how)
    return found


def _of_project(app: App, project: projects.Project, how: _How) -> dict[str, JobTypes]:
    compiler = tsc.compiler(project.folder, how.node)
    if compiler is None:
        return _unknown(project.asked, _no_compiler(app.root, project), loaded=True)
    package = tsc.installed(project.asked[0].file.parent, PACKAGE)
    text = probe_file(project.asked, package)
    with tempfile.TemporaryDirectory(prefix="devbridge-types-") as temporary:
        folder = Path(temporary).resolve()
        place = projects.workplace(project, folder)
        probing, names, out = place / _PROBE, place / projects.ENV, folder / "out"
        probing.write_text(text, encoding="utf-8")
        # What is known of the app by now: the names. Of one that does not import the package, too.
        names.write_text(declared(app, {}, has_package=package is not None), encoding="utf-8")
        files = [probing, names, *projects.ambient(project.folder)]
        config = projects.write_config(place, projects.options(project, files, out))
        ended = tsc.run(
            compiler,
            ["--project", str(config), "--pretty", "false"],
            app.root,
            timeout=how.timeout,
            stopped=how.stopped,
            waiting=_Waiting(project, how.slow),
        )
        if ended.failure:
            told = "" if how.stopped() else f"its types are not known: {ended.failure}"
            return _unknown(project.asked, told, loaded=True)
        made = out / probing.with_suffix(".d.ts").relative_to("/")
        declarations = made.read_text(encoding="utf-8") if made.is_file() else ""
    # An error is said once: of the first job. One in the probe is of that job's handler alone.
    own = [p for p in ended.problems if p.file != probing]
    lacking: dict[str, str] = {}
    for problem in ended.problems:
        if problem.file == probing:
            about = job_at(text, problem.line, project.asked)
            for each in project.asked if about is None else [about]:
                lacking.setdefault(each.job, _lacking(problem, each))
    found = _types(app.root, project, written(declarations, project.asked), lacking)
    first = project.asked[0].job
    errors = type_errors(own, app.root)
    texts = [text for text in (found[first].warning, errors) if text]
    return {**found, first: _with_warning(found[first], "\n".join(texts))}


def _lacking(problem: tsc.Problem, asked: Asked) -> str:
    if problem.code in _NO_MEMBER:
        return f"it does not export {asked.function!r}"
    return problem.message.splitlines()[0]


class _Waiting:
    """Tells of a compiler that takes long, each time that it has become notable."""

    def __init__(self, project: projects.Project, slow: Callable[[Slow], None]) -> None:
        self._how = f"asking TypeScript about {project.asked[0].file.name}"
        if len(project.asked) > 1:
            self._how += f" and {len(project.asked) - 1} more"
        self._slow = slow
        self._told = 0

    def __call__(self, seconds: float) -> None:
        if self._told < len(stuck.NOTICES) and seconds >= stuck.NOTICES[self._told]:
            self._told += 1
            self._slow(Slow(self._how, seconds, ""))


def _types(
    root: Path,
    project: projects.Project,
    types: Mapping[str, tuple[str, str]],
    lacking: Mapping[str, str],
) -> dict[str, JobTypes]:
    found: dict[str, JobTypes] = {}
    for each in project.asked:
        if each.job in lacking or each.job not in types:
            why = lacking.get(each.job, "TypeScript wrote nothing of it")
            found |= _unknown([each], f"{_shown(each.file, root)}: {why}", loaded=False)
            continue
        payload, result = types[each.job]
        takes = read(payload, "payload", sent=True)
        returns = read(result, "result", sent=False)
        found[each.job] = JobTypes(
            payload=takes.schema or None,
            result=returns.schema or None,
            accepted=accepted(takes.schema, "msgspec") if takes.schema else None,
            warning=noted([*takes.notes, *returns.notes], _shown(each.file, root)),
        )
    return found


def noted(notes: Sequence[Note], file: str) -> str:
    """What could not be said of a job's types, each thing once."""
    paths: dict[str, list[str]] = {}
    for note in notes:
        paths.setdefault(note.what, []).append(note.path)
    parts = []
    for what, (first, *others) in paths.items():
        more = f" (and {', '.join(others)})" if others else ""
        parts.append(f"{first} {what}{more}")
    return f"{file}: {'; '.join(parts)}" if parts else ""


def type_errors(problems: Sequence[tsc.Problem], root: Path) -> str:
    """The errors in the user's own code, as far as they are few, with their lines."""
    own = [p for p in problems if not _about_declarations(p.code) and _is_own(p.file, root)]
    shown = [_error(problem, root) for problem in own[:_MOST]]
    if len(own) > _MOST:
        shown.append(f"and {len(own) - _MOST} more: see `npx tsc --noEmit`")
    return "\n".join(shown)


def _error(problem: tsc.Problem, root: Path) -> str:
    message = f"{problem.message} (TS{problem.code})"
    if problem.file is None:
        return message
    at = f"{_shown(problem.file, root)}:{problem.line}:{problem.column}"
    try:
        lines = problem.file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    if not 0 < problem.line <= len(lines):
        return f"{at}: {message}"
    line = lines[problem.line - 1].replace("\t", " ")
    shift = len(line) - len(line.lstrip())
    caret = " " * (problem.column - 1 - shift) + "^"
    return f"{at}: {message}\n    {line.strip()}\n    {caret}"


def _about_declarations(code: int) -> bool:
    return code in _ABOUT_DECLARATIONS or code // 1000 in (4, 9)


def _is_own(file: Path | None, root: Path) -> bool:
    """Whether a file is the user's: one of the app's, or the settings that it is compiled with."""
    if file is None:
        return True
    return "node_modules" not in file.parts and (
        file.is_relative_to(root) or file.suffix == ".json"
    )


def _no_compiler(root: Path, project: projects.Project) -> str:
    package = tsc.installed(project.folder, "typescript")
    if package is not None:
        return (
            "its types are not known: the project's TypeScript needs a Node.js, and none is there"
        )
    several = f", like those of {len(project.asked) - 1} more" if project.asked[1:] else ""
    folder = _shown(project.folder, root)
    where = "" if folder == "." else f" in {folder}"
    return (
        f"its types are not known{several}: the project has no TypeScript;"
        f" run `npm i -D typescript`{where}"
    )


def _unknown(asked: Sequence[Asked], warning: str, *, loaded: bool) -> dict[str, JobTypes]:
    """Jobs that take and return anything; why is said once."""
    return {
        each.job: JobTypes(warning="" if at else warning, loaded=loaded)
        for at, each in enumerate(asked)
    }


def _with_warning(types: JobTypes, warning: str) -> JobTypes:
    return JobTypes(
        types.payload, types.result, types.instances, types.accepted, warning, types.loaded
    )


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
