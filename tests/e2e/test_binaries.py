"""The programs of the control plane: a folder of envtest takes precedence over builds, which supply the missing programs."""

from pathlib import Path

import pytest
from rich.console import Console

from sandbox.control_plane import binaries as programs
from sandbox.control_plane.binaries import PROGRAMS, Binaries, find
from sandbox.control_plane.build import BuildError, check_go, ensure
from sandbox.control_plane.control_plane import ControlPlane

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
"""What `setup-envtest use` puts into the folder. Source: https://book.kubebuilder.io/reference/envtest.html"""


@pytest.fixture
def assets(binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as envtest leaves it."""
    for program in ENVTEST:
        (tmp_path / program).symlink_to(binaries.found[program])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    return tmp_path


def test_a_control_plane_uses_the_programs_of_the_folder_and_builds_the_missing_ones(assets: Path) -> None:
    with ControlPlane(find()) as running:
        commands = {Path(program.process.args[0]) for program in running.workplace.programs()}  # type: ignore[index]
        assert running.client().get("/version")["gitVersion"].startswith("v1.")
    assert {path.name for path in commands if path.parent == assets} == {"etcd", "kube-apiserver"}
    assert {path.name for path in commands} == set(PROGRAMS) - {"kubectl"}


def test_missing_programs_without_go_are_reported_with_the_next_step(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "built_folder", lambda: tmp_path / "nothing built")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(find().missing) == set(PROGRAMS) - set(ENVTEST)
    with pytest.raises(BuildError, match="Go is not on the PATH, and these programs are missing: aws-iam-authenticator, kwok") as told:
        check_go()
    assert "KUBEBUILDER_ASSETS" in str(told.value)


def test_a_folder_with_every_program_needs_no_build(binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in PROGRAMS:
        (tmp_path / program).symlink_to(binaries.found[program])
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    monkeypatch.setattr(programs, "built_folder", lambda: tmp_path / "nothing built")
    monkeypatch.setenv("PATH", "")
    found = ensure(Console())
    assert {path.parent for path in found.found.values()} == {tmp_path}
