from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from devbridge.daemon.reload import CALM, RESTLESS, Saved, Sources
from devbridge.sources.folder import signed
from devbridge.workers.signatures import Declarations, Entries, modified, sign
from tests.unit.daemon.projects import Project

NOTHING = Saved(frozenset(), False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def sources(project: Project) -> Sources:
    """Job a imports a.py and the shared file, job b imports b.py and the shared file."""
    made = Sources(project.root, [project.app])
    for job, file in (("a", project.a), ("b", project.b)):
        made.launched(job, project.now + 1)
        assert not made.imported(job, frozenset({file, project.shared}), project.now + 1)
    assert made.saved(()) == NOTHING
    return made


def jobs(*names: str) -> Saved:
    return Saved(frozenset(names), False)


# --- which saves concern whom -------------------------------------------------------------------


def test_a_save_concerns_the_job_that_imported_the_file(project: Project, sources: Sources) -> None:
    assert sources.saved([project.save("jobs/a.py")]) == jobs("a")


def test_a_save_of_a_shared_file_concerns_both(project: Project, sources: Sources) -> None:
    assert sources.saved([project.save("lib/shared.py")]) == jobs("a", "b")


def test_a_save_of_app_py_concerns_the_app(project: Project, sources: Sources) -> None:
    assert sources.saved([project.save("app.py")]) == Saved(frozenset(), True)


def test_a_file_that_both_the_app_and_a_job_use_concerns_both(
    project: Project, sources: Sources
) -> None:
    sources.app_loaded([project.app, project.shared])
    assert sources.saved([project.save("lib/shared.py")]) == Saved(frozenset({"a", "b"}), True)


@pytest.mark.parametrize("name", ["jobs/other.py", "jobs/data.csv", "app.pyc"])
def test_a_file_that_nobody_uses_concerns_nobody(
    project: Project, sources: Sources, name: str
) -> None:
    assert sources.saved([project.save(name)]) == NOTHING


def test_an_event_without_a_change_is_no_save(project: Project, sources: Sources) -> None:
    assert sources.saved([project.a, project.app, project.shared]) == NOTHING


def test_one_save_is_one_save_however_many_events_it_makes(
    project: Project, sources: Sources
) -> None:
    path = project.save("jobs/a.py")
    assert sources.saved([path]) == jobs("a")
    assert sources.saved([path, path.with_name(".a.py.swp")]) == NOTHING


def test_a_save_without_an_event_is_found(project: Project, sources: Sources) -> None:
    project.save("jobs/a.py")
    assert sources.saved(()) == jobs("a")


def test_a_file_that_was_removed_and_one_that_came_back_are_changes(
    project: Project, sources: Sources
) -> None:
    project.a.unlink()
    assert sources.saved([project.a]) == jobs("a")
    assert sources.saved(()) == NOTHING
    assert sources.saved([project.save("jobs/a.py")]) == jobs("a")


def test_what_is_not_imported_any_more_is_not_watched(project: Project, sources: Sources) -> None:
    sources.imported("a", frozenset({project.a}), project.now + 1)
    assert sources.saved([project.save("lib/shared.py")]) == jobs("b")


def test_a_job_that_is_gone_concerns_nobody(project: Project, sources: Sources) -> None:
    sources.forget(["a", "never heard of"])
    assert sources.saved([project.save("jobs/a.py")]) == NOTHING
    assert sources.saved([project.save("lib/shared.py")]) == jobs("b")


# --- saves that come before anybody watches -----------------------------------------------------


def test_a_save_between_start_and_watching_makes_the_worker_stale(project: Project) -> None:
    sources = Sources(project.root, [project.app])
    started = project.now + 1
    project.save("jobs/a.py")
    assert sources.imported("a", frozenset({project.a}), started)
    assert sources.saved(()) == NOTHING


def test_a_save_that_another_job_already_knows_of_makes_the_worker_stale_too(
    project: Project, sources: Sources
) -> None:
    started = project.now + 1
    assert sources.saved([project.save("lib/shared.py")]) == jobs("a", "b")
    assert sources.imported("c", frozenset({project.shared}), started)


def test_a_save_is_not_lost_to_others_when_a_worker_reports_the_file_first(
    project: Project, sources: Sources
) -> None:
    project.save("lib/shared.py")
    assert not sources.imported("c", frozenset({project.shared}), project.now + 1)
    assert {"a", "b"} <= sources.saved([project.shared]).jobs


def test_a_file_that_was_dropped_and_is_imported_again_is_not_taken_for_saved(
    project: Project, sources: Sources
) -> None:
    sources.imported("a", frozenset({project.a}), project.now + 1)
    sources.forget(["b"])
    project.save("lib/shared.py")
    assert not sources.imported("a", frozenset({project.a, project.shared}), project.now + 1)
    assert sources.saved(()) == NOTHING


def test_a_file_that_is_gone_when_its_import_is_reported_is_found_when_it_comes_back(
    project: Project, sources: Sources
) -> None:
    ghost = project.root / "jobs" / "ghost.py"
    sources.imported("c", frozenset({ghost}), project.now)
    assert sources.saved(()) == NOTHING
    assert sources.saved([project.save("jobs/ghost.py")]) == jobs("c")


# --- broken handlers ----------------------------------------------------------------------------


def test_any_python_file_of_the_app_may_mend_a_broken_job(
    project: Project, sources: Sources
) -> None:
    sources.broke("a", project.a)
    assert sources.saved([project.save("lib/brand_new.py")]) == jobs("a")


def test_a_file_that_is_not_python_does_not(project: Project, sources: Sources) -> None:
    sources.broke("a", project.a)
    assert sources.saved([project.save("lib/data.csv")]) == NOTHING


def test_a_job_that_never_worked_is_not_tried_again_before_a_save(project: Project) -> None:
    sources = Sources(project.root, [project.app])
    sources.launched("a", project.now + 1)
    sources.broke("a", project.a)
    assert sources.saved(()) == NOTHING
    assert sources.saved([project.save("jobs/a.py")]) == jobs("a")


def test_a_job_that_was_mended_while_it_was_imported_is_tried_again(project: Project) -> None:
    sources = Sources(project.root, [project.app])
    sources.launched("a", project.now + 1)
    project.save("jobs/a.py")
    sources.broke("a", project.a)
    assert sources.saved(()) == jobs("a")


def test_a_handler_file_that_does_not_exist_is_waited_for(project: Project) -> None:
    sources = Sources(project.root, [project.app])
    sources.launched("c", project.now)
    sources.broke("c", project.root / "jobs" / "c.py")
    assert sources.saved(()) == NOTHING
    assert sources.saved([project.save("jobs/c.py")]) == jobs("c")


def test_a_job_that_works_again_minds_its_own_files_only(
    project: Project, sources: Sources
) -> None:
    sources.broke("a", project.a)
    sources.imported("a", frozenset({project.a}), project.now + 1)
    assert sources.saved([project.save("lib/brand_new.py")]) == NOTHING


# --- what to watch ------------------------------------------------------------------------------


def test_the_folders_of_what_is_imported_are_watched(project: Project, sources: Sources) -> None:
    root = project.root
    assert sources.directories() == {root, root / "jobs", root / "lib"}


def test_a_folder_that_is_gone_is_not_watched(project: Project, sources: Sources) -> None:
    shutil.rmtree(project.root / "lib")
    assert project.root / "lib" not in sources.directories()


def test_with_a_broken_job_the_whole_app_is_watched_but_not_what_was_installed(
    project: Project, sources: Sources
) -> None:
    code = project.save("deep/down/x.py").parent
    for installed in ("env/lib/x.py", ".venv/x.py", "node_modules/x.py", "__pycache__/x.py"):
        project.save(installed)
    project.save("env/pyvenv.cfg")
    assert code not in sources.directories()
    sources.broke("a", project.a)
    root = project.root
    assert sources.directories() == {root, root / "jobs", root / "lib", code.parent, code}


def test_a_version_is_told_by_time_and_size(project: Project) -> None:
    first = sign(project.a)
    assert first == sign(project.a)
    assert first != sign(project.save("jobs/a.py"))
    assert sign(project.root / "nothing") is None


# --- what else an import reads ------------------------------------------------------------------


def test_a_data_file_counts_as_code_does(project: Project, sources: Sources) -> None:
    data = project.save("jobs/data.csv")
    sources.imported("a", frozenset({project.a, data}), project.now + 1)
    assert sources.saved([project.save("jobs/data.csv")]) == jobs("a")


def test_what_a_worker_has_not_recorded_is_kept_until_the_next_change(
    project: Project, sources: Sources
) -> None:
    data = project.save("jobs/data.csv")
    assert not sources.wants_record("a")
    sources.imported("a", frozenset({project.a, data}), project.now + 1)
    sources.imported("a", frozenset({project.a}), project.now + 1, recorded=False)
    assert sources.saved([project.save("jobs/data.csv")]) == jobs("a")
    sources.renewed(["a"])
    assert sources.wants_record("a")
    sources.imported("a", frozenset({project.a}), project.now + 1)
    assert sources.saved([project.save("jobs/data.csv")]) == NOTHING


def test_installed_packages_that_change_are_waited_for(project: Project, sources: Sources) -> None:
    package = project.save("venv/site-packages/acme/__init__.py")
    sources.imported("a", frozenset({project.a}), project.now + 1, installed=frozenset({package}))
    assert sources.saved(()) == NOTHING
    found = sources.saved([project.save("venv/site-packages/acme/__init__.py")])
    assert (found.jobs, found.settling) == (frozenset(), frozenset({"a"}))
    assert sources.look(["a"]).jobs == frozenset({"a"}), "a run does not wait"
    sources.renewed(["a"])
    assert sources.look(["a"]) == NOTHING


def test_a_new_module_among_those_that_were_looked_for_is_a_change(
    project: Project, sources: Sources
) -> None:
    looked = Entries(project.root / "jobs", frozenset({"fast"}))
    sources.imported("a", frozenset({project.a, looked}), project.now + 1)
    assert sources.saved([project.save("jobs/slow.py")]) == NOTHING
    assert sources.saved([project.save("jobs/fast.py")]) == jobs("a")
    (project.root / "jobs" / "fast.py").unlink()
    assert sources.saved(()) == jobs("a")


def test_a_folder_that_was_listed_counts_without_what_editors_leave_there(
    project: Project, sources: Sources
) -> None:
    listed = Entries(project.root / "jobs")
    sources.imported("a", frozenset({project.a, listed}), project.now + 1)
    for noise in (".x.swp", "#x#", "x~", "__pycache__/a.pyc"):
        project.save(f"jobs/{noise}")
    assert sources.saved(()) == NOTHING
    project.save("jobs/new.sql")
    assert sources.saved(()) == jobs("a")


def test_a_look_before_a_run_tells_of_others_too_and_only_once(
    project: Project, sources: Sources
) -> None:
    project.save("lib/shared.py")
    assert sources.look(["a"]) == jobs("a", "b")
    assert sources.look(["b"]) == NOTHING
    assert sources.saved(()) == NOTHING


def test_what_changes_again_and_again_is_told_once_and_then_concerns_only_who_is_run(
    project: Project, sources: Sources
) -> None:
    cache = project.save("cache.json")
    sources.imported("a", frozenset({project.a, cache}), project.now + 1)
    for _ in range(RESTLESS - 1):
        assert sources.saved([project.save("cache.json")], now=100.0) == jobs("a")
        sources.renewed(["a"])
    found = sources.saved([project.save("cache.json")], now=100.0)
    assert (found.jobs, found.restless) == (frozenset(), (("a", cache),))
    assert sources.saved([project.save("cache.json")], now=101.0) == NOTHING
    assert sources.look(["a"], now=101.0) == jobs("a")
    sources.renewed(["a"])
    assert sources.look(["a"], now=101.0) == NOTHING
    later = 100.0 + CALM + 2
    assert sources.saved([project.save("cache.json")], now=later) == jobs("a")


def test_a_file_that_replaces_another_with_its_time_and_size_is_a_change(
    project: Project, sources: Sources
) -> None:
    found = project.a.stat()
    draft = project.root / "draft"
    draft.write_text(project.a.read_text())
    os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
    draft.replace(project.a)
    assert sources.saved(()) == jobs("a")


def test_the_byte_code_of_what_was_saved_is_taken_away(project: Project, sources: Sources) -> None:
    project.save("jobs/__pycache__/a.cpython-311.pyc")
    kept = project.save("jobs/__pycache__/ab.cpython-311.pyc")
    sources.saved([project.save("jobs/a.py")])
    assert list(kept.parent.iterdir()) == [kept]


def test_the_folder_behind_a_link_is_watched(project: Project, sources: Sources) -> None:
    real = project.root.parent / "elsewhere"
    real.mkdir()
    (project.root / "jobs" / "a.py").rename(real / "a.py")
    (project.root / "jobs" / "a.py").symlink_to(real / "a.py")
    sources.saved(())
    assert real in sources.directories()


# --- an app that is broken ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new.py", "data.csv", "lib/deep/x.py", "app.py"])
def test_any_file_may_mend_a_broken_app(project: Project, sources: Sources, name: str) -> None:
    sources.app_broke(project.now + 1)
    assert sources.saved(()) == NOTHING
    assert sources.saved([project.save(name)]).app
    sources.app_loaded([project.app], project.now + 1)
    assert not sources.saved([project.save("other.py")]).app


def test_a_file_in_a_folder_that_is_new_mends_a_broken_app_without_an_event(
    project: Project, sources: Sources
) -> None:
    loaded = project.now + 1
    project.save("new/c.py")  # after app.py began to be loaded, before anybody watched the folder
    assert sources.app_broke(loaded)
    assert not sources.app_broke(loaded), "the same file is no reason again"
    assert sources.saved(()).app
    assert sources.saved(()) == NOTHING


def test_a_file_that_came_while_the_app_was_loaded_counts_though_a_broken_job_has_seen_it(
    project: Project, sources: Sources
) -> None:
    loaded = project.now + 1
    sources.broke("a", project.a)
    project.save("new/c.py")
    assert sources.saved(()) == jobs("a")
    assert sources.app_broke(loaded)


def test_changes_that_are_longer_ago_are_not_counted(project: Project, sources: Sources) -> None:
    cache = project.save("cache.json")
    sources.imported("a", frozenset({project.a, cache}), project.now + 1)
    for now in (100.0, *[100.5 + CALM] * (RESTLESS - 1)):
        assert sources.saved([project.save("cache.json")], now=now) == jobs("a")
        sources.renewed(["a"])


def test_a_file_that_was_saved_just_when_the_app_was_loaded_was_read_as_it_is(
    project: Project, sources: Sources
) -> None:
    more = project.save("more.py")
    sources.app_loaded([project.app, more], project.now)
    assert sources.saved(()) == NOTHING
    other = project.save("other.py")
    sources.app_loaded([project.app, other], project.now - 0.001)
    assert sources.saved(()).app


def test_so_was_one_that_was_saved_just_when_a_worker_was_started(
    project: Project, sources: Sources
) -> None:
    saved = modified(sign(project.a))
    assert not sources.imported("c", frozenset({project.a}), saved)
    assert sources.imported("d", frozenset({project.a}), saved - 1)


def test_an_app_that_broke_is_loaded_again_only_when_something_was_saved_since(
    project: Project, sources: Sources
) -> None:
    assert not sources.app_broke(project.now + 1)
    loaded = project.now
    assert not sources.app_broke(loaded)
    project.save("lib/shared.py")
    assert sources.app_broke(loaded)
    assert not sources.app_broke(loaded), "it has been tried with that"


# --- folders of jobs ----------------------------------------------------------------------------

JOB = "@job_handler('{}')\ndef handler(payload): ...\n"


@pytest.fixture
def declared(project: Project) -> Sources:
    """An app that makes jobs of what is in jobs/."""
    folder = project.root / "jobs"
    made = Sources(project.root, [project.app, Declarations(folder, signed(folder))])
    assert made.saved(()) == NOTHING
    return made


def test_a_file_that_becomes_a_job_concerns_the_app(project: Project, declared: Sources) -> None:
    new = project.root / "jobs" / "new.py"
    new.write_text("x = 1\n")
    assert declared.saved([new]) == NOTHING
    new.write_text(JOB.format("new"))
    assert declared.saved([new]).app
    new.write_text(JOB.format("new") + "    # another line\n")
    assert not declared.saved([new]).app
    new.unlink()
    assert declared.saved([new]).app


def test_a_job_that_came_while_the_app_was_deployed_is_found(project: Project) -> None:
    folder = project.root / "jobs"
    item = Declarations(folder, signed(folder))
    (folder / "new.py").write_text(JOB.format("new"))
    assert Sources(project.root, [project.app, item]).saved(()).app


def test_folders_of_jobs_are_watched_with_those_below_them(
    project: Project, declared: Sources
) -> None:
    assert project.root / "jobs" in declared.directories()
    below = project.root / "jobs" / "mail"
    below.mkdir()
    assert declared.saved([below]).app
    assert below in declared.directories()
