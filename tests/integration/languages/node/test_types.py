"""TypeScript 5 and 7 on real programs: what handlers take and return, what callers get wrong."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Job
from devbridge.constructs.load import load_app
from devbridge.languages.node.declarations import declarations
from devbridge.languages.node.tsc import compiler, problems
from devbridge.languages.node.types import probe
from devbridge.types import JobTypes, write
from tests.node import NODE
from tests.npm import project

PACKAGE = Path(__file__).parents[4] / "devbridge" / "languages" / "node" / "package"
SCHEMAS = {"zod": "4.1.12", "valibot": "1.1.0", "arktype": "2.1.23"}
VERSIONS = {"5": "5.9.3", "7": "7.0.2"}

Write = Callable[[Mapping[str, str]], Path]

TEXT: dict[str, Any] = {"type": "string"}
NUM: dict[str, Any] = {"type": "number"}


def record(**members: Any) -> dict[str, Any]:
    """An object's schema; 'a_' is an optional 'a'."""
    properties = {name.removesuffix("_"): member for name, member in members.items()}
    required = [name for name in members if not name.endswith("_")]
    made = {"type": "object", "properties": properties}
    return {**made, "required": required} if required else made


def app_py(*jobs: str) -> str:
    """Jobs in TypeScript: each is ``name=file.function``."""
    lines = [
        f'Job(app, "{name}", handler="{handler}", runtime="nodejs24.x", bind=[notes])'
        for name, handler in (job.split("=") for job in jobs)
    ]
    head = 'from devbridge import App, Job, Table\napp = App("demo")\n'
    return head + "\n".join(['notes = Table(app, "notes", partition_key="id")', *lines]) + "\n"


@pytest.fixture(params=VERSIONS)
def write_app(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes an app that has TypeScript, and the npm package devbridge, installed."""
    version = VERSIONS[request.param]
    packages = {"typescript": version, "@types/node": "22.18.8", **SCHEMAS}
    there = project(f"typescript-{request.param}", packages) / "node_modules"
    own = tmp_path / "node_modules"
    own.mkdir()
    for each in there.iterdir():
        (own / each.name).symlink_to(each)
    (own / "devbridge").symlink_to(PACKAGE)

    def make(files: Mapping[str, str]) -> Path:
        package = {"type": "module", "dependencies": {"devbridge": "*"}}
        texts = {"package.json": json.dumps(package), "tsconfig.json": TSCONFIG, **files}
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(text))
        return tmp_path

    return make


TSCONFIG = """{"compilerOptions": {"strict": true, "noEmit": true, "module": "nodenext",
"target": "es2022", "types": ["node"]}}"""


def asked(root: Path) -> tuple[App, dict[str, JobTypes]]:
    app = load_app(root)
    return app, probe(app, [job for job in app.of_type(Job) if job.language == "nodejs"])


def errors(root: Path) -> set[tuple[str, int, str]]:
    """What the project's own tsc finds: file, line and code."""
    tsc = compiler(root, lambda: NODE)
    assert tsc is not None
    command = [*tsc.command, "--noEmit", "--pretty", "false", "-p", "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    return {
        (p.file.relative_to(root).as_posix() if p.file else "", p.line, f"TS{p.code}")
        for p in problems(done.stdout, root)
    }


def expected(files: Mapping[str, str]) -> set[tuple[str, int, str]]:
    """The lines that are marked with ``// E: CODE``."""
    return {
        (name, number, code)
        for name, text in files.items()
        for number, line in enumerate(textwrap.dedent(text).splitlines(), 1)
        for code in re.findall(r"// E: (TS\d+)", line)
    }


# --- what handlers say ----------------------------------------------------------------------------

HANDLERS = {
    "app.py": app_py(
        "declared=jobs/declared.handler",
        "elsewhere=jobs/elsewhere.handler",
        "inferred=jobs/inferred.handler",
        "plain=jobs/plain.handler",
        "nothing=jobs/nothing.handler",
        "zod=jobs/schemas.zod",
        "valibot=jobs/schemas.valibot",
        "arktype=jobs/schemas.arktype",
        "js=jobs/commented.handler",
        "common=jobs/common.handler",
        "page=jobs/page.handler",
    ),
    "jobs/declared.ts": """
        import { jobHandler } from "devbridge/job";
        declare module "devbridge/job" {
          export interface JobTypes { declared: { num: number; note?: string } }
        }
        export const handler = jobHandler("declared", async (payload) => payload.num > 1);
        """,
    "types/jobs.ts": """
        import "devbridge/job";
        declare module "devbridge/job" {
          export interface JobTypes { elsewhere: { key: string } }
        }
        """,
    "jobs/elsewhere.ts": """
        import { jobHandler } from "devbridge/job";
        export const handler = jobHandler("elsewhere", (payload) => [payload.key]);
        """,
    "jobs/inferred.ts": """
        import { jobHandler } from "devbridge/job";
        import { Mode, type Size } from "@lib/sizes";
        interface Image { key: string; sizes: Size[]; mode: Mode; level?: Level | undefined }
        enum Level { Low = 1, High = 2 }
        export const handler = jobHandler("inferred", async (image: Image, context) => {
          if (context.getRemainingTimeInMillis() < 1) return undefined;
          return { when: new Date(), sizes: new Map<string, Size>(), mode: image.mode };
        });
        """,
    "lib/sizes.ts": """
        export enum Mode { Fit = "fit", Fill = "fill" }
        export type Size = { width: number } | [width: number, height: number];
        """,
    "jobs/plain.ts": """
        throw new Error("nobody runs this");
        export async function handler(event?: { ids: ReadonlyArray<`id-${string}`> }) {}
        """,
    "jobs/nothing.ts": """
        import { jobHandler } from "devbridge/job";
        export const handler = jobHandler("nothing", () => "done");
        """,
    "jobs/schemas.ts": """
        import { jobHandler } from "devbridge/job";
        import { type } from "arktype";
        import * as v from "valibot";
        import { z } from "zod";
        const sent = z.object({ n: z.number().default(1), text: z.string().transform(Number) });
        export const zod = jobHandler("zod", { payload: sent }, async ({ n, text }) => n + text);
        export const valibot = jobHandler(
          "valibot", { payload: v.object({ n: v.nullable(v.number()) }) }, async ({ n }) => n);
        export const arktype = jobHandler(
          "arktype", { payload: type({ n: "number", "kind?": "'a' | 'b'" }) }, async (p) => p.kind);
        """,
    "jobs/commented.mjs": """
        /** @param {{ n: number, deep: { a: string }[] }} payload */
        export const handler = async (payload) => payload.deep;
        """,
    "jobs/common.cts": """
        export const handler = async (event: { a: 1 | 2 }) => null;
        """,
    "jobs/page.tsx": """
        export const handler = async ({ title }: { title: string }) => title;
        """,
    "tsconfig.json": """{
        // comments are fine, and trailing commas
        "compilerOptions": {
          "strict": true, "composite": true, "incremental": true, "noEmit": true,
          "tsBuildInfoFile": "./.tsbuildinfo", "rootDir": ".", "declarationMap": true,
          "isolatedDeclarations": true, "module": "nodenext", "target": "es2022",
          "types": ["node"], "paths": { "@lib/*": ["./lib/*.ts"] }, "jsx": "preserve",
        },
        "include": ["jobs", "types"],
        }""",
}


def test_what_handlers_take_and_return_is_told_by_their_types(write_app: Write) -> None:
    root = write_app(HANDLERS)
    before = sorted(path for path in root.rglob("*") if "node_modules" not in path.parts)
    _, found = asked(root)
    pair = {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [NUM, NUM]}
    size = {"anyOf": [pair, record(width=NUM)]}
    when = {"type": "string", "format": "date-time"}
    modes = {"enum": ["fill", "fit"]}
    assert {name: (known.payload, known.result) for name, known in found.items()} == {
        "declared": (record(num=NUM, note_=TEXT), {"type": "boolean"}),
        "elsewhere": (record(key=TEXT), {"type": "array", "items": TEXT}),
        "inferred": (
            record(
                key=TEXT,
                sizes={"type": "array", "items": size},
                mode=modes,
                level_={"enum": [1, 2]},
            ),
            record(when=when, sizes={}, mode=modes),
        ),
        "plain": (record(ids={"type": "array", "items": TEXT}), {"type": "null"}),
        "nothing": (None, TEXT),
        "zod": (record(n_=NUM, text=TEXT), NUM),
        "valibot": (
            record(n={"anyOf": [NUM, {"type": "null"}]}),
            {"anyOf": [NUM, {"type": "null"}]},
        ),
        "arktype": (record(n=NUM, kind_={"enum": ["a", "b"]}), {"enum": ["a", "b"]}),
        "js": (
            record(n=NUM, deep={"type": "array", "items": record(a=TEXT)}),
            {"type": "array", "items": record(a=TEXT)},
        ),
        "common": (record(a={"enum": [1, 2]}), {"type": "null"}),
        "page": (record(title=TEXT), TEXT),
    }
    assert {name: known.warning for name, known in found.items() if known.warning} == {
        "inferred": "jobs/inferred.ts: result.sizes is a Map, which JSON does not have"
    }
    after = sorted(path for path in root.rglob("*") if "node_modules" not in path.parts)
    assert [path for path in after if "__pycache__" not in path.parts] == before


GENERATORS = {
    "app.py": app_py(
        "declared=jobs/declared.handler",
        "inferred=jobs/many.inferred",
        "sync=jobs/many.sync",
        "zod=jobs/many.zod",
        "plain=jobs/many.plain",
        "shown=jobs/many.shown",
        "nothing=jobs/many.nothing",
        "js=jobs/commented.handler",
    ),
    "jobs/declared.ts": """
        import { jobHandler, type JobContext } from "devbridge/job";
        declare module "devbridge/job" {
          export interface JobTypes { declared: { epochs: number } }
        }
        interface State { epoch: number; loss?: number }
        export const handler = jobHandler("declared",
          async function* (payload, context: JobContext<State>) {
            for (let epoch = context.checkpoint?.epoch ?? 0; epoch < payload.epochs; epoch++) {
              if (context.interrupted) yield null;
              yield { epoch, loss: 1 };
            }
            return [payload.epochs];
          });
        for await (const state of handler({ epochs: 3 })) console.log(state?.epoch);
        """,
    "jobs/many.ts": """
        import { jobHandler, type JobContext } from "devbridge/job";
        import { z } from "zod";
        export const inferred = jobHandler("inferred", async function* (payload: { n: number }) {
          yield payload.n;
          return { when: new Date() };
        });
        export const sync = jobHandler("sync",
          function* (payload: string[], context: JobContext<number>) {
            const from: number = context.checkpoint ?? 0;
            for (let n = from; n < payload.length; n++) yield n;
            return payload.length > 1 ? "done" : null;
          });
        export const zod = jobHandler("zod", { payload: z.object({ n: z.number().default(1) }) },
          async function* ({ n }, context: JobContext<number>) {
            yield n;
            return context.checkpoint === n;
          });
        export async function* plain(
          payload: { id: string }, context: JobContext<string>,
        ): AsyncGenerator<string, number> {
          yield payload.id;
          return 1;
        }
        export const shown = async () => sync(["a"]);
        export function* nothing() {
          yield 1;
        }
        """,
    "jobs/commented.mjs": """
        /** @param {{ n: number }} payload */
        export const handler = async function* (payload) {
          yield 1;
          return payload.n;
        };
        """,
    "jobs/bad.ts": """
        import { jobHandler, type JobContext } from "devbridge/job";
        export const handler = jobHandler("bad",
          async function* (payload: number, context: JobContext<{ epoch: number }>) { // E: TS2345
            yield { epoch: "1" };
            return 1;
          });
        export const untold = jobHandler("bad", async function* (payload: number, context) {
          yield { epoch: 1 };
          return context.checkpoint.epoch; // E: TS18046
        });
        """,
}


def test_a_generator_returns_what_its_handler_does(write_app: Write) -> None:
    root = write_app(GENERATORS)
    done = {"anyOf": [{"enum": ["done"]}, {"type": "null"}]}
    _, found = asked(root)
    assert {name: (known.payload, known.result) for name, known in found.items()} == {
        "declared": (record(epochs=NUM), {"type": "array", "items": NUM}),
        "inferred": (record(n=NUM), record(when={"type": "string", "format": "date-time"})),
        "sync": ({"type": "array", "items": TEXT}, done),
        "zod": (record(n_=NUM), {"type": "boolean"}),
        "plain": (record(id=TEXT), NUM),
        "shown": (None, done),
        "nothing": (None, {"type": "null"}),
        "js": (record(n=NUM), NUM),
    }
    assert errors(root) == expected(GENERATORS)


def test_a_union_that_has_a_name_is_its_members_wherever_it_is_declared(write_app: Write) -> None:
    root = write_app(
        {
            "app.py": app_py("a=jobs/a.handler", "b=jobs/a.state"),
            "jobs/kinds.ts": """
                export type Kind = "x" | "~y";
                export type Flag = boolean | null;
                export type Text = string | number;
                export type When = Date | null;
                export type Id = (string & { readonly brand: "id" }) | `id-${string}`;
                """,
            "jobs/a.ts": """
                import { jobHandler, Job } from "devbridge/job";
                import type { Flag, Id, Kind, Text, When } from "./kinds.js";
                interface All { kind: Kind; flag?: Flag; text: Text; kinds: Kind[]; id: Id }
                export const handler = jobHandler("a", (all: All): When => null);
                export const state = jobHandler("b", async (id: string) =>
                  (await Job.a.status(id)).state);
                """,
        }
    )
    _, found = asked(root)
    null = {"type": "null"}
    kind = {"enum": ["x", "~y"]}
    assert found["a"].payload == record(
        kind=kind,
        flag_={"anyOf": [{"type": "boolean"}, null]},
        text={"anyOf": [NUM, TEXT]},
        kinds={"type": "array", "items": kind},
        id=TEXT,
    )
    assert found["a"].result == {"anyOf": [{"type": "string", "format": "date-time"}, null]}
    states = found["b"].result
    assert states is not None
    assert "TIMED_OUT" in states["enum"]
    assert [known.warning for known in found.values()] == ["", ""]


def test_what_json_cannot_say_is_said_once_for_each_job(write_app: Write) -> None:
    root = write_app(
        {
            "app.py": app_py(
                "tree=jobs/a.tree", "json=jobs/a.json", "any=jobs/a.any", "no=jobs/a.no"
            ),
            "jobs/a.ts": """
                interface Tree { name: string; left?: Tree; right?: Tree; big: bigint; when: Date }
                export const tree = async (payload: Tree) => 1n;
                type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
                export const json = async (payload: Json) => payload;
                export const any = async (payload: any): Promise<any> => payload;
                export const other = 1;
                """,
        }
    )
    (root / "app.py").write_text((root / "app.py").read_text().replace("jobs/a.no", "jobs/b.no"))
    (root / "jobs" / "b.ts").write_text("export * from './a';\n")
    _, found = asked(root)
    assert {name: known.warning for name, known in found.items()} == {
        "tree": (
            "jobs/a.ts: payload.left is recursive: from there on it is not checked"
            " (and payload.right); payload.big is a bigint, which JSON does not have (and result);"
            " payload.when is a Date: JSON has none, and a text arrives; declare a string\n"
            "jobs/b.ts:1:15: Relative import paths need explicit file extensions in ECMAScript"
            " imports when '--moduleResolution' is 'node16' or 'nodenext'. Did you mean './a.js'?"
            " (TS2835)\n    export * from './a';\n                  ^"
        ),
        "json": "jobs/a.ts: payload is recursive: from there on it is not checked (and result)",
        "any": "jobs/a.ts: payload is `any`: nothing is checked; declare its type",
        "no": "jobs/b.ts: it does not export 'no'",
    }
    assert [name for name, known in found.items() if not known.loaded] == ["no"]
    assert found["tree"].payload == record(
        name=TEXT, left_={}, right_={}, big={}, when={"type": "string", "format": "date-time"}
    )


def test_a_type_error_is_a_warning_with_its_line_and_all_else_is_told(write_app: Write) -> None:
    root = write_app(
        {
            "app.py": app_py("a=jobs/a.handler"),
            "jobs/a.ts": """\
                import { jobHandler } from "devbridge/job";
                import { Table } from "devbridge/resources";
                export const handler = jobHandler("a", async (payload: { num: number }) => {
                  const text: string = payload.num;
                  return Table.nots.tableName + text;
                });
                """,
        }
    )
    _, found = asked(root)
    assert found["a"].warning == (
        "jobs/a.ts:4:9: Type 'number' is not assignable to type 'string'. (TS2322)\n"
        "    const text: string = payload.num;\n"
        "          ^\n"
        "jobs/a.ts:5:16: Property 'nots' does not exist on type 'Named<\"Table\", BoundTable>'."
        " Did you mean 'notes'? (TS2551)\n"
        "    return Table.nots.tableName + text;\n"
        "                 ^"
    )
    assert found["a"].payload == record(num=NUM)


def test_a_package_of_a_workspace_is_asked_with_its_own_settings(write_app: Write) -> None:
    root = write_app(
        {
            "app.py": app_py("a=packages/f/src/a.handler", "b=jobs/b.handler"),
            "packages/f/tsconfig.json": """{"compilerOptions": {"strict": true, "module": "esnext",
                "moduleResolution": "bundler", "types": [], "paths": {"~/*": ["./src/*"]}}}""",
            "packages/f/src/types.ts": "export interface A { a: string }",
            "packages/f/package.json": '{"name": "f", "dependencies": {"devbridge": "*"}}',
            "packages/f/src/a.ts": """
                import { jobHandler } from "devbridge/job";
                import type { A } from "~/types";
                export const handler = jobHandler("a", async (payload: A) => 1);
                """,
            "jobs/b.ts": "export const handler = async (payload: { b: string | null }) => 1;",
        }
    )
    app, found = asked(root)
    assert found["a"].payload == record(a=TEXT)
    assert found["b"].payload == record(b={"anyOf": [TEXT, {"type": "null"}]})
    assert [*declarations(app, found)] == ["devbridge-env.d.ts", "packages/f/devbridge-env.d.ts"]


# --- what callers get wrong -----------------------------------------------------------------------

CALLERS = {
    "app.py": """
        from devbridge import App, Job, Table, Bucket, Function
        app = App("demo")
        notes = Table(app, "my-notes", partition_key="id")
        lost = Bucket(app, "lost")
        node = "nodejs24.x"
        Job(app, "factorial", handler="jobs/factorial.handler", runtime=node, bind=[notes])
        Job(app, "inferred", handler="jobs/factorial.inferred", runtime=node)
        Job(app, "resize-images", handler="jobs/resize.handler")
        Job(app, "nothing", handler="jobs/resize.nothing")
        """,
    "jobs/factorial.ts": """
        import { jobHandler } from "devbridge/job";
        declare module "devbridge/job" {
          export interface JobTypes { factorial: { num: number } }
        }
        export const handler = jobHandler("factorial", async ({ num }) => `${num}!`);
        export const inferred = jobHandler("inferred", async (p: { when: string }) => [p.when]);
        """,
    "jobs/resize.py": "def handler(payload, context): ...\ndef nothing(payload, context): ...\n",
    "api/good.ts": """
        import { Job, jobHandler, JobFailed, type JobPayload, type JobStatus } from "devbridge/job";
        import { Table, fetchSecrets } from "devbridge/resources";
        interface Size { readonly width: number; height?: number }
        const sizes: readonly Size[] = [{ width: 1 }];
        const run = await Job.factorial.run({ payload: { num: 100 }, idempotencyKey: "a" });
        const text: string = await Job.factorial.result(run.jobId);
        await Job.inferred.run({ payload: { when: new Date().toISOString() } });
        const first: string | undefined = (await Job.inferred.result("a"))[0];
        await Job.resize_images.run({ payload: { key: "a", sizes } });
        await Job["resize-images"].run({ payload: { key: "a", sizes: [], mode: "fill" } });
        const count: number = await Job.resize_images.result("a");
        await Job.nothing.run();
        await Job.nothing.run({ payload: null });
        const status: JobStatus = await Job.nothing.wait("a", { timeout: 1, poll: 0.1 });
        const none: null = await Job.nothing.result("a");
        const { was } = await Job.factorial.cancel("a");
        const payload: JobPayload<"factorial"> = { num: 1 };
        await fetchSecrets();
        try { await Job.factorial.result("a"); } catch (error) {
          if (error instanceof JobFailed) console.log(error.errorType, error.remedy, error.where);
        }
        export const handler = jobHandler("factorial", (payload, context) =>
          [payload.num, context.signal.aborted, context.attempt]);
        console.log(text, first, count, none, was, status.final, payload);
        console.log(Table.my_notes.tableName, Table["my-notes"].tableName);
        """,
    "api/bad.ts": """
        import { Job, jobHandler } from "devbridge/job";
        import { Bucket, Table } from "devbridge/resources";
        const sizes = [{ width: 1 }];
        await Job.factorail.run({ payload: { num: 1 } }); // E: TS2551
        await Job.factorial.run({ payload: { num: "1" } }); // E: TS2322
        await Job.factorial.run({ payload: { num: 1, nmu: 2 } }); // E: TS2353
        await Job.factorial.run({ payload: {} }); // E: TS2741
        await Job.factorial.run({}); // E: TS2345
        await Job.factorial.run(); // E: TS2554
        await Job.factorial.run({ payload: { num: 1 }, key: "a" }); // E: TS2353
        await Job.inferred.run({ payload: { when: new Date() } }); // E: TS2322
        await Job.resize_images.run({ payload: { key: "a" } }); // E: TS2741
        await Job.resize_images.run({ payload: { key: "a", sizes: [{}] } }); // E: TS2741
        await Job.resize_images.run({ payload: { key: "a", sizes, mode: "fitt" } }); // E: TS2820
        await Job.nothing.run({ payload: 1 }); // E: TS2322
        const number: number = await Job.factorial.result("a"); // E: TS2322
        const text: string = await Job.resize_images.result("a"); // E: TS2322
        (await Job.factorial.status("a")).stat; // E: TS2551
        await Job.factorial.wait("a", { timeout: "1" }); // E: TS2322
        Table.notes.tableName; // E: TS2339
        Table.my_notes.name; // E: TS2339
        Bucket.lost.bucketName; // E: TS2339
        Table.my_notes.tableName = "a"; // E: TS2540
        export const a = jobHandler("factorail", async () => 1); // E: TS2345
        export const b = jobHandler("factorial", async (payload) => payload.foo); // E: TS2339
        export const c = jobHandler("inferred", async (payload) => payload.foo); // E: TS18046
        export const d = jobHandler("factorial", async (p: { num: string }) => p); // E: TS2345
        export const e = jobHandler("factorial", { payload: 1 }, async (p) => p); // E: TS2322
        console.log(number, text);
        """,
}
PYTHON = {
    "resize-images": JobTypes(
        payload={
            "type": "object",
            "properties": {
                "key": TEXT,
                "sizes": {"type": "array", "items": {"$ref": "#/$defs/Size"}},
                "mode": {"enum": ["fit", "fill"], "default": "fit"},
            },
            "required": ["key", "sizes"],
            "$defs": {"Size": record(width=NUM, height_=NUM)},
        },
        result={"type": "integer"},
    ),
    "nothing": JobTypes(payload={"type": "null"}, result={"type": "null"}),
}


@pytest.mark.parametrize("installed", [True, False], ids=["installed", "not installed"])
def test_callers_in_typescript_know_the_jobs_of_both_languages(
    write_app: Write, installed: bool
) -> None:
    root = write_app({**CALLERS, **({} if installed else {"package.json": '{"type": "module"}'})})
    if not installed:
        (root / "node_modules" / "devbridge").unlink()
    app, found = asked(root)
    assert not any(known.warning for known in found.values())
    write(app, {**found, **PYTHON}, declarations(app, {**found, **PYTHON}))
    assert errors(root) == expected(CALLERS)


def test_handlers_are_asked_again_with_what_is_there_from_the_last_time(write_app: Write) -> None:
    root = write_app(CALLERS)
    app, found = asked(root)
    write(app, {**found, **PYTHON}, declarations(app, {**found, **PYTHON}))
    source = root / "jobs" / "factorial.ts"
    source.write_text(source.read_text().replace("p: { when: string }", "p: { when: number }"))
    _, again = asked(root)
    assert again["inferred"].payload == record(when=NUM)
    assert again["factorial"] == found["factorial"]


def test_python_s_stubs_know_the_jobs_in_typescript(write_app: Write) -> None:
    root = write_app(CALLERS)
    app, found = asked(root)
    stub = (write(app, {**found, **PYTHON}) / "devbridge" / "job.pyi").read_text()
    assert "class FactorialPayload(TypedDict):\n    num: ReadOnly[float]\n" in stub
    assert "factorial: ClassVar[_BoundJob[FactorialPayload, str]]" in stub
    assert "inferred: ClassVar[_BoundJob[InferredPayload, builtins.list[str]]]" in stub or (
        "inferred: ClassVar[_BoundJob[InferredPayload, list[str]]]" in stub
    )


def test_what_is_stopped_is_killed_and_takes_anything(write_app: Write) -> None:
    app = load_app(write_app(CALLERS))
    jobs = [job for job in app.of_type(Job) if job.language == "nodejs"]
    found = probe(app, jobs, stopped=lambda: True)
    assert {name: (known.payload, known.warning) for name, known in found.items()} == {
        "factorial": (None, ""),
        "inferred": (None, ""),
    }


def test_what_takes_too_long_is_said(write_app: Write) -> None:
    app = load_app(write_app(CALLERS))
    jobs = [job for job in app.of_type(Job) if job.language == "nodejs"]
    found = probe(app, jobs, timeout=0)
    assert found["factorial"].warning == (
        "its types are not known: TypeScript takes longer than 0 s"
    )
