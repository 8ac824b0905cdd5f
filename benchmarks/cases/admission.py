"""Writes of a ServiceAccount with guard and warning, compared with the same writes of one without them, on a real control plane."""

import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.harness.measurement import Cost, interleave, timed
from benchmarks.harness.row import Goal, Row, compare
from benchmarks.harness.run import Run
from lambdas.contract import guard
from lambdas.contract.admission import path_of
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind
from sandbox.control_plane import binaries
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane

NAME: Final = "admission policies"
ROLE: Final = "arn:aws:iam::111122223333:role/demo-vpc-cni"
_GUARDED, _FREE = "kube-system", "default"
"""The namespaces of two ServiceAccounts of the same name. The policies select the first one's namespace."""
_BASELINE: Final = "without policies"
_WRITES: Final = 50
"""Writes of one measurement, so that a round is longer than a pause of the API server."""
_NEEDED_S: Final = 60.0
_TIMEOUT_S: Final = 30.0
_PAUSE_S: Final = 0.1


def run(run: Run) -> list[Row]:
    """Measure a write that the guard leaves alone, and one that it completes. Skipped without the control plane's binaries."""
    if missing := binaries.find().missing:
        run.skip(f"admission: {', '.join(missing)} missing; `make e2e` builds them")
        return []
    if run.remaining_s < _NEEDED_S:
        run.skip(f"admission: {run.remaining_s:.0f} s remain of {_NEEDED_S:.0f} s needed")
        return []
    with ControlPlane(binaries.find()) as running:
        admin = running.client()
        _prepare(admin)
        return [_annotate(admin, run), _remove(admin, run)]


def _annotate(admin: ApiClient, run: Run) -> Row:
    def change(namespace: str, number: int) -> None:
        _patch(admin, namespace, {"example.com/revision": str(number)})

    note = f"mean of {_WRITES} writes of another annotation"
    return _row("annotate", note, change, run)


def _remove(admin: ApiClient, run: Run) -> Row:
    def change(namespace: str, number: int) -> None:
        # Without the guard the role is gone afterwards, so every second write sets it again.
        _patch(admin, namespace, {ROLE_ANNOTATION: None if number % 2 else ROLE})

    return _row("remove and set the role", f"mean of {_WRITES} writes; the guard completes every second one", change, run)


def _row(name: str, note: str, change: Callable[[str, int], None], run: Run) -> Row:
    def measured(namespace: str) -> Cost:
        cost = timed(lambda: _repeat(lambda number: change(namespace, number)))
        return Cost(wall_ms=cost.wall_ms / _WRITES, cpu_ms=cost.cpu_ms / _WRITES)

    contenders = {"product": lambda: measured(_GUARDED), _BASELINE: lambda: measured(_FREE)}
    costs = interleave(contenders, run.choose(3, 15))
    return compare(NAME, f"{name}, latency", "wall_ms", costs, baseline=_BASELINE, goal=Goal(on="ratio", bound=1.5), note=note)


def _repeat(write: Callable[[int], None]) -> None:
    for number in range(_WRITES):
        write(number)


def _prepare(admin: ApiClient) -> None:
    for namespace in (_GUARDED, _FREE):
        metadata = {"name": "aws-node", "annotations": {ROLE_ANNOTATION: ROLE}}
        admin.create(_accounts(namespace), {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    for kind in PolicyKind:
        for manifest in guard.manifests(kind, _GUARDED, "aws-node", ROLE, "/eks-irsa-remediator/bindings/demo/kube-system/aws-node"):
            admin.apply(path_of(manifest), manifest, manager="administrator")
    _wait_for_guard(admin)


def _wait_for_guard(admin: ApiClient) -> None:
    until = time.monotonic() + _TIMEOUT_S
    while _patch(admin, _GUARDED, {ROLE_ANNOTATION: None}, dryRun="All").get(ROLE_ANNOTATION) != ROLE:
        if time.monotonic() > until:
            raise RuntimeError(f"the API server does not apply the guard within {_TIMEOUT_S:.0f} s")
        time.sleep(_PAUSE_S)


def _patch(admin: ApiClient, namespace: str, annotations: dict[str, str | None], **query: str) -> dict[str, str]:
    body: dict[str, Any] = {"metadata": {"annotations": annotations}}
    stored: dict[str, str] = admin.merge(f"{_accounts(namespace)}/aws-node", body, **query)["metadata"].get("annotations", {})
    return stored


def _accounts(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts"
