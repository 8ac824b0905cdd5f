"""Baselines run with the packages of the asset and do not change it."""

from pathlib import Path

import pytest

from benchmarks.harness import emulated_functions


def test_baselines_are_compiled_outside_the_packages_of_the_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "packages"
    (packages / "__pycache__").mkdir(parents=True)
    for name in ("six.py", "__pycache__/six.cpython-311.pyc"):
        (packages / name).touch()
    before = sorted(packages.rglob("*"))
    monkeypatch.setattr(emulated_functions, "CACHE", tmp_path)
    folder = emulated_functions._baseline_folder(packages, "beside")
    assert sorted(packages.rglob("*")) == before
    assert (folder / "six.py").exists()
    assert (folder / "__pycache__" / "six.cpython-311.pyc").exists()
    assert list((folder / "__pycache__").glob("raw_http.*.pyc"))
