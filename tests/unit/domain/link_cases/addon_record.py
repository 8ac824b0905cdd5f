"""Cases of the add-on record."""

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
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, seen, settings
from tests.unit.notifications.snapshots import NOW, service_account

CASES: dict[str, Case] = {
    # 8 add-on record
    "record: carries the role": (seen(), Link.ADDON_RECORD, OK, None),
    "record: no role": (seen(addon=addon(role_arn=None)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: other role": (seen(addon=addon(role_arn=OTHER_ROLE)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: no role, and told to leave it": (
        seen(addon=addon(role_arn=None), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)),
        Link.ADDON_RECORD,
        NOT_APPLICABLE,
        None,
    ),
    "record: other role, and told to leave it": (
        seen(addon=addon(role_arn=OTHER_ROLE), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY)),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_ROLE_MISSING,
    ),
    "record: updating": (seen(addon=addon(status="UPDATING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: deleting": (seen(addon=addon(status="DELETING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: cluster updating": (seen(cluster=cluster(status="UPDATING")), Link.ADDON_RECORD, BROKEN, Verdict.UPDATE_IN_PROGRESS),
    "record: a conflict": (
        seen(addon=addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded, and nothing explains it": (
        seen(addon=addon(status="DEGRADED", issues=(HealthIssue(code="InsufficientNumberOfReplicas", message="m"),))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED,
    ),
    "record: degraded as the missing identity explains": (
        seen(
            addon=addon(status="DEGRADED", issues=(HealthIssue(code="AccessDenied", message="m"),)), service_account=service_account(None)
        ),
        Link.ADDON_RECORD,
        OK,
        None,
    ),
    "record: no managed add-on": (seen(addon=Missing("a")), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "record: no add-on owns it": (seen(addon=NOT_READ), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    "record: not told": (seen(addon=UNREAD), Link.ADDON_RECORD, UNKNOWN, None),
    "record: not told, the cluster is a second too old for grace": (
        seen(addon=UNREAD, cluster=cluster(created_at=NOW - timedelta(minutes=15))),
        Link.ADDON_RECORD,
        UNKNOWN,
        None,
    ),
    "record: not told of a young cluster": (
        seen(addon=UNREAD, cluster=cluster(created_at=NOW - timedelta(minutes=14, seconds=59))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.CLUSTER_INITIALIZING,
    ),
    "record: no binding": (seen(binding=Missing("p")), Link.ADDON_RECORD, NOT_APPLICABLE, None),
}
