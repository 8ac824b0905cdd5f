"""The asset build: deterministic, small, and complete."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import asset
from lambdas.generated_code import FILE
from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function


@pytest.fixture(scope="module")
def for_lambda() -> Path:
    return asset.build(asset.LAMBDA)


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_a_second_build_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asset.zip_bytes(asset.build(asset.Target.this_machine()))
    monkeypatch.setattr(asset, "CACHE", tmp_path)
    again = asset.zip_bytes(asset.build(asset.Target.this_machine()))
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(again).hexdigest()


OTHER_PYTHON = asset.compiler(asset.LAMBDA)
BUILD = (
    "import sys; from pathlib import Path; from infra import asset; asset.build(asset.LAMBDA, Path(sys.argv[2]), cache=Path(sys.argv[1]))"
)


@pytest.mark.skipif(OTHER_PYTHON is None or OTHER_PYTHON.path == sys.executable, reason="needs a second Python, of Lambda's version")
def test_builds_by_two_pythons_have_the_same_bytes(for_lambda: Path, tmp_path: Path) -> None:
    """The interpreter that runs the build does not matter: the same one compiles the files."""
    assert OTHER_PYTHON is not None
    environment = {**os.environ, "PATH": f"{Path(asset.uv_binary()).parent}:{os.environ['PATH']}", "PYTHONPATH": str(asset.REPOSITORY)}
    command = [OTHER_PYTHON.path, "-S", "-c", BUILD, str(tmp_path / "cache"), str(tmp_path / "out")]
    subprocess.run(command, env=environment, check=True, cwd=tmp_path)
    assert list((tmp_path / "out").rglob("*.pyc"))
    assert asset.zip_bytes(tmp_path / "out") == asset.zip_bytes(for_lambda)


def test_a_shim_that_runs_no_python_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyenv puts `python3.13` on the path although no folder selects that version, and it fails."""
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    working = tmp_path / "root" / "versions" / "3.99.10" / "bin" / "python3.99"
    broken = tmp_path / "root" / "versions" / "3.99.9" / "bin" / "python3.99"
    for path, version in ((working, "3.99.10"), (broken, "3.98.0")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho {path}; echo {version}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "root"))
    asset.compiler.cache_clear()
    assert asset.compiler(asset.Target(python="3.99")) == asset.Compiler(str(working), "3.99.10")
    working.unlink()
    asset.compiler.cache_clear()
    assert asset.compiler(asset.Target(python="3.99")) is None
    asset.compiler.cache_clear()


def test_the_asset_for_lambda_is_small_and_for_its_processor(for_lambda: Path) -> None:
    assert len(asset.zip_bytes(for_lambda)) <= 10e6
    assert _size_mb(for_lambda) <= 35
    libraries = [path.name for path in for_lambda.rglob("*.so")]
    assert libraries
    assert all("aarch64" in name and "313" in name for name in libraries)


def test_the_asset_holds_our_code_and_no_more_than_it_needs(for_lambda: Path) -> None:
    assert (for_lambda / "lambdas" / "contract" / "events.py").exists()
    assert not list(for_lambda.rglob("*.dist-info"))
    assert not list(for_lambda.rglob("*.pyi"))
    shipped = {path.name for path in (for_lambda / "botocore" / "data").iterdir() if path.is_dir()}
    assert shipped == set(asset.SERVICES)
    assert (for_lambda / "botocore" / "data" / "endpoints.json").exists()


ENDPOINTS = """
import json, sys
from lambdas.adapters.aws_session import AwsSession
services, regions = json.loads(sys.argv[1])
clients = [AwsSession(region).client(service) for service in services for region in regions]
print(json.dumps([[each.meta.endpoint_url, each.meta.config.signature_version, each._request_signer._region_name] for each in clients]))
"""


def clients_of(folder: Path) -> list[list[str]]:
    """The endpoint, the signature and the signing region of each client, in a region of each partition."""
    regions = ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1"]
    given = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-B", *(["-S"] if folder != asset.REPOSITORY else []), "-c", ENDPOINTS]
    arguments = [*command, json.dumps([asset.SERVICES, regions])]
    found: list[list[str]] = json.loads(subprocess.run(arguments, cwd=folder, env=given, capture_output=True, text=True, check=True).stdout)
    return found


def test_the_reduced_models_of_the_asset_give_the_same_clients() -> None:
    reduced = asset.build(asset.Target.this_machine())
    assert clients_of(reduced) == clients_of(asset.REPOSITORY)


def test_the_models_of_the_asset_have_no_descriptions(for_lambda: Path) -> None:
    models = list((for_lambda / "botocore" / "data").rglob("*.json"))
    assert len(models) > len(asset.SERVICES)
    assert not list((for_lambda / "botocore" / "data").rglob("*.gz"))
    assert not [path for path in models if '"documentation":"' in path.read_text(encoding="utf-8")]
    endpoints = json.loads((for_lambda / "botocore" / "data" / "endpoints.json").read_text(encoding="utf-8"))
    assert {name for partition in endpoints["partitions"] for name in partition["services"]} <= set(asset.SERVICES)


def test_the_hash_follows_the_pins_and_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = asset.content_hash(asset.Target.this_machine()), asset.content_hash(asset.LAMBDA)
    assert here != there
    lambdas = tmp_path / "lambdas"
    shutil.copytree(asset.LAMBDAS, lambdas, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(asset, "REPOSITORY", tmp_path)
    monkeypatch.setattr(asset, "LAMBDAS", lambdas)
    monkeypatch.setattr(asset, "REQUIREMENTS", lambdas / "requirements.txt")
    rules = tmp_path / "asset.py"
    shutil.copy(asset.__file__, rules)
    monkeypatch.setattr(asset, "__file__", str(rules))
    monkeypatch.setattr(asset, "_GENERATED_CODE", rules)
    before = asset.content_hash(asset.LAMBDA)
    (lambdas / "requirements.txt").open("a").write("# changed\n")
    assert asset.content_hash(asset.LAMBDA) != before


def test_the_cache_folder_can_be_moved(tmp_path: Path) -> None:
    out = asset.build(asset.Target.this_machine(), tmp_path / "out")
    assert out == tmp_path / "out"
    assert (out / "lambdas" / "__init__.py").exists()
    zipped = asset.zip_to(out, tmp_path / "zips" / "asset.zip")
    assert zipped.read_bytes() == asset.zip_bytes(out)


def test_a_package_without_a_wheel_is_reported_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset, "CACHE", tmp_path)
    with pytest.raises(asset.BundlingFailed, match="make lock"):
        asset.build(asset.Target(platform="manylinux2014_aarch64", python="3.6"))
    assert not [path for folder in tmp_path.iterdir() for path in folder.iterdir()]


def test_a_missing_uv_is_reported_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(asset.shutil, "which", lambda _: None)
    with pytest.raises(asset.BundlingFailed, match="make setup"):
        asset.uv_binary()


def test_the_functions_import_from_the_asset(functions: Path) -> None:
    modules = ["boto3", "botocore.session", "orjson", "urllib3", "aws_durable_execution_sdk_python", "lambdas.contract.events"]
    assert all(importlib.util.find_spec(name) for name in modules)
    with Environment(Function(name="f", asset=functions, handler="handlers.imports")) as environment:
        found = environment.invoke(json.dumps({"modules": modules}).encode())
    assert not found.failed
    assert all(path.startswith(str(functions)) for path in found.json().values())


COUNT_COMPILED = """
import sys
compiled = []
sys.addaudithook(lambda event, given: compiled.append(given[0]) if event == "compile" and "__create_fn__" in str(given[0]) else None)
import lambdas.checker.handler
from lambdas.contract.parameters import ServiceAccountRef
target, other = ServiceAccountRef("demo", "shop", "web"), ServiceAccountRef("demo", "shop", name="api")
assert target == ServiceAccountRef("demo", "shop", "web") and len({target, other}) == 2 and other < target
try:
    target.name = "api"
except AttributeError:
    print(len(compiled), target)
"""


def compiled_methods(folder: Path) -> tuple[int, str]:
    """How many methods of dataclasses the start of the checker compiles, and how one of them shows itself."""
    started = [sys.executable, "-B", "-S", "-c", COUNT_COMPILED]
    count, _, shown = subprocess.run(started, cwd=folder, capture_output=True, text=True, check=True).stdout.strip().partition(" ")
    return int(count), shown


def test_the_checker_starts_without_compiling_methods_of_dataclasses(tmp_path: Path) -> None:
    folder = asset.build(asset.Target.this_machine(), tmp_path / "asset")
    count, shown = compiled_methods(folder)
    assert (count, shown) == (0, "ServiceAccountRef(cluster='demo', namespace='shop', name='web')")
    code = folder / "lambdas" / FILE
    of_another_python = b"\0" + code.read_bytes()[1:]
    for content in (of_another_python, b""):
        code.write_bytes(content)
        count, same = compiled_methods(folder)
        assert count > 100
        assert same == shown
