"""Cases of where the role is put: annotation and pods."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from lambdas.contract.names import FIELD_MANAGER, ROLE_ANNOTATION
from lambdas.contract.settings import Claim, Settings
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import NOT_READ, Missing, ServiceAccountFacts, Snapshot, Unknown
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, Case
from tests.unit.domain.snapshot_fixtures import BORN, OTHER_ROLE, addon, binding, errors, snapshot_with, some_pods, workload
from tests.unit.notifications.snapshots import EBS, NOW, ROLE, SHOP, healthy_snapshot, nodes, pods, service_account

WITH_PATH: Final = "arn:aws:iam::111122223333:role/team/blue/prod-blue-vpc-cni"


def driver(**changes: Any) -> Snapshot:
    """The EBS CSI driver, with a change to each of its pods."""
    base = snapshot_with(
        healthy_snapshot(EBS), addon_name="aws-ebs-csi-driver", addon=addon(name="aws-ebs-csi-driver"), workload=workload(desired=2)
    )
    return replace(base, pods=tuple(replace(pod, **changes) for pod in pods(2, ROLE)))


_TERMINATING: Final = {"phase": "Running", "deleting": True, "node": "ip-10-0-0-0.eu-west-1.compute.internal"}


def _late(*ages: timedelta, **changes: Any) -> Snapshot:
    """Pods of these ages that wait for a node, or that change otherwise, beside those that are ready."""
    wait = {"phase": "Pending", "ready": False, "node": "", "intended_node": "node-a"} | changes
    since = [
        {"created_at": NOW - age} | ({"deleting_since": NOW - age} if "deleting" in changes and "node" in changes else {}) for age in ages
    ]
    late = [replace(pod, **{**wait, **times}) for pod, times in zip(pods(len(ages), ROLE), since, strict=True)]
    return snapshot_with(pods=(*pods(15, ROLE)[len(ages) :], *late))


CASES: dict[str, Case] = {
    # 9 annotation
    "annotation: right": (snapshot_with(), Link.ANNOTATION, OK, None),
    "annotation: right, and only another manager owns it, as it may": (snapshot_with(settings=Settings()), Link.ANNOTATION, OK, None),
    "annotation: right, and only another manager owns it": (
        snapshot_with(settings=Settings(claim=Claim.ALWAYS)),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_UNCLAIMED,
    ),
    "annotation: right, and the remediator owns it": (
        snapshot_with(settings=Settings(claim=Claim.ALWAYS), service_account=service_account(manager=FIELD_MANAGER)),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: right, and the role has a path": (
        snapshot_with(binding=binding(role_arn=WITH_PATH), service_account=service_account(WITH_PATH)),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: right, and it has no owner": (
        snapshot_with(
            settings=Settings(claim=Claim.ALWAYS),
            service_account=ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE}),
        ),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: another, which is no claim": (
        snapshot_with(settings=Settings(claim=Claim.ALWAYS), service_account=service_account(OTHER_ROLE)),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_DIFFERS,
    ),
    "annotation: right and unclaimed, while pods fail": (
        snapshot_with(settings=Settings(claim=Claim.ALWAYS), pods=pods(3, None)),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: none": (snapshot_with(service_account=service_account(None)), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: none any more": (
        snapshot_with(service_account=service_account(None), known_good_at=NOW),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_WIPED,
    ),
    "annotation: another": (
        snapshot_with(service_account=service_account(OTHER_ROLE)),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_DIFFERS,
    ),
    "annotation: kept by the guard": (
        snapshot_with(service_account=replace(service_account(ROLE), left_out_by="arn:aws:sts::111122223333:assumed-role/ci-deploy/1698")),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: empty": (snapshot_with(service_account=service_account("")), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: under another key": (
        snapshot_with(service_account=service_account(key="eks.amazon.com/role-arn")),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_KEY_MISSPELT,
    ),
    "annotation: right, with a stray one beside it": (
        snapshot_with(
            service_account=ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE, "x/role-arn": "y"})
        ),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: no ServiceAccount, whose annotation is to be claimed": (
        snapshot_with(settings=Settings(claim=Claim.ALWAYS), service_account=Missing("sa")),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_MISSING,
    ),
    "annotation: no ServiceAccount": (snapshot_with(service_account=Missing("sa")), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: no binding": (snapshot_with(binding=Missing("p"), addon=addon(role_arn=None)), Link.ANNOTATION, NOT_APPLICABLE, None),
    "annotation: no binding, and pods on the node role fail": (
        snapshot_with(
            binding=Missing("p"),
            addon=addon(role_arn=None),
            service_account=service_account(None),
            pods=pods(3, None),
            permission_errors=errors("aws-node-01"),
        ),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_MISSING,
    ),
    "annotation: no binding, and a pod that carries a role fails": (
        snapshot_with(
            binding=Missing("p"),
            addon=addon(role_arn=None),
            service_account=service_account(None),
            pods=pods(3, OTHER_ROLE),
            permission_errors=errors("aws-node-01"),
        ),
        Link.ANNOTATION,
        NOT_APPLICABLE,
        None,
    ),
    "annotation: no binding, and an error from before the pod": (
        snapshot_with(
            binding=Missing("p"),
            addon=addon(role_arn=None),
            service_account=service_account(None),
            pods=pods(3, None, created_at=NOW),
            permission_errors=errors("aws-node-01"),
        ),
        Link.ANNOTATION,
        NOT_APPLICABLE,
        None,
    ),
    # 10 pods
    "pods: all right": (snapshot_with(), Link.PODS, OK, None),
    "pods: one Pending for less than five minutes": (
        _late(timedelta(minutes=4, seconds=59)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_NOT_READY,
    ),
    "pods: one Pending for five minutes": (_late(timedelta(minutes=5)), Link.PODS, BROKEN, Verdict.PODS_STUCK),
    "pods: one Pending for 119 minutes": (_late(timedelta(minutes=119)), Link.PODS, BROKEN, Verdict.PODS_STUCK),
    "pods: two Pending for two hours": (_late(timedelta(hours=2), timedelta(hours=2)), Link.PODS, BROKEN, Verdict.PODS_STUCK),
    "pods: one that is Terminating was Pending": (_late(timedelta(hours=2), deleting=True), Link.PODS, OK, None),
    "pods: one Terminating for an hour": (_late(timedelta(hours=1), **_TERMINATING), Link.PODS, BROKEN, Verdict.PODS_STUCK),
    "pods: one Terminating for an hour on a node that is not Ready": (
        replace(_late(timedelta(hours=1), **_TERMINATING), nodes=nodes(15, unready=15)),
        Link.PODS,
        OK,
        None,
    ),
    "pods: none, although all are wanted": (snapshot_with(pods=()), Link.PODS, BROKEN, Verdict.PODS_NOT_CREATED),
    "pods: none of a DaemonSet that wants one": (
        snapshot_with(pods=(), workload=workload(desired=1, max_unavailable=1)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_NOT_CREATED,
    ),
    "pods: none of a Deployment, as during a restart of one": (
        snapshot_with(pods=(), workload=workload(kind=WorkloadKind.DEPLOYMENT, desired=1, max_unavailable=1)),
        Link.PODS,
        UNKNOWN,
        None,
    ),
    "pods: all of an add-on crash": (driver(ready=False, waiting="CrashLoopBackOff"), Link.PODS, BROKEN, Verdict.PODS_NOT_READY),
    "pods: all of an add-on end with an error": (
        driver(ready=False, termination_message="Error, exit code 1"),
        Link.PODS,
        BROKEN,
        Verdict.PODS_NOT_READY,
    ),
    "pods: all of an add-on are not ready, and nothing fails": (driver(ready=False), Link.PODS, OK, None),
    "pods: no image for those of an add-on": (driver(ready=False, waiting="ImagePullBackOff", has_run=False), Link.PODS, OK, None),
    "pods: no image, and the role is not read": (
        replace(driver(ready=False, waiting="ImagePullBackOff", has_run=False), role=Unknown("denied")),
        Link.PODS,
        BROKEN,
        Verdict.PODS_NOT_READY,
    ),
    "pods: one of an add-on crashes": (
        replace(driver(), pods=pods(2, ROLE, unready=1, waiting="CrashLoopBackOff")),
        Link.PODS,
        OK,
        None,
    ),
    "pods: all of another workload crash": (
        snapshot_with(healthy_snapshot(SHOP), addon_name=None, addon=NOT_READ, pods=pods(2, ROLE, unready=2, waiting="CrashLoopBackOff")),
        Link.PODS,
        BROKEN,
        Verdict.PODS_NOT_READY,
    ),
    "pods: with the role of their template, and without a token file": (
        snapshot_with(workload=workload(template_role_arn=ROLE), pods=some_pods(ROLE, ROLE, has_token_file=False)),
        Link.PODS,
        BROKEN,
        Verdict.ROLE_IN_POD_TEMPLATE,
    ),
    "pods: with the role and the token file of their template": (
        snapshot_with(workload=workload(template_role_arn=ROLE, desired=2), pods=some_pods(ROLE, ROLE)),
        Link.PODS,
        OK,
        None,
    ),
    "pods: with the role, and without a token file": (
        snapshot_with(pods=some_pods(ROLE, ROLE, has_token_file=False)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: fewer than the DaemonSet wants, and no event": (snapshot_with(pods=pods(14, ROLE)), Link.PODS, UNKNOWN, None),
    "pods: fewer than a Deployment wants, and no event": (
        snapshot_with(pods=pods(14, ROLE), workload=workload(kind=WorkloadKind.DEPLOYMENT)),
        Link.PODS,
        OK,
        None,
    ),
    "pods: some without": (snapshot_with(pods=some_pods(ROLE, None, ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: some with another": (snapshot_with(pods=some_pods(ROLE, OTHER_ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: stale ones on their way out": (
        snapshot_with(pods=some_pods(None, deleting=True), workload=workload(desired=1)),
        Link.PODS,
        OK,
        None,
    ),
    "pods: newer than the annotation": (
        snapshot_with(pods=some_pods(None), service_account=service_account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.WEBHOOK_MISSED,
    ),
    "pods: as old as the annotation": (
        snapshot_with(pods=some_pods(None), service_account=service_account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than the annotation, with another role": (
        snapshot_with(pods=some_pods(OTHER_ROLE), service_account=service_account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: one older, one newer than the annotation": (
        snapshot_with(pods=some_pods(None, None), service_account=service_account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than an annotation whose time is not known": (
        snapshot_with(
            pods=some_pods(None),
            service_account=ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE}),
        ),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: no binding": (snapshot_with(binding=Missing("p"), pods=some_pods(None)), Link.PODS, NOT_APPLICABLE, None),
}
