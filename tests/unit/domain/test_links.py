"""Every link of the identity chain in each of its states."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.settings import AddonRecord, Severity
from lambdas.domain.diagnosis import diagnose
from lambdas.domain.errors import Denial
from lambdas.domain.finding import Link, State
from lambdas.domain.links.annotation import changed_at, last_writer
from lambdas.domain.observation import (
    NOT_READ,
    Association,
    FieldWriter,
    HealthIssue,
    InvalidBinding,
    Missing,
    NodeFacts,
    Observation,
    OidcProvider,
    RoleFacts,
    ServiceAccountFacts,
    Unknown,
)
from lambdas.domain.verdict import Verdict
from tests.unit.domain.pictures import BORN, OTHER_ROLE, addon, cluster, errors, seen, settings, some_pods, workload
from tests.unit.report.worlds import ACCOUNT, NOW, ROLE, SHOP, account, nodes, pods, sound, trust

CLOSED = Unknown("403", Denial.FORBIDDEN)
UNREAD = Unknown("no answer")
POD_IDENTITY_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
}
STS = "WebIdentityErr: failed to retrieve credentials: RequestError: dial tcp: i/o timeout"

OK, BROKEN, UNKNOWN, NOT_APPLICABLE = State.OK, State.BROKEN, State.UNKNOWN, State.NOT_APPLICABLE


def associated(**changes: Any) -> Observation:
    facts: dict[str, Any] = {
        "associations": (Association(id="a-1", role_arn=ROLE),),
        "agent_installed": True,
        "role": RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST),
    }
    return seen(**{**facts, **changes})


def since(minutes: float) -> Observation:
    at = NOW - timedelta(minutes=minutes)
    return seen(nodes=tuple(_since(node, at) for node in nodes(15, unready=1)))


def _since(node: NodeFacts, at: datetime) -> NodeFacts:
    return node if node.ready else replace(node, since=at)


CASES = {
    # 1 cluster
    "cluster: active": (seen(), Link.CLUSTER, OK, None),
    "cluster: updating can be read": (seen(cluster=cluster(status="UPDATING")), Link.CLUSTER, OK, None),
    "cluster: gone": (seen(cluster=Missing("cluster")), Link.CLUSTER, BROKEN, Verdict.CLUSTER_GONE),
    "cluster: creating": (seen(cluster=cluster(status="CREATING")), Link.CLUSTER, BROKEN, Verdict.CLUSTER_YOUNG),
    "cluster: failed": (seen(cluster=cluster(status="FAILED")), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: not described": (seen(cluster=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: ServiceAccount closed": (seen(service_account=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: workload closed": (seen(workload=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: pods closed": (seen(pods=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    "cluster: nodes closed": (seen(nodes=CLOSED), Link.CLUSTER, BROKEN, Verdict.NO_ACCESS),
    # 2 workload
    "workload: wanted": (seen(), Link.WORKLOAD, OK, None),
    "workload: wanted nowhere": (seen(workload=workload(desired=0)), Link.WORKLOAD, NOT_APPLICABLE, None),
    "workload: none, and nobody waits": (seen(workload=Missing("d")), Link.WORKLOAD, NOT_APPLICABLE, None),
    "workload: none, and nodes wait": (
        seen(workload=Missing("d"), addon=Missing("a"), nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        BROKEN,
        Verdict.ADDON_NOT_INSTALLED,
    ),
    "workload: none yet, the add-on is coming": (
        seen(workload=Missing("d"), addon=addon(status="CREATING"), nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        BROKEN,
        Verdict.UPDATE_IN_PROGRESS,
    ),
    "workload: none of another ServiceAccount": (
        seen(workload=Missing("d"), addon_name=None, nodes=nodes(3, unready=1)),
        Link.WORKLOAD,
        NOT_APPLICABLE,
        None,
    ),
    # 3 mechanism
    "mechanism: IRSA": (seen(), Link.MECHANISM, OK, None),
    "mechanism: not told": (seen(associations=UNREAD), Link.MECHANISM, UNKNOWN, None),
    "mechanism: pod identity": (associated(), Link.MECHANISM, OK, None),
    "mechanism: agent not known": (associated(agent_installed=UNREAD), Link.MECHANISM, OK, None),
    "mechanism: no agent": (associated(agent_installed=False), Link.MECHANISM, BROKEN, Verdict.POD_IDENTITY_IN_USE),
    "mechanism: role trusts nobody": (
        associated(role=RoleFacts(arn=ROLE, trust=trust())),
        Link.MECHANISM,
        BROKEN,
        Verdict.POD_IDENTITY_IN_USE,
    ),
    # 4 role
    "role: exists": (seen(), Link.ROLE, OK, None),
    "role: binding invalid": (
        seen(binding=InvalidBinding(path="p", reason="is no ARN"), role=NOT_READ),
        Link.ROLE,
        BROKEN,
        Verdict.BINDING_INVALID,
    ),
    "role: does not exist": (seen(role=Missing("role")), Link.ROLE, BROKEN, Verdict.BINDING_INVALID),
    "role: not told": (seen(role=UNREAD), Link.ROLE, UNKNOWN, None),
    "role: not read": (seen(role=NOT_READ), Link.ROLE, UNKNOWN, None),
    "role: no binding": (seen(binding=Missing("p"), addon=addon(role_arn=None), role=NOT_READ), Link.ROLE, NOT_APPLICABLE, None),
    "role: under pod identity": (associated(), Link.ROLE, NOT_APPLICABLE, None),
    # 5 OIDC provider
    "provider: there": (seen(), Link.OIDC_PROVIDER, OK, None),
    "provider: none": (seen(oidc_provider=Missing("p")), Link.OIDC_PROVIDER, BROKEN, Verdict.OIDC_PROVIDER_MISSING),
    "provider: other audience": (
        seen(oidc_provider=OidcProvider(arn="a", client_ids=("example.com",))),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: no audience": (
        seen(oidc_provider=OidcProvider(arn="a", client_ids=())),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: one audience of two": (
        seen(oidc_provider=OidcProvider(arn="a", client_ids=("x", "sts.amazonaws.com"))),
        Link.OIDC_PROVIDER,
        OK,
        None,
    ),
    "provider: the cluster has no issuer": (
        seen(cluster=cluster(issuer=None), oidc_provider=Missing("OIDC issuer")),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: not told": (seen(oidc_provider=UNREAD), Link.OIDC_PROVIDER, UNKNOWN, None),
    "provider: no role to guard": (seen(oidc_provider=NOT_READ), Link.OIDC_PROVIDER, NOT_APPLICABLE, None),
    # 6 trust
    "trust: lets us in": (seen(), Link.TRUST, OK, None),
    "trust: other issuer": (
        seen(role=RoleFacts(arn=ROLE, trust=trust("oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))),
        Link.TRUST,
        BROKEN,
        Verdict.TRUST_OTHER_ISSUER,
    ),
    "trust: other subject": (
        seen(role=RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:a:b"))),
        Link.TRUST,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "trust: an operator that we do not know": (
        seen(
            role=RoleFacts(
                arn=ROLE,
                trust={
                    "Statement": [
                        {**trust()["Statement"][0], "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}
                    ]
                },
            )
        ),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "trust: not told": (seen(role=UNREAD), Link.TRUST, UNKNOWN, None),
    "trust: no role": (seen(role=Missing("role")), Link.TRUST, NOT_APPLICABLE, None),
    # 7 permissions
    "permissions: not granted to ask": (seen(), Link.PERMISSIONS, UNKNOWN, None),
    "permissions: all": (seen(simulated={}), Link.PERMISSIONS, OK, None),
    "permissions: one denied": (
        seen(simulated={"ec2:CreateTags": "implicitDeny"}),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "permissions: nothing to ask about": (seen(simulated=NOT_READ), Link.PERMISSIONS, NOT_APPLICABLE, None),
    "permissions: a workload that we do not know": (seen(sound(SHOP), simulated={}), Link.PERMISSIONS, NOT_APPLICABLE, None),
    # 8 add-on record
    "record: carries the role": (seen(), Link.ADDON_RECORD, OK, None),
    "record: no role": (seen(addon=addon(role_arn=None)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: other role": (seen(addon=addon(role_arn=OTHER_ROLE)), Link.ADDON_RECORD, BROKEN, Verdict.ADDON_ROLE_MISSING),
    "record: no role, and told to leave it": (
        seen(addon=addon(role_arn=None), settings=settings(addon_record=AddonRecord.TELL)),
        Link.ADDON_RECORD,
        NOT_APPLICABLE,
        None,
    ),
    "record: other role, and told to leave it": (
        seen(addon=addon(role_arn=OTHER_ROLE), settings=settings(addon_record=AddonRecord.TELL)),
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
        Verdict.ADDON_DEGRADED_OTHERWISE,
    ),
    "record: degraded, and nothing explains it": (
        seen(addon=addon(status="DEGRADED", issues=(HealthIssue(code="InsufficientNumberOfReplicas", message="m"),))),
        Link.ADDON_RECORD,
        BROKEN,
        Verdict.ADDON_DEGRADED_OTHERWISE,
    ),
    "record: degraded as the missing identity explains": (
        seen(addon=addon(status="DEGRADED", issues=(HealthIssue(code="AccessDenied", message="m"),)), service_account=account(None)),
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
        Verdict.CLUSTER_YOUNG,
    ),
    "record: no binding": (seen(binding=Missing("p")), Link.ADDON_RECORD, NOT_APPLICABLE, None),
    # 9 annotation
    "annotation: right": (seen(), Link.ANNOTATION, OK, None),
    "annotation: none": (seen(service_account=account(None)), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: none any more": (
        seen(service_account=account(None), known_good_at=NOW),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_WIPED,
    ),
    "annotation: another": (seen(service_account=account(OTHER_ROLE)), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_DIFFERS),
    "annotation: empty": (seen(service_account=account("")), Link.ANNOTATION, BROKEN, Verdict.ANNOTATION_MISSING),
    "annotation: under another key": (
        seen(service_account=account(key="eks.amazon.com/role-arn")),
        Link.ANNOTATION,
        BROKEN,
        Verdict.ANNOTATION_KEY_MISSPELT,
    ),
    "annotation: right, with a stray one beside it": (
        seen(
            service_account=ServiceAccountFacts(uid="u", resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE, "x/role-arn": "y"})
        ),
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
            service_account=account(None),
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
            service_account=account(None),
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
            service_account=account(None),
            pods=pods(3, None, born=NOW),
            permission_errors=errors("aws-node-01"),
        ),
        Link.ANNOTATION,
        NOT_APPLICABLE,
        None,
    ),
    # 10 pods
    "pods: all right": (seen(), Link.PODS, OK, None),
    "pods: none": (seen(pods=()), Link.PODS, OK, None),
    "pods: some without": (seen(pods=some_pods(ROLE, None, ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: some with another": (seen(pods=some_pods(ROLE, OTHER_ROLE)), Link.PODS, BROKEN, Verdict.PODS_STALE),
    "pods: stale ones on their way out": (seen(pods=some_pods(None, deleting=True)), Link.PODS, OK, None),
    "pods: newer than the annotation": (
        seen(pods=some_pods(None), service_account=account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.WEBHOOK_MISSED,
    ),
    "pods: as old as the annotation": (
        seen(pods=some_pods(None), service_account=account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than the annotation, with another role": (
        seen(pods=some_pods(OTHER_ROLE), service_account=account(at=BORN - timedelta(seconds=1))),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: one older, one newer than the annotation": (
        seen(pods=some_pods(None, None), service_account=account(at=BORN)),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: newer than an annotation whose time is not known": (
        seen(
            pods=some_pods(None),
            service_account=ServiceAccountFacts(uid="u", resource_version="1", role_annotations={ROLE_ANNOTATION: ROLE}),
        ),
        Link.PODS,
        BROKEN,
        Verdict.PODS_STALE,
    ),
    "pods: no binding": (seen(binding=Missing("p"), pods=some_pods(None)), Link.PODS, NOT_APPLICABLE, None),
    # 11 permission errors
    "errors: none": (seen(), Link.PERMISSION_ERRORS, OK, None),
    "errors: not read": (seen(permission_errors=NOT_READ), Link.PERMISSION_ERRORS, NOT_APPLICABLE, None),
    "errors: not told": (seen(permission_errors=UNREAD), Link.PERMISSION_ERRORS, UNKNOWN, None),
    "errors: of a pod with the role": (
        seen(permission_errors=errors("aws-node-03")),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: of a pod that is gone": (seen(permission_errors=errors("aws-node-99")), Link.PERMISSION_ERRORS, OK, None),
    "errors: in the very second in which the pod was created": (
        seen(permission_errors=errors("aws-node-03", ago=timedelta(days=9))),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: from before the pod was created": (
        seen(permission_errors=errors("aws-node-03", ago=timedelta(days=9, seconds=1))),
        Link.PERMISSION_ERRORS,
        OK,
        None,
    ),
    "errors: of a stale pod": (
        seen(pods=some_pods(None), permission_errors=errors("aws-node-00")),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "errors: time-outs on the way to STS": (
        seen(pods=some_pods(ROLE, ready=False, last_words=STS)),
        Link.PERMISSION_ERRORS,
        BROKEN,
        Verdict.STS_UNREACHABLE,
    ),
    "errors: a time-out that is over": (seen(pods=some_pods(ROLE, last_words=STS)), Link.PERMISSION_ERRORS, OK, None),
    # 12 nodes
    "nodes: Ready": (seen(), Link.NODES, OK, None),
    "nodes: not read": (seen(nodes=NOT_READ), Link.NODES, NOT_APPLICABLE, None),
    "nodes: of another workload": (seen(addon_name=None, nodes=nodes(3, unready=1)), Link.NODES, NOT_APPLICABLE, None),
    "nodes: one waits": (seen(nodes=nodes(15, unready=1)), Link.NODES, BROKEN, Verdict.NODES_UNWELL_OTHERWISE),
    "nodes: full disk": (
        seen(nodes=nodes(15, unready=1, message="", pressures=("DiskPressure",))),
        Link.NODES,
        BROKEN,
        Verdict.NODES_UNWELL_OTHERWISE,
    ),
    "nodes: a second within their grace": (since(3 - 1 / 60), Link.NODES, OK, None),
    "nodes: just over their grace": (since(3), Link.NODES, BROKEN, Verdict.NODES_UNWELL_OTHERWISE),
}


@pytest.mark.parametrize(("picture", "link", "state", "verdict"), CASES.values(), ids=CASES)
def test_the_link_is_found_in_its_state(picture: Observation, link: Link, state: State, verdict: Verdict | None) -> None:
    finding = diagnose(picture)[link]
    assert (finding.link, finding.state, finding.verdict) == (link, state, verdict)
    assert finding.sentence


def test_every_state_of_every_link_is_in_the_table() -> None:
    shown = {(link, state) for _, link, state, _ in CASES.values()}
    never = {
        (Link.CLUSTER, UNKNOWN),  # what cannot be read is no access
        (Link.CLUSTER, NOT_APPLICABLE),
        (Link.WORKLOAD, UNKNOWN),  # then the cluster link is broken
        (Link.MECHANISM, NOT_APPLICABLE),
        (Link.ANNOTATION, UNKNOWN),
        (Link.PODS, UNKNOWN),
        (Link.NODES, UNKNOWN),
    }
    assert {(link, state) for link in Link for state in State} - shown == never


def test_behind_a_closed_door_nothing_is_guessed() -> None:
    found = diagnose(seen(service_account=CLOSED))
    assert {it.state for it in found.findings[1:]} == {NOT_APPLICABLE}
    assert found.verdict is Verdict.NO_ACCESS
    assert found.findings[0].remedy


@pytest.mark.parametrize("denial", Denial)
def test_each_closed_door_has_its_own_remedy(denial: Denial) -> None:
    remedies = {it: diagnose(seen(pods=Unknown("x", it)))[Link.CLUSTER].remedy for it in Denial}
    assert [it for it in Denial if remedies[it] == remedies[denial]] == [denial]


def test_the_first_broken_link_gives_the_verdict_and_the_others_are_named_after_it() -> None:
    found = diagnose(seen(addon=addon(role_arn=None), service_account=account(None), pods=some_pods(None, ROLE)))
    assert found.verdict is Verdict.ADDON_ROLE_MISSING
    assert found.verdicts == (Verdict.ADDON_ROLE_MISSING, Verdict.ANNOTATION_MISSING, Verdict.PODS_STALE)
    assert [it.link for it in found.broken] == [Link.ADDON_RECORD, Link.ANNOTATION, Link.PODS]


@pytest.mark.parametrize(
    ("picture", "verdict"),
    [
        (seen(), Verdict.HEALTHY),
        (seen(workload=workload(desired=0)), Verdict.NOT_APPLICABLE),
        (seen(workload=workload(desired=0), addon=addon(status="DEGRADED")), Verdict.NOT_APPLICABLE),
        (associated(), Verdict.POD_IDENTITY_IN_USE),
        (associated(service_account=account(OTHER_ROLE), pods=some_pods(None)), Verdict.POD_IDENTITY_IN_USE),
    ],
)
def test_a_sound_chain_says_why_nothing_is_broken(picture: Observation, verdict: Verdict) -> None:
    found = diagnose(picture)
    assert found.sound
    assert (found.verdict, found.severity) == (verdict, Severity.INFO)


@pytest.mark.parametrize(
    ("picture", "severity"),
    [
        pytest.param(seen(service_account=account(None)), Severity.WARNING, id="latent: nothing fails yet"),
        pytest.param(seen(service_account=account(None), pods=pods(15, ROLE, unready=1)), Severity.CRITICAL, id="a pod is not ready"),
        pytest.param(seen(service_account=account(None), nodes=nodes(15, unready=1)), Severity.CRITICAL, id="a node waits"),
        pytest.param(
            seen(service_account=account(None), pods=pods(15, None), permission_errors=errors("aws-node-01")),
            Severity.CRITICAL,
            id="a call is refused",
        ),
        pytest.param(seen(addon=addon(role_arn=None)), Severity.WARNING, id="only the record"),
        pytest.param(seen(addon=addon(status="UPDATING")), Severity.INFO, id="an update runs"),
        pytest.param(seen(nodes=nodes(15, unready=1, message="", pressures=("DiskPressure",))), Severity.WARNING, id="a full disk"),
        pytest.param(seen(role=Missing("role")), Severity.CRITICAL, id="a binding to no role"),
    ],
)
def test_severity_says_whether_something_fails_now(picture: Observation, severity: Severity) -> None:
    assert diagnose(picture).severity is severity


def test_an_issuer_is_compared_as_eks_reports_it_in_either_spelling() -> None:
    newer = "oidc-eks.eu-west-1.api.aws/id/77D0"
    provider = OidcProvider(arn=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{newer}", client_ids=("sts.amazonaws.com",))
    same = seen(cluster=cluster(issuer=f"https://{newer}"), role=RoleFacts(arn=ROLE, trust=trust(newer)), oidc_provider=provider)
    assert diagnose(same).sound
    assert diagnose(seen(same, role=RoleFacts(arn=ROLE, trust=trust()))).verdict is Verdict.TRUST_OTHER_ISSUER


@pytest.mark.parametrize(
    ("picture", "link", "words"),
    [
        (seen(nodes=nodes(15, unready=1)), Link.NODES, "1 of 15 nodes waits for the CNI."),
        (seen(nodes=nodes(15, unready=2)), Link.NODES, "2 of 15 nodes wait for the CNI."),
        (seen(pods=some_pods(None, ROLE)), Link.PODS, "1 of 2 pods was admitted without the right role."),
        (seen(pods=some_pods(None)), Link.PODS, "1 of 1 pod was admitted without the right role."),
        (seen(pods=some_pods(ROLE)), Link.PODS, "1 of 1 was admitted with the role"),
        (
            seen(pods=some_pods(None), permission_errors=errors("aws-node-00")),
            Link.PERMISSION_ERRORS,
            "1 pod reports that it may not call ec2:CreateNetworkInterface.",
        ),
        (
            seen(pods=some_pods(None, None), permission_errors=errors("aws-node-00", "aws-node-01")),
            Link.PERMISSION_ERRORS,
            "2 pods report that they may not call ec2:CreateNetworkInterface.",
        ),
        (
            seen(workload=Missing("d"), addon=addon(status="CREATING"), nodes=nodes(3, unready=1)),
            Link.WORKLOAD,
            "1 node waits for the CNI, whose add-on is CREATING.",
        ),
    ],
)
def test_numbers_agree_with_their_nouns(picture: Observation, link: Link, words: str) -> None:
    assert diagnose(picture)[link].sentence == words


def test_who_wrote_the_annotation_is_told_and_else_who_wrote_last() -> None:
    at = NOW - timedelta(hours=1)
    writers = (
        FieldWriter(manager="helm", operation="Update", at=at, owns_annotation=False),
        FieldWriter(manager="eks", operation="Apply", at=at - timedelta(hours=1), owns_annotation=True),
        FieldWriter(manager="kubectl", operation="Update", at=None, owns_annotation=True),
    )
    facts = ServiceAccountFacts(uid="u", resource_version="1", role_annotations={}, writers=writers)
    assert last_writer(facts) == writers[1]
    assert last_writer(replace(facts, writers=(writers[0], replace(writers[1], owns_annotation=False)))) == writers[0]
    alike = replace(writers[0], manager="argocd-controller")
    assert last_writer(replace(facts, writers=(alike, writers[0]))) == writers[0], "of the same time, by name"
    assert changed_at(facts) == at - timedelta(hours=1)


REFUSED = HealthIssue(code="AddonPermissionFailure", message="not authorized to perform: ec2:CreateTags, ec2:AttachNetworkInterface")


@pytest.mark.parametrize("code", ["AccessDenied", "AddonPermissionFailure"])
def test_what_eks_says_of_an_add_on_counts_against_a_role_that_is_in_force(code: str) -> None:
    refused = addon(status="DEGRADED", issues=(replace(REFUSED, code=code),))
    found = diagnose(seen(addon=refused, permission_errors=NOT_READ))
    assert found.verdict is Verdict.PERMISSIONS_MISSING
    assert found[Link.PERMISSION_ERRORS].evidence[0].field == code
    assert "AmazonEKS_CNI_Policy" in found[Link.PERMISSION_ERRORS].remedy[0]
    assert found.severity is Severity.WARNING, "nothing fails yet"


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(seen(pods=(*pods(14, ROLE), *some_pods(None))), id="a pod without the role explains it"),
        pytest.param(seen(pods=pods(15, ROLE, born=NOW - timedelta(minutes=14))), id="the health is older than the role in the pods"),
        pytest.param(seen(binding=Missing("/p")), id="no binding says which role"),
        pytest.param(seen(pods=()), id="no pod at all"),
    ],
)
def test_what_eks_says_of_an_add_on_is_else_no_word_against_the_role(picture: Observation) -> None:
    found = diagnose(replace(picture, addon=addon(status="DEGRADED", issues=(REFUSED,)), permission_errors=()))
    assert Verdict.PERMISSIONS_MISSING not in found.verdicts


def test_reports_of_pods_come_before_what_eks_says() -> None:
    found = diagnose(seen(addon=addon(issues=(REFUSED,)), permission_errors=errors("aws-node-00", call="ec2:DeleteNetworkInterface")))
    assert found[Link.PERMISSION_ERRORS].sentence == "prod-blue-vpc-cni may not call ec2:DeleteNetworkInterface."


def test_silence_proves_something_only_of_those_who_would_complain() -> None:
    assert diagnose(seen())[Link.PERMISSION_ERRORS].state is OK
    assert diagnose(seen(addon_name="aws-ebs-csi-driver"))[Link.PERMISSION_ERRORS].state is NOT_APPLICABLE
