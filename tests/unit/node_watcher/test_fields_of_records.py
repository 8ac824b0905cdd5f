"""What becomes of an audit record without one of its fields, or with a field of another type: which fields count, and for what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.guard import AUDIT_ANNOTATION, ROLE_CHANGED, ROLE_KEPT
from lambdas.contract.names import LEFT_OUT_BY, PROJECT, ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.domain.audit import findings
from lambdas.domain.audit.identity import watched
from tests.unit.node_watcher.audit_records import (
    ADMIN,
    OUR_ROLE,
    created_pod,
    kubelet_patch,
    record,
    registration,
    role_session,
    service_account_write,
    silent_node,
)
from tests.unit.notifications.test_golden import assert_golden
from tests.unit.variations import changed_at, difference, paths

if TYPE_CHECKING:
    from collections.abc import Iterator


def _annotated(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": "aws-node", "annotations": {"other": "x", **annotations}}}


def _reported(position: int) -> dict[str, Any]:
    """A patch that the warning reports."""
    made = service_account_write(user=role_session("ci-deploy", "run-42"))
    failure = {"policy": f"aws-node.{PolicyKind.WARNING}.{PROJECT}", "expressionIndex": position}
    return {**made, "annotations": {AUDIT_ANNOTATION: json.dumps([{"policy": "other"}, failure])}}


WITH_ROLE: Final = _annotated(**{ROLE_ANNOTATION: "arn:aws:iam::111122223333:role/a", LEFT_OUT_BY: ADMIN["username"]})
RECORDS: Final[dict[str, dict[str, Any]]] = {
    "patch that leaves no role": service_account_write(user=role_session("ci-deploy", "run-42"), response=_annotated()),
    "update whose role the guard kept": service_account_write("update", request=_annotated(), response=WITH_ROLE),
    "update that names the role itself": service_account_write("update", request=WITH_ROLE, response=WITH_ROLE),
    "patch that changed the role": _reported(ROLE_CHANGED),
    "patch whose role the guard kept": _reported(ROLE_KEPT),
    "deletion": service_account_write("delete"),
    "deletion of every ServiceAccount": service_account_write("deletecollection", ""),
    "deletion of every DaemonSet": record("deletecollection", "daemonsets", namespace="kube-system"),
    "deletion of every StatefulSet": record("deletecollection", "statefulsets", namespace="kube-system"),
    "dry run": service_account_write(query="?fieldManager=x&dryRun=All"),
    "patch of the workload": record("patch", "daemonsets", "aws-node", namespace="kube-system", query="?fieldManager=helm"),
    "kubelet without network": kubelet_patch(),
    "silent node": silent_node(),
    "registration": registration(),
    "pod that two webhooks missed": created_pod("aws-node-x7k2p", "b.example.com", "a.example.com"),
    "time to the nanosecond": service_account_write("delete", at="2026-09-27T21:06:47.868376123Z"),
    "time to the second": service_account_write("delete", at="2026-09-27T21:06:47Z"),
}


def test_each_field_of_a_record_counts_as_reviewed() -> None:
    """After a wanted change: `UPDATE_GOLDEN=1`."""
    lines = [line for name, made in RECORDS.items() for line in (f"{name}: {_found(made)}", *_variations(made))]
    assert_golden(Path(__file__).parent / "golden" / "fields-of-records.txt", "\n".join(lines) + "\n")


def _found(made: object) -> Any:
    return findings([made], watching=watched([]), our_roles=[OUR_ROLE])


def _variations(made: dict[str, Any]) -> Iterator[str]:
    for path in paths(made):
        absent, other = (difference(_found(changed_at(made, path, value)), _found(made)) for value in (None, 7))
        if absent or other:
            yield f"  {'.'.join(map(str, path))}: {absent or 'no difference'}{f' | of another type: {other}' if other != absent else ''}"
