"""The programs of the control plane, where they are, and which are missing."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


@dataclass(frozen=True)
class Tool:
    """One Go module under `tools/`: its folder, and `program -> package`."""

    folder: str
    packages: dict[str, str]

    @property
    def module(self) -> Path:
        return HERE / "tools" / self.folder

    def version_of(self, module_path: str) -> str:
        """The version pinned in go.mod, such as `v1.36.3`."""
        found = re.search(rf"^\s*(?:require )?{re.escape(module_path)} (v\S+)", (self.module / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.module / 'go.mod'} does not require {module_path}")
        return found[1]


KUBERNETES = Tool(
    "kubernetes",
    {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")},
)
TOOLS = (
    Tool("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Tool("authenticator", {"aws-iam-authenticator": "sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator"}),
    Tool("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}),
    KUBERNETES,
)
PROGRAMS = tuple(program for tool in TOOLS for program in tool.packages)


@dataclass(frozen=True)
class Binaries:
    """`program -> path` of the programs that were found, and the names of the missing ones."""

    found: dict[str, Path]
    missing: tuple[str, ...]

    def path(self, program: str) -> str:
        return str(self.found[program])


def built_folder() -> Path:
    """The folder for builds of the pinned versions; `CONTROL_PLANE_CACHE` moves it, so that several checkouts can share a build."""
    cache = Path(os.environ.get("CONTROL_PLANE_CACHE") or REPOSITORY / ".cache" / "control-plane")
    return cache / _pins() / "bin"


def find() -> Binaries:
    """Search `KUBEBUILDER_ASSETS` (envtest installs some of the programs there), then among the programs built here.

    Source: https://book.kubebuilder.io/reference/envtest.html
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folders = ([Path(assets)] if assets else []) + [built_folder()]
    found = {program: folder / program for folder in reversed(folders) for program in PROGRAMS if os.access(folder / program, os.X_OK)}
    return Binaries(found, tuple(program for program in PROGRAMS if program not in found))


def _pins() -> str:
    digest = hashlib.sha256()
    for tool in TOOLS:
        for name in ("go.mod", "go.sum"):
            digest.update((tool.module / name).read_bytes())
    return digest.hexdigest()[:12]
