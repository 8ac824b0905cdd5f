"""The asset build: deterministic, small, and complete."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from infra import asset
from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function

if TYPE_CHECKING:
    from pathlib import Path


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
