from __future__ import annotations

import io
import zipfile
from pathlib import Path

from devbridge.languages.python.invokers import function_stub_asset, invoker_asset, stub_asset
from tests.unit.languages.python.test_packing import import_alone


def test_the_stubs_zip_is_small_and_imports_alone(tmp_path: Path) -> None:
    asset = stub_asset(tmp_path / "cache")
    assert asset.size < 260_000
    with asset.open() as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    packages = {tuple(name.split("/"))[:2] for name in archive.namelist()}
    allowed = {"__init__.py", "errors.py", "protocol", "runs", "transport"}
    assert {second for first, second in packages if first == "devbridge"} <= allowed
    assert {first for first, _ in packages} == {
        *("devbridge", "stub_lambda", "runner"),
        *("paho", "websockets"),
    }
    assert {second for first, second in packages if first == "runner"} == {
        "__init__.py",
        "causes.py",
        "claims.py",
        "dead_letters.py",
        "documents.py",
        "messages.py",
        "outcome.py",
        "places.py",
        "sigv4.py",
        "triggered.py",
    }
    archive.extractall(tmp_path)
    import_alone(tmp_path, "stub_lambda.handler")


def test_the_zip_of_the_stubs_of_functions_is_as_small_and_imports_alone(tmp_path: Path) -> None:
    asset = function_stub_asset(tmp_path / "cache")
    assert asset.size < 205_000
    with asset.open() as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    packages = {tuple(name.split("/"))[:2] for name in archive.namelist()}
    allowed = {"__init__.py", "errors.py", "protocol", "transport"}
    assert {second for first, second in packages if first == "devbridge"} == allowed
    assert {first for first, _ in packages} == {
        *("devbridge", "stub_lambda", "runner"),
        *("paho", "websockets"),
    }
    assert {second for first, second in packages if first == "runner"} == {
        "__init__.py",
        "aws.py",
        "claims.py",
        "signed.py",
        "sigv4.py",
        "triggered.py",
    }
    assert {second for first, second in packages if first == "stub_lambda"} == {
        "__init__.py",
        "bridge.py",
        "calling.py",
        "copy.py",
        "environment.py",
        "function.py",
        "remote.py",
        "settings.py",
    }
    archive.extractall(tmp_path)
    import_alone(tmp_path, "stub_lambda.function")


def test_the_invokers_zip_is_small_and_imports_alone(tmp_path: Path) -> None:
    asset = invoker_asset(tmp_path / "cache")
    assert asset.size < 97_500
    with asset.open() as file:
        zipfile.ZipFile(file).extractall(tmp_path)
    import_alone(tmp_path, "stub_lambda.deployed")
    assert not (tmp_path / "devbridge" / "transport").exists()
    assert not (tmp_path / "devbridge" / "runs" / "listed.py").exists()
