"""Runs the checks: texts of files in, reports out; a cluster in, its report out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from lambdas.application.assessment import collect_and_diagnose
from lambdas.application.readers import Hints
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.snapshot import Unknown
from preflight import cloudformation, eksctl, terraform
from preflight.cluster import Upgrade, VersionsPort, assess, kubernetes_after
from preflight.input_text import name_of, text_of
from preflight.report import FileReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from lambdas.application.readers import Readers
    from lambdas.domain.snapshot.snapshot import OfferedVersion
    from preflight.cluster import ClusterReport
    from preflight.finding import Finding
    from preflight.oidc_providers import Providers

READERS: Final[Mapping[str, Callable[[str, str, Providers], tuple[Finding, ...]]]] = {
    "terraform-plan": terraform.read,
    "eksctl": eksctl.read,
    "template": cloudformation.read,
}
"""Kind of file -> its reader. A reader takes text, file name and the OIDC providers of the clusters that were read."""


@dataclass(frozen=True, kw_only=True)
class PreflightRequest:
    """Clusters by name, the upgrade that is planned for them, and files as (kind, path)."""

    clusters: tuple[str, ...] = ()
    upgrade: Upgrade
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """The text of one file, with the kind it was given as."""

    kind: str
    name: str
    text: str


def read_texts(files: Sequence[tuple[str, str]]) -> tuple[InputFile, ...]:
    """Return the texts of files that are given as (kind, path).

    Raises:
        MalformedFile: a file cannot be opened, or holds no text.
    """
    return tuple(InputFile(kind=kind, name=name_of(path), text=text_of(path)) for kind, path in files)


def judge_files(files: Sequence[InputFile], providers: Providers) -> tuple[FileReport, ...]:
    """Return the findings of each file.

    Raises:
        MalformedFile: a file is not of the kind it was given as.
    """
    return tuple(FileReport(file=it.name, kind=it.kind, findings=READERS[it.kind](it.text, it.name, providers)) for it in files)


def assess_cluster(cluster: str, upgrade: Upgrade, readers: Readers, now: datetime) -> ClusterReport:
    """Read aws-node in one cluster, and report what the upgrade would do to its role."""
    target = ServiceAccountRef(cluster, "kube-system", "aws-node")
    snapshot, diagnosis = collect_and_diagnose(target, readers, now, Hints(), symptoms=True)
    after = kubernetes_after(snapshot, upgrade)
    return assess(snapshot, diagnosis, upgrade, _offered_versions(cast("VersionsPort", readers.eks), after))


def _offered_versions(eks: VersionsPort, kubernetes_version: str) -> tuple[OfferedVersion, ...] | Unknown:
    if not kubernetes_version:
        return Unknown("the Kubernetes version of the cluster is not known")
    try:
        return eks.offered_versions(CNI_ADDON, kubernetes_version)
    except RemediatorError as error:
        return Unknown(str(error))
