"""Cases of where the role is put: annotation and pods."""

from datetime import timedelta

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import (
    Missing,
    ServiceAccountFacts,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, Case
from tests.unit.domain.snapshot_fixtures import BORN, OTHER_ROLE, addon, errors, seen, some_pods, workload
from tests.unit.notifications.snapshots import NOW, ROLE, pods, service_account

CASES: dict[str, Case] = {
    # 9 annotation
    "annotation: right": (seen(), Link.ANNOTATION, OK, None),
    "annotation: none": (seen(service_account=service_account(None)), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: none any more": (
        seen(service_account=service_account(None), known_good_at=NOW),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_WIPED,
    ),
    "annotation: another": (seen(service_account=service_account(OTHER_ROLE)), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_DIFFERS),
    "annotation: empty": (seen(service_account=service_account("")), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: under another key": (
        seen(service_account=service_account(key="eks.amazon.com/role-arn")),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_KEY_MISSPELT,
    ),
    "annotation: right, with a stray one beside it": (
        seen(service_account=ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE, "x/role-arn": "y"})),
        Link.ANNOTATION,
        OK,
        None,
    ),
    "annotation: no ServiceAccount": (seen(service_account=Missing("sa")), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: no binding": (seen(binding=Missing("p"), addon=addon(role_arn=None)), Link.ANNOTATION, NOT_APPLICABLE, None),
    "annotation: no binding, and pods on the node role fail": (
        seen(
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
        seen(
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
        seen(
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
    "pods: all right": (seen(), Link.PODS, OK, None),
    "pods: none, although all are wanted": (seen(pods=()), Link.PODS, BROKEN, Verdict.PODS_NOT_CREATED),
    "pods: none, as during a restart of one": (seen(pods=(), workload=workload(desired=1, max_unavailable=1)), Link.PODS, UNKNOWN, None),
    "pods: some without": (seen(pods=some_pods(ROLE, None, ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: some with another": (seen(pods=some_pods(ROLE, OTHER_ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: stale ones on their way out": (seen(pods=some_pods(None, deleting=True)), Link.PODS, OK, None),
    "pods: newer than the annotation": (
        seen(pods=some_pods(None), service_account=service_account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.WEBHOOK_MISSED,
    ),
    "pods: as old as the annotation": (
        seen(pods=some_pods(None), service_account=service_account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than the annotation, with another role": (
        seen(pods=some_pods(OTHER_ROLE), service_account=service_account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: one older, one newer than the annotation": (
        seen(pods=some_pods(None, None), service_account=service_account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than an annotation whose time is not known": (
        seen(
            pods=some_pods(None),
            service_account=ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE}),
        ),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: no binding": (seen(binding=Missing("p"), pods=some_pods(None)), Link.PODS, NOT_APPLICABLE, None),
}
