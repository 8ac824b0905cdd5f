"""Cases of the add-on record."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from lambdas.contract.settings import AddonRecord
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    FieldWriter,
    HealthIssue,
    Missing,
    ServiceAccountFacts,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, settings, snapshot_with
from tests.unit.notifications.snapshots import CI, NOW, service_account
from tests.world.simulations import simulation

SEVERAL: Final = tuple(
    HealthIssue(code=code, message=f"{code} {'x' * 400}", resources=tuple(f"{code}-{number}" for number in range(count)))
    for code, count in (("ConfigurationMismatch", 4), ("ClusterUnreachable", 0), ("UnsupportedAddonVersion", 1), ("InternalFailure", 2))
)
"""More issues than a finding names, with long messages and up to four resources."""


def owned_by(*managers: str) -> ServiceAccountFacts:
    """A ServiceAccount whose annotation these managers own, beside one that owns another field."""
    writers = tuple(FieldWriter(manager=manager, at=NOW, owns_annotation=True) for manager in managers)
    return replace(service_account(), writers=(*writers, FieldWriter(manager="helm", at=NOW, owns_annotation=False)))


CASES: dict[str, Case] = {
    # 8 add-on record
    "record: carries the role": (snapshot_with(), Link.ADDON_RECORD, OK, None),
    "record: no role": (snapshot_with(addon=addon(role_arn=None)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: other role": (snapshot_with(addon=addon(role_arn=OTHER_ROLE)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: no role, and told to leave it": (
        snapshot_with(addon=addon(role_arn=None), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)),
        Link.ADDON_RECORD,
        NOT_APPLICABLE,
        None,
    ),
    "record: other role, and told to leave it": (
        snapshot_with(addon=addon(role_arn=OTHER_ROLE), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_ROLE_MISSING,
    ),
    "record: updating": (snapshot_with(addon=addon(status="UPDATING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: deleting": (snapshot_with(addon=addon(status="DELETING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: cluster updating": (snapshot_with(cluster=cluster(status="UPDATING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: a conflict": (
        snapshot_with(addon=addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    **{
        f"record: a conflict after a call for {version}": (
            snapshot_with(
                addon=addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),)),
                actor=replace(CI, addon_version=version),
            ),
            Link.ADDON_RECORD,
            BROKEN,
            Verdict.ADDON_DEGRADED,
        )
        for version in ("v1.20.1-eksbuild.1", "v1.21.0-eksbuild.1")
    },
    "record: degraded, and nothing explains it": (
        snapshot_with(addon=addon(status="DEGRADED", issues=(HealthIssue(code="InsufficientNumberOfReplicas", message="m"),))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded as the missing identity explains": (
        snapshot_with(
            addon=addon(status="DEGRADED", issues=(HealthIssue(code="AccessDenied", message="m"),)), service_account=service_account(None)
        ),
        Link.ADDON_RECORD,
        OK,
        None,
    ),
    "record: failed, with several issues": (
        snapshot_with(addon=addon(status="UPDATE_FAILED", issues=SEVERAL)),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: a conflict, and several other issues": (
        snapshot_with(addon=addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m" * 201), *SEVERAL))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: a conflict after a call for a release that is known to fail": (
        snapshot_with(
            addon=addon(status="DEGRADED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),)),
            actor=replace(CI, addon_version="v1.22.1-eksbuild.1"),
        ),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded, with several issues that a missing identity explains": (
        snapshot_with(
            addon=addon(status="DEGRADED", issues=tuple(replace(issue, code="InsufficientNumberOfReplicas") for issue in SEVERAL))
        ),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded, with several issues, and nothing explains it": (
        snapshot_with(addon=addon(status="DEGRADED", issues=SEVERAL), simulated=simulation(), permission_errors=()),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded, and EKS names no issue": (
        snapshot_with(addon=addon(status="DEGRADED")),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: failed, and EKS names no issue": (
        snapshot_with(addon=addon(status="UPDATE_FAILED")),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: no role, and others own the annotation": (
        snapshot_with(addon=addon(role_arn=None), service_account=owned_by("eks", "kubectl", "argocd-controller")),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_ROLE_MISSING,
    ),
    "record: no managed add-on": (snapshot_with(addon=Missing("a")), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "record: no add-on owns it": (snapshot_with(addon=NOT_READ), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "record: not told": (snapshot_with(addon=UNREAD), Link.ADDON_RECORD, UNKNOWN, None),
    "record: not told, the cluster is a second too old for grace": (
        snapshot_with(addon=UNREAD, cluster=cluster(created_at=NOW - timedelta(minutes=15))),
        Link.ADDON_RECORD,
        UNKNOWN,
        None,
    ),
    "record: not told of a young cluster": (
        snapshot_with(addon=UNREAD, cluster=cluster(created_at=NOW - timedelta(minutes=14, seconds=59))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.CLUSTER_INITIALIZING,
    ),
    "record: no binding": (snapshot_with(binding=Missing("p")), Link.ADDON_RECORD, NOT_APPLICABLE, None),
}
