"""Runs a preflight: reads the files, looks at the clusters, writes the outcome."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from cli.failures import Refused
from lambdas.application.assessment import observe
from lambdas.application.readers import Hints
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.snapshot import Unknown
from preflight import cloudformation, eksctl, terraform
from preflight.cluster import Upgrade, VersionsPort, assess, kubernetes_after
from preflight.document import document
from preflight.outcome import Outcome, ReadFile
from preflight.providers import NOT_LOOKED, Providers
from preflight.reading import STDIN, name_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.asked import Format
    from cli.outside import Outside
    from lambdas.domain.snapshot.snapshot import OfferedVersion
    from preflight.asked import AskedBefore
    from preflight.cluster import ClusterAnswer
    from preflight.concern import Concern

READERS: Final[Mapping[str, Callable[[str, str, Providers], tuple[Concern, ...]]]] = {
    "terraform-plan": terraform.read,
    "eksctl": eksctl.read,
    "template": cloudformation.read,
}
"""Kind of file -> its reader: text and name of the file in, with the providers of the clusters that were looked at; concerns out."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: clusters by name, what is planned for them, and files as (kind, path)."""

    clusters: tuple[str, ...] = ()
    upgrade: Upgrade
    files: tuple[tuple[str, str], ...] = ()


def run(asked: AskedBefore, question: Question) -> int:
    """Read, look, write, and tell by the exit code. Without files the cluster may be left out where there is but one.

    Raises:
        MalformedFile: a file is not what it was given as.
        RemediatorError: a cluster was asked for, and AWS did not answer.
    """
    if sum(path == STDIN for _, path in question.files) > 1:
        raise Refused("standard input can be read only once", then="give all files but one by their names")
    texts = [(kind, name_of(path), text_of(path)) for kind, path in question.files]
    files = _read(texts, NOT_LOOKED)  # first, so that a file that is not what it was given as is told before AWS is asked
    clusters = _clusters(asked, question)
    if providers := {cluster.cluster: cluster.provider_arn for cluster in clusters if cluster.provider_arn}:
        files = _read(texts, providers)
    outcome = Outcome(clusters=clusters, files=files)
    _write(asked, outcome)
    return outcome.exit_code


def _read(texts: Sequence[tuple[str, str, str]], providers: Providers) -> tuple[ReadFile, ...]:
    return tuple(ReadFile(file=name, kind=kind, concerns=READERS[kind](text, name, providers)) for kind, name, text in texts)


def look(cluster: str, upgrade: Upgrade, outside: Outside) -> ClusterAnswer:
    """Observe aws-node in one cluster, and say what the upgrade would do to it."""
    target = ServiceAccountRef(cluster, "kube-system", "aws-node")
    seen, found = observe(target, outside.readers, outside.now(), Hints(), symptoms=True)
    after = kubernetes_after(seen, upgrade)
    return assess(seen, found, upgrade, _offered(cast("VersionsPort", outside.readers.eks), after))


def _offered(eks: VersionsPort, kubernetes_version: str) -> tuple[OfferedVersion, ...] | Unknown:
    if not kubernetes_version:
        return Unknown("the cluster's Kubernetes version is not known")
    try:
        return eks.offered_versions(CNI_ADDON, kubernetes_version)
    except RemediatorError as error:
        return Unknown(str(error))


def _clusters(asked: AskedBefore, question: Question) -> tuple[ClusterAnswer, ...]:
    if question.files and not question.clusters:
        if question.upgrade != Upgrade():
            then = "add --cluster, or leave the versions out"
            raise Refused("--addon-version and --kubernetes-version say what is planned for a cluster, and none is named", then=then)
        return ()
    from cli import wiring
    from cli.output import progress
    from cli.targets import Wanted, clusters

    outside = wiring.connect(asked)
    with progress("looking at the cluster"):
        return tuple(look(cluster, question.upgrade, outside) for cluster in clusters(Wanted(clusters=question.clusters), outside))


def _write(asked: AskedBefore, outcome: Outcome) -> None:
    from cli.output import write
    from preflight.asked import PreflightFormat
    from preflight.sarif import sarif
    from preflight.view import views

    if asked.output is PreflightFormat.SARIF:
        sys.stdout.write(json.dumps(sarif(outcome), indent=2, ensure_ascii=False) + "\n")
        return
    write(_shared(asked), document(outcome), *views(outcome))


def _shared(asked: AskedBefore) -> Format:
    from cli.asked import Format

    return Format(asked.output.value)
