"""The file that makes TypeScript write down what handlers take and return. Pure.

Its exports have no types of their own, so that tsc works them out, and writes them with all names
resolved into its declarations. Nothing of it ever runs. It names no type that the library of an old
`target` has not: what is a Map or a Set, it tells by what they have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devbridge.languages.node.grammar import ALONE, NUMBER, RECURSION, TEXT

_EXPORT: Final = re.compile(r"^export declare const (?P<kind>[pr])(?P<at>\d+): ", re.MULTILINE)
_HEAD: Final = f"""\
declare function id<T>(): T;
type Box<T> = <G>() => G extends T ? 1 : 2;
type Collection = {{ has(value: any): boolean; delete(value: any): boolean }}
  | {{ readonly size: number; has(value: any): boolean; forEach(call: any): void }};
type Leaf = boolean | bigint | symbol | null | undefined | void | Date | RegExp | Error
  | PromiseLike<any> | Collection | ArrayBuffer | ArrayBufferView
  | ((...a: any[]) => any) | (abstract new (...a: any[]) => any);
type Expand<T, Seen = never> = 0 extends 1 & T ? T
  : T extends string ? `{TEXT}${{T}}`
  : T extends number ? `${{number}}` extends `${{T}}` ? T : {{ "{NUMBER}": `${{T}}` }}
  : T extends undefined | void ? T
  : T extends Leaf ? {{ {ALONE}: T }}
  : Box<T> extends Seen ? {{ "{RECURSION}": 1 }}
  : T extends {{ toJSON(...a: any[]): infer J }} ? Expand<J, Seen | Box<T>>
  : T extends readonly any[] ? {{ [K in keyof T]: Expand<T[K], Seen | Box<T>> }}
  : T extends object ? {{ [K in keyof T]: Expand<T[K], Seen | Box<T>> }}
  : T;
type Told<F> = "~devbridge" extends keyof F ? NonNullable<F["~devbridge"]> : never;
type Payload<F, N> = 0 extends 1 & F ? unknown
  : "~devbridge" extends keyof F ? Told<F> extends {{ payload: infer P }} ? P : unknown
  : N extends keyof JobTypes ? JobTypes[N]
  : F extends (...all: infer A) => any ? A extends readonly [] ? unknown : A[0]
  : unknown;
type Result<F> = 0 extends 1 & F ? unknown
  : "~devbridge" extends keyof F ? Told<F> extends {{ result: infer R }} ? R : unknown
  : F extends (...all: any[]) => infer R ? Returned<Awaited<R>> : unknown;
type Returned<R> = 0 extends 1 & R ? R
  : R extends {{ next(...a: any[]): infer S; return(a: any): any; throw(e: any): any }}
  ? Extract<Awaited<S>, {{ done: true }}> extends {{ value: infer V }} ? Awaited<V> : unknown
  : R;
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A handler."""

    job: str
    file: Path
    """Absolute."""
    function: str


def probe_file(asked: Sequence[Asked], package: Path | None) -> str:
    """
    Args:
        package: the folder of the npm package devbridge that the handlers import; None: none is
            installed, and what it declares is declared beside this file.
    """
    imported = "devbridge/job" if package is None else f"{package}/job.js"
    lines = [f"import type {{ JobTypes }} from {json.dumps(imported)};"]
    for at, each in enumerate(asked):
        lines.append(f"import type * as h{at} from {json.dumps(str(each.file))};")
    lines.append(_HEAD)
    # One line for each job, for the errors in it: see `job_at`.
    for at, each in enumerate(asked):
        handler, name = f"typeof h{at}.{each.function}", json.dumps(each.job)
        lines.append(
            f"export const p{at} = id<Expand<Payload<{handler}, {name}>>>();"
            f" export const r{at} = id<Expand<Result<{handler}>>>();"
        )
    return "\n".join(lines) + "\n"


def job_at(text: str, line: int, asked: Sequence[Asked]) -> Asked | None:
    """Which handler an error in that line (from 1) of a `probe_file` is about."""
    found = text.splitlines()[line - 1 : line]
    match = re.search(r"export const p(\d+)|import type \* as h(\d+)", found[0]) if found else None
    return asked[int(match[1] or match[2])] if match else None


def written(declarations: str, asked: Sequence[Asked]) -> Mapping[str, tuple[str, str]]:
    """Job -> its payload's and its result's type, as the declarations of a `probe_file` have
    them."""
    starts = [*_EXPORT.finditer(declarations)]
    ends = [each.start() for each in starts[1:]] + [len(declarations)] * bool(starts)
    types = {
        (found["kind"], int(found["at"])): declarations[found.end() : end]
        for found, end in zip(starts, ends, strict=True)
    }
    return {
        each.job: (types[("p", at)], types[("r", at)])
        for at, each in enumerate(asked)
        if ("p", at) in types and ("r", at) in types
    }
