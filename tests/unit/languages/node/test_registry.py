from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.languages.node.registry import DEFAULT, registry, shown


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "app").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_without_settings_it_is_npms_own(tmp_path: Path) -> None:
    found = registry(tmp_path / "app", {})
    assert (found.url, found.headers) == (DEFAULT, {})
    assert found.tarball("@esbuild/linux-x64", "1.2.3") == (
        f"{DEFAULT}@esbuild/linux-x64/-/linux-x64-1.2.3.tgz"
    )
    assert found.tarball("left", "1.0.0") == f"{DEFAULT}left/-/left-1.0.0.tgz"


def test_the_environment_comes_before_the_project_and_that_before_the_user(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (tmp_path / "home" / ".npmrc").write_text("registry=https://user.example/\n")
    assert registry(app, {}).url == "https://user.example/"
    (app / ".npmrc").write_text("; mine\nregistry = https://project.example/npm\n")
    assert registry(app, {}).url == "https://user.example/"  # no package.json: npm's root is not it
    (app / "package.json").write_text("{}")
    assert registry(app, {}).url == "https://project.example/npm/"
    (app / "inner").mkdir()
    assert registry(app / "inner", {}).url == "https://project.example/npm/"
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        assert registry(app, {name: "https://env.example"}).url == "https://env.example/"


def test_a_scope_may_have_a_registry_of_its_own(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "package.json").write_text("{}")
    (app / ".npmrc").write_text(
        "@esbuild:registry=https://own.example/\nregistry=https://x.example"
    )
    assert registry(app, {}, "@esbuild").url == "https://own.example/"
    assert registry(app, {}).url == "https://x.example/"


def test_a_token_is_for_its_host_and_path_and_may_be_in_a_variable(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "package.json").write_text("{}")
    (app / ".npmrc").write_text(
        "registry=https://r.example/a/b/\n//r.example/a/:_authToken=${TOKEN}\n"
        "//other.example/:_authToken=no\n"
    )
    found = registry(app, {"TOKEN": "secret"})
    assert found.headers == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(found)
    assert registry(app, {"npm_config_registry": "https://third.example"}).headers == {}
    (app / ".npmrc").write_text("registry=https://r.example/\n//r.example/:_auth=dTpw\n")
    assert registry(app, {}).headers == {"Authorization": "Basic dTpw"}
    told = {"npm_config_//r.example/:_authToken": "env"}
    assert registry(app, told).headers == {"Authorization": "Bearer env"}


def test_a_file_of_settings_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("registry='https://named.example/'\n")
    found = registry(tmp_path / "app", {"npm_config_userconfig": str(tmp_path / "mine")})
    assert found.url == "https://named.example/"
    assert registry(tmp_path / "app", {"npm_config_userconfig": "/nowhere"}).url == DEFAULT


def test_a_password_in_a_url_is_not_shown() -> None:
    assert shown("https://me:secret@r.example:8080/x") == "https://r.example:8080/x"
