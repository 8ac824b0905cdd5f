"""Findings in audit records, and records without findings."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.contract.access import BoundWorkload
from lambdas.contract.names import LEFT_OUT_BY, REMEDIATOR_GROUP, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.audit import Findings, NodeCause, findings
from lambdas.domain.audit.identity import watched
from lambdas.domain.audit.prefilter import prefilter
from lambdas.node_watcher.audit_events import events_of
from tests.unit.node_watcher.audit_records import (
    ACCOUNT,
    NODE,
    OUR_ROLE,
    created_pod,
    kubelet_patch,
    record,
    registration,
    role_session,
    service_account_write,
    silent_node,
)
from tests.unit.node_watcher.test_filter_pattern import IRRELEVANT, RELEVANT

WATCHING = watched([("shop", "uploader")])
OUR_NAME = "EksIrsaRemediator-RemediatorRole"


def _findings(*records: object, our_roles: tuple[str, ...] = (OUR_ROLE,)) -> Findings:
    return findings(records, watching=WATCHING, our_roles=our_roles)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (kubelet_patch(), NodeCause.NETWORK),
        (kubelet_patch(at_index=0), NodeCause.NETWORK),
        (kubelet_patch(message="PLEG is not healthy"), NodeCause.KUBELET),
        (silent_node(), NodeCause.SILENT),
        (registration(), NodeCause.REGISTERED),
    ],
)
def test_each_sign_of_a_node_has_its_cause(line: dict[str, Any], cause: NodeCause) -> None:
    (unready,) = _findings(line).nodes
    assert (unready.cause, unready.nodes) == (cause, (NODE,))
    assert unready.at == datetime(2026, 9, 27, 21, 6, 47, 868376, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        kubelet_patch(ready="True", message="kubelet is posting ready status"),
        kubelet_patch(code=409),
        kubelet_patch(stage="RequestReceived"),
        registration(code=403),
        record("create", "nodes", NODE, subresource="proxy"),
        record("delete", "nodes", NODE),
        kubelet_patch("not a node's name"),
    ],
)
def test_other_writes_give_no_node_finding(line: dict[str, Any]) -> None:
    assert _findings(line) == Findings()


def test_many_nodes_with_one_cause_give_one_event_with_the_first_names() -> None:
    lines = [kubelet_patch(f"node-{item:03}", at=f"2026-09-27T21:06:{item % 60:02}.000000Z") for item in range(200)]
    random.Random(7).shuffle(lines)
    ((kind, detail),) = events_of(_findings(*lines, *lines), "prod-blue")
    assert kind == "Node Not Ready"
    assert (detail["count"], detail["nodes"]) == (200, [f"node-{item:03}" for item in range(10)])
    assert (detail["since"], detail["occurredAt"]) == ("2026-09-27T21:06:00Z", "2026-09-27T21:06:59Z")


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
def test_a_write_to_the_service_account_names_its_actor(verb: str) -> None:
    (changed,) = _findings(service_account_write(verb, user=role_session("ci-deploy", "run-42"), agent="Helm/3.19.0")).identities
    assert (changed.watched.namespace, changed.watched.service_account) == ("kube-system", "aws-node")
    assert changed.actor.who == f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-deploy/run-42"
    assert changed.actor.what == f"{verb} of ServiceAccount kube-system/aws-node"
    assert (changed.actor.agent, changed.actor.address) == ("Helm/3.19.0", "203.0.113.7")


def _reported(position: int, policy: str = "kube-system.aws-node.warning.eks-irsa-remediator") -> str:
    """The audit annotation of a policy with the action Audit, as kube-apiserver v1.36.3 wrote it."""
    failure = {"message": "…", "policy": policy, "binding": policy, "expressionIndex": position, "validationActions": ["Warn", "Audit"]}
    return json.dumps([failure])


def _with_annotation(record: dict[str, Any], value: object) -> dict[str, Any]:
    return {**record, "annotations": {**record["annotations"], "validation.policy.admission.k8s.io/validation_failure": value}}


@pytest.mark.parametrize(
    ("value", "effect"),
    [
        (_reported(0), ", which removed or changed its role"),
        (_reported(1), ", which left out its role; the guard kept it"),
        (_reported(2), ""),
        (_reported(0, "somebody.example.com"), ""),
        ("not JSON", ""),
        ("[" * 100_000, ""),
        ('{"policy": "a.warning.eks-irsa-remediator"}', ""),
        ('[null, 1, {"policy": 3}]', ""),
        ({"policy": "a.warning.eks-irsa-remediator"}, ""),
    ],
)
def test_the_actor_text_says_what_the_warning_reports(value: object, effect: str) -> None:
    (changed,) = _findings(_with_annotation(service_account_write(), value)).identities
    assert changed.actor.what == f"patch of ServiceAccount kube-system/aws-node{effect}"


def test_a_removal_is_named_before_a_later_write_and_the_time_is_the_latest() -> None:
    removal = _with_annotation(
        service_account_write(user=role_session("ci-deploy", "run-42"), at="2026-09-27T21:06:40.000000Z"), _reported(0)
    )
    label = service_account_write(user=role_session("oncall", "jane"), at="2026-09-27T21:06:50.000000Z")
    for lines in ((removal, label), (label, removal)):
        (changed,) = _findings(*lines).identities
        assert changed.actor.who.endswith("ci-deploy/run-42")
        assert (changed.changes, f"{changed.at:%M:%S}") == (2, "06:50")


@pytest.mark.parametrize(("user", "is_kept"), [("kubernetes-admin", True), ("someone-before", False)])
def test_a_repeated_attempt_of_one_user_is_named_by_the_response(user: str, is_kept: bool) -> None:
    """The warning reports a user once in a row, because the second attempt changes no annotation."""
    after = {"metadata": {"name": "aws-node", "annotations": {ROLE_ANNOTATION: OUR_ROLE, LEFT_OUT_BY: user}}}
    (changed,) = _findings(service_account_write("update", request={"metadata": {"name": "aws-node"}}, response=after)).identities
    assert changed.actor.what.endswith("which left out its role; the guard kept it") is is_kept


@pytest.mark.parametrize(("annotations", "has_no_role"), [({}, True), ({ROLE_ANNOTATION: ""}, True), ({ROLE_ANNOTATION: OUR_ROLE}, False)])
def test_the_actor_text_says_whether_the_write_removed_the_role(annotations: dict[str, str], has_no_role: bool) -> None:
    (changed,) = _findings(
        service_account_write("update", response={"metadata": {"name": "aws-node", "annotations": annotations}})
    ).identities
    assert changed.actor.what.endswith("which left it without a role") is has_no_role


@pytest.mark.parametrize("resource", ["daemonsets", "deployments"])
def test_a_write_to_the_workload_is_a_change_of_its_service_account(resource: str) -> None:
    name, account = {"daemonsets": ("aws-node", "aws-node"), "deployments": ("ebs-csi-controller", "ebs-csi-controller-sa")}[resource]
    (changed,) = _findings(record("patch", resource, name, namespace="kube-system")).identities
    assert changed.watched.service_account == account


def test_a_bound_service_account_is_watched_and_also_its_workload_if_known() -> None:
    served = [BoundWorkload("shop", "uploader", WorkloadKind.STATEFUL_SET, "uploads")]
    lines = [service_account_write("delete", "uploader", namespace="shop"), record("patch", "statefulsets", "uploads", namespace="shop")]
    assert [identity.changes for identity in _findings(*lines).identities] == [1]
    assert [
        identity.changes for identity in findings(lines, watching=watched([("shop", "uploader")], served), our_roles=()).identities
    ] == [2]


@pytest.mark.parametrize(
    "line",
    [
        service_account_write("get"),
        service_account_write("patch", query="?dryRun=All&fieldManager=kubectl"),
        service_account_write("patch", code=409),
        service_account_write("patch", code=400),
        service_account_write("create", subresource="token"),
        service_account_write("patch", namespace="default"),
        service_account_write("patch", "aws-node-2"),
        record("update", "daemonsets", "aws-node", namespace="kube-system", subresource="status"),
        record("patch", "daemonsets", "kube-proxy", namespace="kube-system"),
        record("patch", "deployments", "aws-node", namespace="kube-system"),
        record(
            "update",
            "deployments",
            "ebs-csi-controller",
            namespace="kube-system",
            user={"username": "system:serviceaccount:kube-system:deployment-controller", "groups": []},
        ),
    ],
)
def test_other_writes_give_no_identity_finding(line: dict[str, Any]) -> None:
    assert _findings(line) == Findings()


def test_a_status_code_of_400_or_more_is_a_failure() -> None:
    assert _findings(service_account_write("patch", code=399)).identities


def test_deleting_all_service_accounts_of_a_namespace_is_a_finding_for_each() -> None:
    found = _findings(service_account_write("deletecollection", ""))
    assert [identity.watched.service_account for identity in found.identities] == [
        "aws-load-balancer-controller",
        "aws-node",
        "ebs-csi-controller-sa",
        "efs-csi-controller-sa",
        "fsx-csi-controller-sa",
    ]
    assert found.identities[0].actor.what == "deletecollection of every ServiceAccount in kube-system"


FOOTSTEPS = {
    "our role": (role_session(OUR_NAME, "run", REMEDIATOR_GROUP), "?fieldManager=eks-irsa-remediator", True),
    "our role, without its group": (role_session(OUR_NAME, "run"), "", True),
    "our group, no IAM identity": ({"username": "remediator", "groups": [REMEDIATOR_GROUP]}, "", True),
    "only the user name tells the role": ({"username": f"arn:aws:sts::{ACCOUNT}:assumed-role/{OUR_NAME}/run", "groups": []}, "", True),
    "another role with our session's name": (role_session("someone-else", OUR_NAME), "", False),
    "another role with our field manager": (role_session("someone-else", "run"), "?fieldManager=eks-irsa-remediator", False),
    "another role that was put into our group": (role_session("someone-else", "run", REMEDIATOR_GROUP), "", False),
    "a role of our name in another account": (
        {"username": "x", "groups": [REMEDIATOR_GROUP], "extra": {"arn": [f"arn:aws:sts::999988887777:assumed-role/{OUR_NAME}/run"]}},
        "",
        False,
    ),
    "another role under our user name": (
        {
            "username": f"arn:aws:sts::{ACCOUNT}:assumed-role/{OUR_NAME}/run",
            "groups": [REMEDIATOR_GROUP],
            "extra": {"canonicalArn": [f"arn:aws:iam::{ACCOUNT}:role/someone-else"]},
        },
        "",
        False,
    ),
    "an IAM user in our group": (
        {"username": "x", "groups": [REMEDIATOR_GROUP], "extra": {"arn": [f"arn:aws:iam::{ACCOUNT}:user/dana"]}},
        "",
        False,
    ),
    "an administrator": ({"username": "kubernetes-admin", "groups": ["system:masters"]}, "", False),
}


@pytest.mark.parametrize("name", FOOTSTEPS)
def test_only_writes_of_the_product_itself_are_ignored(name: str) -> None:
    user, query, ours = FOOTSTEPS[name]
    assert (_findings(service_account_write(user=user, query=query)) == Findings()) is ours


def test_without_configured_roles_the_groups_identify_own_writes() -> None:
    line = service_account_write(user=role_session(OUR_NAME, "run", REMEDIATOR_GROUP))
    assert findings([line], watching=watched([]), our_roles=()) == Findings()


def test_a_controller_that_deletes_a_workload_is_a_finding() -> None:
    user = {"username": "system:serviceaccount:kube-system:daemon-set-controller", "groups": []}
    assert _findings(record("delete", "daemonsets", "aws-node", namespace="kube-system", user=user)).identities


def test_several_writers_give_one_event_that_names_the_last() -> None:
    lines = [
        service_account_write(user=role_session("second", "b"), at="2026-09-27T21:06:50.000000Z"),
        service_account_write(user=role_session("first", "a"), at="2026-09-27T21:06:40.000000Z"),
    ]
    ((kind, detail),) = events_of(_findings(*lines), "prod-blue")
    assert (kind, detail["changes"], detail["occurredAt"]) == ("Identity Changed", 2, "2026-09-27T21:06:50Z")
    assert detail["actor"]["who"].endswith("assumed-role/second/b")


@pytest.mark.parametrize("name", RELEVANT)
def test_the_prefilter_passes_every_line_with_a_finding(name: str) -> None:
    line = json.dumps(RELEVANT[name], separators=(",", ":"))
    assert prefilter(WATCHING)(line.encode())
    assert prefilter(WATCHING)(json.dumps({"message": line}).encode())


@pytest.mark.parametrize("name", ["heartbeat of a Ready node", "pod created", "lease renewed", "config map written"])
def test_the_prefilter_rejects_the_bulk_of_the_log(name: str) -> None:
    assert not prefilter(WATCHING)(json.dumps(IRRELEVANT[name]).encode())


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(LEAVES, lambda item: st.lists(item, max_size=3) | st.dictionaries(st.text(max_size=10), item, max_size=3), max_leaves=8)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A record with a value replaced, somewhere."""
    line = json.loads(json.dumps(draw(st.sampled_from([*RELEVANT.values(), *IRRELEVANT.values()]))))
    place, key = line, draw(st.sampled_from(sorted(line)))
    while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
        place = place[key]
        key = draw(st.sampled_from(sorted(place)))
    place[key] = draw(JSON)
    return line


def _survives(records: list[Any]) -> None:
    sent = events_of(_findings(*records), "prod-blue")
    assert len(sent) <= len(NodeCause) + len(WATCHING)
    json.dumps(sent)


@settings(max_examples=300)
@given(st.lists(JSON | damaged(), max_size=4))
def test_no_record_raises(records: list[Any]) -> None:
    _survives(records)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@settings(max_examples=10_000, derandomize=False)
@given(st.lists(JSON | damaged(), max_size=4))
def test_no_record_raises_in_a_long_run(records: list[Any]) -> None:
    _survives(records)


@given(st.permutations([*RELEVANT.values()]))
def test_the_order_of_records_does_not_matter(records: list[dict[str, Any]]) -> None:
    assert _findings(*records) == _findings(*RELEVANT.values())


def test_pods_that_a_webhook_failed_open_for_are_one_finding_with_their_names() -> None:
    names = ("iam-for-pods.example.com", "other.example.com")
    lines = [created_pod(f"aws-node-{index}", *names[: 1 + index % 2]) for index in range(5)]
    (found,) = _findings(*lines).identities
    assert (found.watched.service_account, found.changes) == ("aws-node", 5)
    assert found.actor.who == "system:serviceaccount:kube-system:daemon-set-controller"
    assert found.actor.what == (
        "create of aws-node-0, aws-node-1, aws-node-2 and 2 more, for which webhook iam-for-pods.example.com, other.example.com failed open"
    )
    assert _findings(*reversed(lines)) == _findings(*lines)


def test_a_write_to_the_service_account_counts_before_a_created_pod() -> None:
    (found,) = _findings(created_pod("aws-node-0", "iam-for-pods.example.com"), service_account_write("patch")).identities
    assert "ServiceAccount" in found.actor.what


@pytest.mark.parametrize(
    "line",
    [
        created_pod(),
        created_pod("coredns-1", "iam-for-pods.example.com", account="coredns"),
        {**created_pod("aws-node-0", "iam-for-pods.example.com"), "requestObject": None, "responseObject": None},
        {**created_pod("aws-node-0", "iam-for-pods.example.com"), "annotations": ["failed-open.mutation.webhook.admission.k8s.io/x"]},
        {**created_pod(), "annotations": {"failed-open.mutation.webhook.admission.k8s.io/round_0_index_0": 7}},
        {**created_pod("aws-node-0", "iam-for-pods.example.com"), "responseStatus": {"code": 403}},
    ],
    ids=["no annotation", "not watched", "no body", "annotations of another shape", "value of another type", "not created"],
)
def test_other_created_pods_are_no_finding(line: dict[str, Any]) -> None:
    assert _findings(line) == Findings()
