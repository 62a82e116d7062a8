"""The stub files of an app: the public parts of two modules, with the app's own names and types.

They make a package `devbridge` in ``typings/``, where pyright looks first without being told, and
mypy as soon as it is given the folder; every module but these two is then found in the real one.
"""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import keyword
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Final

import devbridge
from devbridge import job as job_module
from devbridge import resources as resources_module
from devbridge.constructs import App, Job
from devbridge.definitions import parsed
from devbridge.types.annotations import Annotations, docstring, names, pascal
from devbridge.types.model import Instance, JobTypes
from devbridge.types.resources import bound_names, kinds

FOLDER: Final = "typings"
MARK: Final = "# Made by `devbridge types`"
"""How the files begin; one that begins otherwise is somebody else's."""
_HEAD: Final = f"{MARK} from app.py and its handlers: what is changed here is lost."

_JOB_HEAD: Final = """\
_P = TypeVar("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

class _Handler(Protocol[_R_co]):
    def __call__(self, payload: Any = None, context: Any = None) -> _R_co: ...

class _List(Protocol[_T_co]):
    '''A list that is only read. No str, bytes or set is one.'''
    def __iter__(self) -> Iterator[_T_co]: ...
    def reverse(self) -> None: ...

_Array: TypeAlias = _List[_T] | tuple[_T, ...]
"""
_HANDLERS: Final = "Callable[[], _R] | Callable[[Any], _R] | Callable[[Any, Any], _R]"
_TYPING: Final = (
    "Any",
    "ClassVar",
    "Generic",
    "Literal",
    "Never",
    "NotRequired",
    "Protocol",
    "TypeAlias",
    "TypedDict",
    "TypeVar",
)
_ABC: Final = ("Callable", "Iterator", "Mapping")
_EXTENSIONS: Final = ("ReadOnly",)
_WHOLE: Final = ("builtins", "datetime")
"""Modules that are imported as such."""
_MARKS: Final = {
    "dataclass": ("__dataclass_fields__", "dict[str, Any]"),
    "struct": ("__struct_fields__", "tuple[str, ...]"),
}
"""By what the instances of a form are known: an attribute of the class, and its type."""


def stubs(app: App, types: Mapping[str, JobTypes]) -> dict[str, str]:
    """Each stub file's path below the app's folder, and its text."""
    return {
        f"{FOLDER}/devbridge/__init__.pyi": _package(),
        f"{FOLDER}/devbridge/job.pyi": _job(app, types),
        f"{FOLDER}/devbridge/resources.pyi": _resources(app),
    }


def _package() -> str:
    """What `devbridge` itself exports. Without this file mypy would take the others for modules of
    no package when it is given the whole folder."""
    lines = [f"from devbridge.constructs import {name} as {name}" for name in devbridge.__all__]
    return "\n".join([_HEAD, "", *lines, "", "__version__: str", ""])


# --- devbridge.job ------------------------------------------------------------------------------


def _job(app: App, types: Mapping[str, JobTypes]) -> str:
    others = ("Job", "JobContext", "job_handler")
    public = [name for name in job_module.__all__ if name not in others]
    file = Annotations(taken=[*public, *others, "BoundJob", *_TYPING, *_ABC, *_EXTENSIONS, *_WHOLE])
    attributes: dict[str, str] = {}
    docs: dict[str, str] = {}
    instances = []
    for job in app.of_type(Job):
        known = types.get(job.name, JobTypes())
        begin = pascal(job.name)
        if known.payload is None:
            payload = "Any"
        else:
            payload = file.of(known.payload, begin, "Payload", sent=True)
        optional = payload in ("Any", "None") or payload.endswith(" | None")
        if payload != "Any":
            for instance in known.instances:
                own = pascal(instance.name.rpartition(".")[2]) or "Instance"
                name = file.unique(begin + own)
                payload += f" | {name}"
                instances.append(_protocol(name, instance))
        result = file.of(known.result, begin, "Result", sent=False) if known.result else "Any"
        if (attribute := _identifier(job.name)) is None:
            continue
        bound = f"_BoundJob{'WithDefault' if optional else ''}[{payload}, {result}]"
        runs = str(job.handler) if job.handler else "a container"
        attributes[attribute] = f"ClassVar[{bound}]"
        docs[attribute] = docstring(f"Runs {runs}.")
    jobs = [repr(job.name) for job in app.of_type(Job)]
    literal = f"Literal[{', '.join(jobs)}]" if jobs else "Never"
    lines = [
        f"    {name}: {_outside(attributes, of)}\n{docs[name]}" for name, of in attributes.items()
    ]
    source = _Source(job_module)
    parts = [
        "from devbridge.job_context import JobContext as JobContext\n",
        _JOB_HEAD,
        *(source.stub(name) for name in public),
        source.stub("BoundJob", rename="_AnyJob", edit=_common),
        source.stub("BoundJob", rename="_BoundJob", edit=_run_with("_P")),
        source.stub("BoundJob", rename="_BoundJobWithDefault", edit=_run_with("_P", "None")),
        *file.definitions,
        *instances,
        _namespace("Job", source, lines),
        source.stub("job_handler", edit=_decorator(literal)),
        f"__all__ = {sorted(job_module.__all__)!r}\n",
    ]
    return _file(parts, source)


def _protocol(name: str, instance: Instance) -> str:
    """What an instance of a class has. Importing the class instead would make every caller's check
    read the job's module, and under a name that mypy may not give to it."""
    own = dict(instance.fields)
    mark = ""
    if instance.form == "pydantic":
        own["model_fields_set"] = "set[str]"
    elif instance.form in _MARKS:
        attribute, of = _MARKS[instance.form]
        mark = f"    {attribute}: ClassVar[{_outside(own, of)}]\n"
    fields = "".join(
        f"    @{_outside(own, 'property')}\n    def {field}(self) -> {_outside(own, of)}: ...\n"
        for field, of in own.items()
        if not field.startswith("__")
    )
    return f"class {name}(Protocol):\n{docstring(f'An instance of {instance.name}.')}{mark}{fields}"


def _outside(attributes: Collection[str], annotation: str) -> str:
    """The annotation inside a class whose attributes hide builtins: ``builtins.list[str]``."""
    hidden = names(annotation).intersection(attributes, dir(builtins))
    if not hidden:
        return annotation
    tree = parsed(annotation)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in hidden:
            node.id = f"builtins.{node.id}"
    return ast.unparse(tree)


def _common(node: ast.ClassDef) -> None:
    node.bases = [ast.Name("Generic[_R]")]
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    node.body = [item for item in methods if item.name != "run"]
    for method in methods:
        if method.name == "result":
            method.returns = ast.Name("_R")


def _run_with(payload: str, default: str = "") -> Callable[[ast.ClassDef], None]:
    def edit(node: ast.ClassDef) -> None:
        methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
        doc = [item for item in node.body if isinstance(item, ast.Expr)][:1]
        run = next(method for method in methods if method.name == "run")
        run.args.args[1].annotation = ast.Name(f"{payload} | {default}" if default else payload)
        run.args.defaults = [ast.Name(default)] if default else []
        node.bases = [ast.Name("_AnyJob[_R]"), ast.Name("Generic[_P, _R]")]
        node.body = [*doc, run]

    return edit


def _decorator(literal: str) -> Callable[[ast.FunctionDef], None]:
    def edit(node: ast.FunctionDef) -> None:
        node.args.args[0].annotation = ast.Name(f"{literal} | None")
        node.returns = ast.Name(f"Callable[[{_HANDLERS}], _Handler[_R]]")

    return edit


# --- devbridge.resources ------------------------------------------------------------------------


def _resources(app: App) -> str:
    source = _Source(resources_module)
    bound = bound_names(app)
    parts = [source.stub(name) for name in source.functions]
    parts += [_source_of(of).stub(of.__name__, edit=_without_bases) for of in kinds().values()]
    for kind, of in kinds().items():
        attributes = [
            f"    {attribute}: ClassVar[{of.__name__}]\n"
            for attribute in map(_identifier, bound[kind])
            if attribute
        ]
        parts.append(_namespace(kind, source, attributes))
    return _file(parts, source)


def _source_of(of: type) -> _Source:
    return _Source(sys.modules[of.__module__])


def _without_bases(node: ast.ClassDef) -> None:
    node.bases = []


# --- both ---------------------------------------------------------------------------------------


def _identifier(name: str) -> str | None:
    """The attribute that a construct's name is read by; None if Python's grammar has none."""
    attribute = name.replace("-", "_")
    return None if keyword.iskeyword(attribute) else attribute


def _namespace(name: str, source: _Source, attributes: Iterable[str]) -> str:
    doc = source.doc(name) or f"What is bound of kind {name}, by name, with '_' for '-'."
    return f"class {name}:\n{docstring(doc)}" + "".join(attributes)


def _file(parts: Iterable[str], source: _Source) -> str:
    body = "\n".join(parts)
    used = {node.id for node in ast.walk(parsed(body)) if isinstance(node, ast.Name)}
    imports = source.imports(used)
    for module, exported in (
        ("collections.abc", _ABC),
        ("typing", _TYPING),
        ("typing_extensions", _EXTENSIONS),
    ):
        imports.setdefault(module, set()).update(used.intersection(exported))
    lines = [f"import {module}" for module in _WHOLE if module in used]
    lines += [f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(imports.items()) if n]
    return "\n".join([_HEAD, "", *lines, "", body])


class _Source:
    """A module of devbridge as it is written: its signatures are the truth that stubs repeat."""

    def __init__(self, module: ModuleType) -> None:
        self._tree = parsed(inspect.getsource(module))

    @property
    def functions(self) -> list[str]:
        """The functions that are no part of the inside."""
        defined = [node.name for node in self._tree.body if isinstance(node, ast.FunctionDef)]
        return [name for name in defined if not name.startswith("_")]

    def doc(self, name: str) -> str:
        node = self._find(name)
        return (ast.get_docstring(node) or "") if node else ""

    def imports(self, used: set[str]) -> dict[str, set[str]]:
        """The imports that these names need, by module."""
        return {
            node.module: found
            for node in self._tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__"
            if (found := {alias.name for alias in node.names} & used)
        }

    def stub(self, name: str, *, rename: str = "", edit: Callable[..., None] | None = None) -> str:
        """The stub of a class or function."""
        found = self._find(name)
        if found is None:
            raise LookupError(name)
        node = copy.copy(found)
        node.name = rename or name
        if isinstance(node, ast.ClassDef):
            node.bases = [b for b in node.bases if not ast.unparse(b).startswith("_")]
            node.body = list(_public(node.body))
            _shorten(node)
        else:
            node = _emptied(node)
        if edit:
            node = copy.deepcopy(node)  # small, now that the functions are empty
            edit(node)
        return ast.unparse(node) + "\n"

    def _find(self, name: str) -> ast.ClassDef | ast.FunctionDef | None:
        for node in self._tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return node
        return None


def _public(items: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What of a class is no part of its inside."""
    docs: list[ast.stmt | None] = [*items[1:], None]
    for item, after in zip(items, docs, strict=True):
        match item:
            case ast.FunctionDef(name=name):
                if not name.startswith("_"):
                    yield _emptied(item)
            case ast.Assign(targets=[ast.Name(name)], value=ast.Call(func=ast.Name("_Property"))):
                if not name.startswith("_"):
                    yield _property(name, after)
            case ast.Expr() if not _documents(items, item):
                yield item
            case ast.AnnAssign():
                yield item


def _documents(items: list[ast.stmt], item: ast.stmt) -> bool:
    """Whether this is the docstring of a `_Property`, which has become a function's."""
    at = items.index(item)
    return at > 0 and isinstance(items[at - 1], ast.Assign)


def _property(name: str, doc: ast.stmt | None) -> ast.stmt:
    """A `_Property` of `devbridge.resources` as type checkers and editors know one."""
    (made,) = parsed(f"@property\ndef {name}(self) -> str: ...").body
    if isinstance(made, ast.FunctionDef) and isinstance(doc, ast.Expr):
        made.body.insert(0, doc)
    return made


def _emptied(node: ast.FunctionDef) -> ast.FunctionDef:
    """Of a function its signature and the first paragraph of its docstring."""
    doc = ast.get_docstring(node) or ""
    node = copy.copy(node)
    node.body = [ast.Expr(ast.Constant(...))]
    if doc:
        node.body.insert(0, ast.Expr(ast.Constant(_first(doc))))
    return node


def _shorten(node: ast.ClassDef) -> None:
    doc = ast.get_docstring(node)
    if doc:
        node.body[0] = ast.Expr(ast.Constant(_first(doc)))
    elif not node.body:
        node.body = [ast.Expr(ast.Constant(...))]


def _first(doc: str) -> str:
    return doc.strip().partition("\n\n")[0]
