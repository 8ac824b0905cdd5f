"""Cases of the add-on record."""

from dataclasses import replace
from datetime import timedelta

from lambdas.contract.settings import AddonRecord
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    HealthIssue,
    Missing,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, settings, snapshot_with
from tests.unit.notifications.snapshots import CI, NOW, service_account

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
