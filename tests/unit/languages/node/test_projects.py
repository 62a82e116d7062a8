from __future__ import annotations

from pathlib import Path

from devbridge.languages.node.probe_file import Asked
from devbridge.languages.node.projects import ENV, Project, ambient, options, projects, workplace


def asked(file: Path) -> Asked:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return Asked(file.stem, file, "handler")


def test_handlers_belong_to_the_nearest_settings(tmp_path: Path) -> None:
    a, b = asked(tmp_path / "jobs" / "a.ts"), asked(tmp_path / "packages" / "f" / "src" / "b.ts")
    c = asked(tmp_path / "jobs" / "deep" / "c.js")
    (tmp_path / "tsconfig.json").touch()
    (tmp_path / "packages" / "f" / "jsconfig.json").touch()
    assert projects(tmp_path, [a, b, c]) == [
        Project(tmp_path, tmp_path / "tsconfig.json", (a, c)),
        Project(tmp_path / "packages" / "f", tmp_path / "packages" / "f" / "jsconfig.json", (b,)),
    ]


def test_files_that_others_see_without_importing_them_are_found(tmp_path: Path) -> None:
    texts = {
        "types/jobs.ts": 'declare module "devbridge/job" { interface JobTypes {} }',
        "types/plain.ts": "export const a = 1;",
        "types/images.d.ts": "declare module '*.png';",
        "globals.ts": "declare global { const a: 1 }",
        ENV: "declare module",
        "dist/types.d.ts": "",
        "node_modules/a/a.d.ts": "",
        ".hidden/a.d.ts": "",
        "venv/pyvenv.cfg": "",
        "venv/share/a.d.ts": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = [path.relative_to(tmp_path).as_posix() for path in ambient(tmp_path)]
    assert found == ["globals.ts", "types/images.d.ts", "types/jobs.ts"]


def test_packages_are_found_as_in_the_project_and_nothing_is_written_there(tmp_path: Path) -> None:
    root, folder = tmp_path / "app", tmp_path / "temporary"
    inner = root / "packages" / "f"
    for each in (root, inner):
        (each / "node_modules").mkdir(parents=True)
    folder.mkdir()
    place = workplace(Project(inner, None, ()), folder)
    seen = [(above / "node_modules").resolve() for above in (place, place.parent)]
    assert seen == [inner / "node_modules", root / "node_modules"]
    assert [*inner.iterdir()] == [inner / "node_modules"]


def test_settings_are_the_project_s_in_all_that_decides_about_types(tmp_path: Path) -> None:
    config = tmp_path / "tsconfig.json"
    config.write_text('{"compilerOptions": {"jsx": "react-jsx"}}')
    made = options(Project(tmp_path, config, ()), [tmp_path / "probe.ts"], tmp_path / "out")
    assert made["extends"] == str(config)
    assert made["files"] == [str(tmp_path / "probe.ts")]
    assert {"jsx", "strict", "module", "types"}.isdisjoint(made["compilerOptions"])


def test_without_settings_all_type_packages_are_seen(tmp_path: Path) -> None:
    (tmp_path / "node_modules" / "@types" / "node").mkdir(parents=True)
    made = options(Project(tmp_path, None, ()), [], tmp_path / "out")
    assert made["compilerOptions"]["types"] == ["node"]
    assert made["compilerOptions"]["strict"] is True
    assert "extends" not in made
