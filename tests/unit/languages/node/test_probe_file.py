from __future__ import annotations

from pathlib import Path

from devbridge.languages.node.probe_file import Asked, job_at, probe_file, written

ASKED = [Asked("a", Path("/app/a.ts"), "handler"), Asked("b-c", Path("/app/b.tsx"), "run")]


def test_each_line_about_a_handler_is_found_again() -> None:
    text = probe_file(ASKED, Path("/app/node_modules/devbridge"))
    lines = text.splitlines()
    assert lines[0] == 'import type { JobTypes } from "/app/node_modules/devbridge/job.js";'
    at = {line: job_at(text, number, ASKED) for number, line in enumerate(lines, 1)}
    about = [each.job for line, each in at.items() if each]
    assert about == ["a", "b-c", "a", "b-c"]
    assert job_at(text, 10_000, ASKED) is None


def test_without_an_installed_package_what_is_declared_beside_it_is_imported() -> None:
    assert probe_file(ASKED, None).startswith('import type { JobTypes } from "devbridge/job";\n')


def test_the_types_are_taken_out_of_the_declarations() -> None:
    text = (
        'import type * as h0 from "/app/a";\nexport declare const p0: {\n    a: 1;\n};\n'
        "export declare const r0: number;\nexport declare const p1: string;\n"
    )
    assert written(text, ASKED) == {"a": ("{\n    a: 1;\n};\n", "number;\n")}
    assert written("", ASKED) == {}
