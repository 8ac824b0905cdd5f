"""Every link of the identity chain in each of its states."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import Severity
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import Finding, Link, State, object_name
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.links.annotation import annotation_changed_at, last_writer
from lambdas.domain.diagnosis.links.refusals import unshown_refusals
from lambdas.domain.diagnosis.links.symptoms import HEALTH_LAG
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import Denial
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    ClusterFacts,
    FieldWriter,
    HealthIssue,
    Missing,
    OidcProvider,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
)
from lambdas.domain.verification import is_verified
from tests.unit.domain.link_cases import addon_record, annotation, identity, pod_identity, symptoms
from tests.unit.domain.link_cases import cluster as way_in
from tests.unit.domain.link_cases.fixtures import CLOSED, NOT_APPLICABLE, OK, UNKNOWN, associated
from tests.unit.domain.link_cases.pod_identity import UNBOUND
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, binding, cluster, errors, snapshot_with, some_pods, workload
from tests.unit.notifications.snapshots import (
    ACCOUNT,
    NOW,
    POD_IDENTITY_TRUST,
    REGION,
    ROLE,
    TRUST_OF_BOTH,
    nodes,
    pods,
    service_account,
    trust,
)
from tests.unit.notifications.test_golden import assert_golden
from tests.world.simulations import simulation

GOLDEN: Final = Path(__file__).parent / "golden"

_CNI = "--cluster-name prod-blue --addon-name vpc-cni"

CASES = way_in.CASES | identity.CASES | addon_record.CASES | annotation.CASES | symptoms.CASES | pod_identity.CASES


@pytest.mark.parametrize(("snapshot", "link", "state", "verdict"), CASES.values(), ids=CASES)
def test_a_link_has_the_expected_state(snapshot: Snapshot, link: Link, state: State, verdict: Verdict | None) -> None:
    finding = diagnose(snapshot)[link]
    assert (finding.link, finding.state, finding.verdict) == (link, state, verdict)
    assert finding.sentence


@pytest.mark.parametrize("link", Link)
def test_the_findings_of_a_link_are_as_reviewed(link: Link) -> None:
    """Sentence, evidence with its time, and remedies with commands and documents. After a wanted change: `UPDATE_GOLDEN=1`."""
    cases = {name: diagnose(snapshot)[link] for name, (snapshot, of, *_) in CASES.items() if of is link}
    assert_golden(
        GOLDEN / f"{link.name.lower()}.txt", "\n".join(f"######## {name}\n{finding_lines(finding)}\n" for name, finding in cases.items())
    )


def test_each_diagnosis_is_as_reviewed() -> None:
    """Verdict, severity, and what was not shown about the role. After a wanted change: `UPDATE_GOLDEN=1`."""
    found = {name: diagnose(snapshot) for name, (snapshot, *_) in CASES.items()}
    lines = [
        f"{name}: {result.verdict}, {result.severity}{''.join(f'; {words}' for words in result.unproven)}" for name, result in found.items()
    ]
    assert_golden(GOLDEN / "diagnoses.txt", "\n".join(lines) + "\n")


def finding_lines(finding: Finding) -> str:
    """A finding as golden files show it."""
    facts = [f"- {fact.subject}: {fact.field}: {fact.value}{f' ({fact.at.isoformat()})' if fact.at else ''}" for fact in finding.evidence]
    remedies = [f"> {line}" for remedy in finding.remedies for line in remedy.lines]
    known = (finding.verdict, finding.severity if finding.is_broken else "", "ends with identity" if finding.ends_with_identity else "")
    lines = [", ".join(filter(None, (finding.state, *known))), finding.sentence, *facts, *remedies, finding.advice, finding.corrected]
    return "\n".join(filter(None, lines))


@pytest.mark.parametrize(
    ("name", "shown"), [("aws-node-x7k2p", "aws-node-x7k2p"), ("a.b", "a.b"), ("a; rm -rf /", "<name>"), ("", "<name>"), ("A", "<name>")]
)
def test_no_command_holds_a_name_that_kubernetes_does_not_allow(name: str, shown: str) -> None:
    assert object_name(name) == shown


def test_the_table_contains_every_state_of_every_link() -> None:
    shown = {(link, state) for _, link, state, _ in CASES.values()}
    never = {
        (Link.CLUSTER, UNKNOWN),  # what cannot be read is no access
        (Link.CLUSTER, NOT_APPLICABLE),
        (Link.MECHANISM, NOT_APPLICABLE),
        (Link.ANNOTATION, UNKNOWN),
        (Link.NODES, UNKNOWN),
    }
    assert {(link, state) for link in Link for state in State} - shown == never


def test_the_command_for_a_conflict_sets_no_role_beside_an_association() -> None:
    conflict = HealthIssue(code="ConfigurationConflict", message="Conflicts found")
    by_annotation = snapshot_with(addon=addon(status="UPDATE_FAILED", issues=(conflict,)))
    by_association = associated(addon=addon(status="UPDATE_FAILED", role_arn=None, issues=(conflict,)))
    commands = [diagnose(snapshot)[Link.ADDON_RECORD].remedies[0].command for snapshot in (by_annotation, by_association)]
    assert ["--service-account-role-arn" in command for command in commands] == [True, False]
    assert all("--resolve-conflicts PRESERVE" in command for command in commands)


def test_only_iam_is_judged_without_access_to_the_cluster() -> None:
    found = diagnose(snapshot_with(service_account=CLOSED))
    judged = {link for link in Link if found[link].state is not NOT_APPLICABLE}
    assert judged == {Link.CLUSTER, Link.ROLE, Link.OIDC_PROVIDER, Link.TRUST}
    assert found.verdict is Verdict.NO_ACCESS
    assert found.findings[0].remedies


def test_a_wrong_trust_policy_is_found_without_access_to_the_cluster() -> None:
    wrong = RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:kube-system:other"))
    found = diagnose(snapshot_with(service_account=CLOSED, role=wrong))
    assert found.verdicts == (Verdict.NO_ACCESS, Verdict.TRUST_CONDITION_WRONG)


@pytest.mark.parametrize("facts", [Missing("cluster"), Unknown("throttled"), cluster(status="CREATING"), cluster(status="DELETING")])
def test_iam_is_not_judged_for_a_cluster_that_is_unknown_or_not_active(facts: ClusterFacts | Missing | Unknown) -> None:
    found = diagnose(snapshot_with(cluster=facts))
    assert {finding.state for finding in found.findings[1:]} == {NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("public_from", "told"),
    [
        ((), "the endpoint is private"),
        (("203.0.113.0/24",), "lets in 203.0.113.0/24 alone"),
        (("0.0.0.0/0",), "open to all"),
        (("10.0.0.0/8", "::/0"), "open to all"),
        (("192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32"), "lets in 192.0.2.1/32, 192.0.2.2/32, 192.0.2.3/32 alone"),
    ],
)
def test_an_unreachable_cluster_names_the_sources_that_its_endpoint_admits(public_from: tuple[str, ...], told: str) -> None:
    snapshot = snapshot_with(cluster=cluster(public_from=public_from), pods=Unknown("x", Denial.UNREACHABLE))
    remedy = diagnose(snapshot)[Link.CLUSTER].remedies
    assert told in remedy[0].lines[0]
    assert "access --cluster prod-blue --check" in remedy[1].lines[0]


def test_an_endpoint_without_a_description_is_not_mentioned() -> None:
    (remedy, look) = diagnose(snapshot_with(cluster=Unknown("x", Denial.UNREACHABLE)))[Link.CLUSTER].remedies
    assert (look.text, look.command) == ("see what blocks the connection", "irsa-remediator access --cluster prod-blue --check")
    assert "endpoint for EKS" in remedy.text


@pytest.mark.parametrize("denial", Denial)
def test_each_denial_has_a_remedy(denial: Denial) -> None:
    remedies = {item: diagnose(snapshot_with(pods=Unknown("x", item)))[Link.CLUSTER].remedies for item in Denial}
    assert [item for item in Denial if remedies[item] == remedies[denial]] == [denial]


def test_the_first_broken_link_gives_the_verdict() -> None:
    found = diagnose(snapshot_with(addon=addon(role_arn=None), service_account=service_account(None), pods=some_pods(None, ROLE)))
    assert found.verdict is Verdict.ADDON_ROLE_MISSING
    assert found.verdicts == (Verdict.ADDON_ROLE_MISSING, Verdict.ANNOTATION_MISSING, Verdict.PODS_STALE)
    assert [finding.link for finding in found.broken_findings] == [Link.ADDON_RECORD, Link.ANNOTATION, Link.PODS]


@pytest.mark.parametrize(
    ("snapshot", "verdict"),
    [
        (snapshot_with(permission_errors=(), simulated=simulation()), Verdict.HEALTHY),
        (snapshot_with(permission_errors=(), simulated=Unknown("no answer")), Verdict.NO_FAULT_FOUND),
        (snapshot_with(permission_errors=NOT_READ, simulated=simulation()), Verdict.NO_FAULT_FOUND),
        (snapshot_with(binding=Missing("/p"), addon=NOT_READ), Verdict.NO_FAULT_FOUND),
        (snapshot_with(workload=workload(desired=0)), Verdict.NOT_APPLICABLE),
        (snapshot_with(workload=workload(desired=0), addon=addon(status="DEGRADED")), Verdict.NOT_APPLICABLE),
        (associated(), Verdict.POD_IDENTITY_IN_USE),
        (
            associated(service_account=service_account(OTHER_ROLE), pods=some_pods(None, container_credentials=True)),
            Verdict.POD_IDENTITY_IN_USE,
        ),
    ],
)
def test_a_chain_is_healthy_only_where_every_link_is_shown(snapshot: Snapshot, verdict: Verdict) -> None:
    found = diagnose(snapshot)
    assert found.is_healthy
    assert (found.verdict, found.severity) == (verdict, Severity.INFO)


@pytest.mark.parametrize(
    ("snapshot", "severity"),
    [
        pytest.param(snapshot_with(service_account=service_account(None)), Severity.WARNING, id="latent: nothing fails yet"),
        pytest.param(
            snapshot_with(service_account=service_account(None), pods=pods(15, ROLE, unready=1)), Severity.CRITICAL, id="a pod is not ready"
        ),
        pytest.param(
            snapshot_with(service_account=service_account(None), nodes=nodes(15, unready=1)), Severity.CRITICAL, id="a node waits"
        ),
        pytest.param(
            snapshot_with(service_account=service_account(None), pods=pods(15, None), permission_errors=errors("aws-node-01")),
            Severity.CRITICAL,
            id="a call is refused",
        ),
        pytest.param(snapshot_with(addon=addon(role_arn=None)), Severity.WARNING, id="only the record"),
        pytest.param(snapshot_with(addon=addon(status="UPDATING")), Severity.INFO, id="an update runs"),
        pytest.param(
            snapshot_with(nodes=nodes(15, unready=1, message="", pressures=("DiskPressure",))), Severity.WARNING, id="a full disk"
        ),
        pytest.param(snapshot_with(role=Missing("role")), Severity.CRITICAL, id="a binding to no role"),
    ],
)
def test_severity_depends_on_current_failures(snapshot: Snapshot, severity: Severity) -> None:
    assert diagnose(snapshot).severity is severity


def test_the_annotation_link_names_the_user_whose_request_the_guard_completed() -> None:
    account = replace(service_account(), left_out_by="arn:aws:sts::111122223333:assumed-role/ci-deploy/1698" + "x" * 10_000)
    found = diagnose(snapshot_with(service_account=account))[Link.ANNOTATION]
    assert found.state is OK
    assert found.sentence.startswith("prod-blue-vpc-cni; the guard kept it when arn:aws:sts::111122223333:assumed-role/ci-deploy/1698")
    assert len(found.sentence) < 300


def test_an_issuer_is_compared_with_and_without_its_scheme() -> None:
    newer = "oidc-eks.eu-west-1.api.aws/id/77D0"
    provider = OidcProvider(arn=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{newer}", client_ids=("sts.amazonaws.com",))
    same = snapshot_with(cluster=cluster(issuer=f"https://{newer}"), role=RoleFacts(arn=ROLE, trust=trust(newer)), oidc_provider=provider)
    assert diagnose(same).is_healthy
    assert diagnose(snapshot_with(same, role=RoleFacts(arn=ROLE, trust=trust()))).verdict is Verdict.TRUST_OTHER_ISSUER


@pytest.mark.parametrize(
    ("snapshot", "link", "words"),
    [
        (snapshot_with(nodes=nodes(15, unready=1)), Link.NODES, "1 of 15 nodes waits for the CNI."),
        (snapshot_with(nodes=nodes(15, unready=2)), Link.NODES, "2 of 15 nodes wait for the CNI."),
        (snapshot_with(pods=some_pods(None, ROLE)), Link.PODS, "1 of 2 pods was admitted without the right role."),
        (snapshot_with(pods=some_pods(None)), Link.PODS, "1 of 1 pod was admitted without the right role."),
        (snapshot_with(pods=some_pods(ROLE), workload=workload(desired=1)), Link.PODS, "1 of 1 was admitted with the role"),
        (snapshot_with(pods=pods(14, ROLE)), Link.PODS, "14 of 15 pods that DaemonSet aws-node wants exist"),
        (
            snapshot_with(pods=some_pods(None), permission_errors=errors("aws-node-00")),
            Link.PERMISSION_ERRORS,
            "1 pod reports that it may not call ec2:CreateNetworkInterface.",
        ),
        (
            snapshot_with(pods=some_pods(None, None), permission_errors=errors("aws-node-00", "aws-node-01")),
            Link.PERMISSION_ERRORS,
            "2 pods report that they may not call ec2:CreateNetworkInterface.",
        ),
        (
            snapshot_with(workload=Missing("d"), addon=addon(status="CREATING"), nodes=nodes(3, unready=1)),
            Link.WORKLOAD,
            "1 node waits for the CNI, whose add-on is CREATING.",
        ),
    ],
)
def test_numbers_agree_with_their_nouns(snapshot: Snapshot, link: Link, words: str) -> None:
    assert diagnose(snapshot)[link].sentence == words


def test_an_sts_error_is_reported_with_the_next_step() -> None:
    unread = Unknown("the role belongs to account 999988887777, whose IAM we cannot read")
    shared = "arn:aws:iam::999988887777:role/shared"
    ended = snapshot_with(
        binding=binding(role_arn=shared), pods=some_pods(shared, ready=False, termination_message=symptoms.STS_DENIES), role=unread
    )
    assert "shared of account 999988887777" in diagnose(ended)[Link.PERMISSION_ERRORS].remedies[0].lines[0]
    ours = snapshot_with(pods=some_pods(ROLE, ready=False, termination_message=symptoms.STS_DENIES))
    assert "resource control policy" in diagnose(ours)[Link.PERMISSION_ERRORS].remedies[0].lines[0]
    both = (
        *some_pods(ROLE, ready=False, termination_message=symptoms.STS_DENIES),
        *pods(1, ROLE, unready=1, termination_message=symptoms.STS_KNOWS_NONE),
    )
    assert diagnose(snapshot_with(pods=both, oidc_provider=unread))[Link.PERMISSION_ERRORS].verdict is Verdict.OIDC_PROVIDER_MISSING


def test_what_was_read_and_is_right_is_not_accused_where_sts_refuses() -> None:
    """A resource control policy, or the thumbprint of the provider: neither the trust policy nor the provider is wrong."""
    for code in ("AccessDenied", "InvalidIdentityToken"):
        assert diagnose(symptoms.refused(symptoms.TOKEN, code=code))[Link.PERMISSION_ERRORS].verdict is Verdict.STS_ERROR
    ended = snapshot_with(pods=some_pods(ROLE, ready=False, termination_message=symptoms.STS_DENIES))
    assert diagnose(ended)[Link.PERMISSION_ERRORS].verdict is Verdict.STS_ERROR


def test_a_refusal_from_before_every_pod_shows_nothing_about_them() -> None:
    replaced = symptoms.refused(symptoms.TOKEN, code="AccessDenied", minutes=5)
    later = tuple(replace(pod, created_at=NOW - timedelta(minutes=2)) for pod in replaced.pods if isinstance(replaced.pods, tuple))
    assert diagnose(replace(replaced, pods=later))[Link.PERMISSION_ERRORS].state is State.OK
    one_left = (*later[1:], replace(later[0], created_at=NOW - timedelta(minutes=9)))
    assert diagnose(replace(replaced, pods=one_left))[Link.PERMISSION_ERRORS].is_broken


def test_a_refusal_that_shows_a_fault_counts_before_a_later_one_that_shows_none() -> None:
    token = symptoms.refused(symptoms.TOKEN, code="ExpiredTokenException", minutes=3)
    node = symptoms.refused(minutes=1, role="arn:aws:iam::111122223333:role/nodes")
    both = replace(token, refusals=(*node.refusals, *token.refusals))
    found = diagnose(both)
    assert found[Link.PERMISSION_ERRORS].verdict is Verdict.STS_ERROR
    assert len(unshown_refusals(both, found.findings)) == 1, "the other one is named, too"


def test_a_refusal_of_the_target_role_is_one_of_the_role_in_use() -> None:
    chained = pod_identity.CASES["target role: trusts the account, and the role may assume it"][0]
    of_target = replace(chained, refusals=symptoms.refused(minutes=1, role=pod_identity.TARGET_ROLE).refusals)
    found = diagnose(of_target)[Link.PERMISSION_ERRORS]
    assert found.verdict is Verdict.PERMISSIONS_MISSING
    assert "target" in found.sentence
    of_first = replace(chained, refusals=symptoms.refused(minutes=1, role=ROLE).refusals)
    first = diagnose(of_first)[Link.PERMISSION_ERRORS]
    assert first.state is UNKNOWN
    assert "the role was prod-blue-vpc-cni, which is not the role to use" in first.sentence


def test_a_role_that_is_no_arn_does_not_stop_the_report_of_an_sts_error() -> None:
    strange = snapshot_with(
        binding=Missing("/p"), addon=addon(role_arn=None), pods=some_pods("none", ready=False, termination_message=symptoms.STS_DENIES)
    )
    assert diagnose(strange)[Link.PERMISSION_ERRORS].is_broken, "whatever stands in the environment"


def test_pods_with_the_right_role_by_web_identity_are_a_note_beside_an_association() -> None:
    both = RoleFacts(arn=ROLE, trust=TRUST_OF_BOTH)
    found = diagnose(associated(pods=(*pods(14, None, container_credentials=True), pods(15, ROLE)[14]), role=both))
    assert found.is_healthy
    assert (
        found[Link.MECHANISM].advice == "1 pod uses the role by web identity (IRSA), which SDKs use before the association, until replaced"
    )
    assert found[Link.PODS].sentence == "15 of 15 pods have the role: 1 by web identity (IRSA), 14 by the pod identity association"


def test_pods_with_web_identity_are_to_be_replaced_where_the_trust_policy_no_longer_lets_it_in() -> None:
    snapshot = associated(pods=(*pods(14, None, container_credentials=True), pods(15, ROLE)[14]))
    found = diagnose(snapshot)
    assert not found[Link.MECHANISM].advice
    assert found[Link.PODS].sentence == (
        "1 of 15 pods does not use the credentials of the pod identity association: 1 uses web identity (IRSA); the trust policy of"
        " prod-blue-vpc-cni no longer lets web identity in."
    )
    made = plan(snapshot, found, RepairHistory())
    assert [(action.kind, getattr(action, "refuses_irsa", None)) for action in made.actions] == [("replace-canary-pod", True)]
    assert not is_verified(summarize(snapshot, found, made))


def test_pods_that_were_refused_without_credentials_are_to_be_replaced_and_the_role_is_not_blamed() -> None:
    admitted_before = replace(pods(15, None)[14], ready=False)
    snapshot = associated(
        pods=(*pods(14, None, container_credentials=True), admitted_before), permission_errors=errors(admitted_before.name)
    )
    found = diagnose(snapshot)
    assert found.verdict is Verdict.PODS_WITHOUT_CREDENTIALS
    assert Verdict.PERMISSIONS_MISSING not in found.verdicts
    assert found[Link.PODS].remedies[0].lines == (
        "replace these pods one at a time, since new pods get the credentials: kubectl -n kube-system delete pod aws-node-14",
    )


def test_the_trust_of_an_association_is_corrected_by_its_smallest_change() -> None:
    half: dict[str, Any] = {**POD_IDENTITY_TRUST, "Statement": [{**POD_IDENTITY_TRUST["Statement"][0], "Action": "sts:AssumeRole"}]}
    found = diagnose(associated(role=RoleFacts(arn=ROLE, trust=half)))[Link.TRUST]
    assert json.loads(found.corrected) == POD_IDENTITY_TRUST
    irsa = diagnose(associated(role=RoleFacts(arn=ROLE, trust=trust())))[Link.TRUST]
    kept, added = json.loads(irsa.corrected)["Statement"]
    assert kept == trust()["Statement"][0]
    tags = {
        "aws:RequestTag/eks-cluster-arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue",
        "aws:RequestTag/kubernetes-namespace": "kube-system",
        "aws:RequestTag/kubernetes-service-account": "aws-node",
    }
    assert added["Condition"] == {"StringEquals": tags}
    denied: dict[str, Any] = {
        **POD_IDENTITY_TRUST,
        "Statement": [*POD_IDENTITY_TRUST["Statement"], {**POD_IDENTITY_TRUST["Statement"][0], "Effect": "Deny"}],
    }
    refused = diagnose(associated(role=RoleFacts(arn=ROLE, trust=denied)))[Link.TRUST]
    assert refused.corrected == ""
    assert "Deny statements" in refused.remedies[0].text


def test_waiting_nodes_beside_ready_ones_may_use_another_cni() -> None:
    waiting = snapshot_with(workload=Missing("d"), addon=Missing("a"), nodes=nodes(3, unready=1))
    found = diagnose(waiting)[Link.WORKLOAD]
    assert "though other nodes are Ready" in found.sentence
    assert "another CNI" in found.remedies[0].lines[0]
    alone = diagnose(snapshot_with(waiting, nodes=nodes(3, unready=3)))[Link.WORKLOAD]
    assert "though" not in alone.sentence
    assert "before_compute" in alone.remedies[1].lines[0]


@pytest.mark.parametrize(
    ("changes", "said", "remedy"),
    [
        (
            {"addon": Missing("a")},
            "neither the vpc-cni add-on",
            f"create-addon --region {REGION} {_CNI} --service-account-role-arn {ROLE}",
        ),
        (
            {"addon": Missing("a"), "binding": UNBOUND},
            "neither the vpc-cni add-on",
            f"create-addon --region {REGION} {_CNI}",
        ),
        (
            {"addon": Missing("a"), "binding": binding(mechanism=Mechanism.POD_IDENTITY)},
            "neither the vpc-cni add-on",
            f"--pod-identity-associations serviceAccount=aws-node,roleArn={ROLE}",
        ),
        ({"addon": Unknown("403")}, "whether its add-on does was not read", f"describe-addon --region {REGION} {_CNI}"),
    ],
)
def test_an_absent_cni_is_installed_with_its_role_and_only_where_its_record_was_read(
    changes: dict[str, Any], said: str, remedy: str
) -> None:
    found = diagnose(snapshot_with(workload=Missing("d"), nodes=nodes(3, unready=3), **changes))[Link.WORKLOAD]
    assert said in found.sentence
    assert found.remedies[0].command.endswith(remedy)


@pytest.mark.parametrize(
    ("value", "known_good_at", "said"),
    [
        (None, None, "The ServiceAccount has no role annotation."),
        ("", None, "The role annotation is empty."),
        (None, NOW, "The role annotation is gone; it held the role at"),
        ("", NOW, "The role annotation is empty; it held the role at"),
    ],
)
def test_an_empty_annotation_is_not_called_absent(value: str | None, known_good_at: datetime | None, said: str) -> None:
    found = diagnose(snapshot_with(service_account=service_account(value), known_good_at=known_good_at))[Link.ANNOTATION]
    assert found.sentence.startswith(said)
    assert found.evidence[0].value == ("none" if value is None else "empty")


def test_without_a_binding_the_calls_that_the_node_role_lacks_are_named() -> None:
    bare = pods(2, None, unready=2)
    refused = snapshot_with(
        binding=UNBOUND,
        addon=addon(role_arn=None),
        service_account=service_account(None),
        pods=bare,
        permission_errors=errors(bare[0].name),
    )
    assert "the role of the node may not call ec2:" in diagnose(refused)[Link.ANNOTATION].sentence


def test_a_deleted_daemon_set_is_restored_with_its_role() -> None:
    found = diagnose(snapshot_with(workload=Missing("d"), nodes=nodes(3, unready=3)))[Link.WORKLOAD]
    assert "its DaemonSet does not" in found.sentence
    assert f"--service-account-role-arn {ROLE} --resolve-conflicts PRESERVE" in found.remedies[0].lines[0]


@pytest.mark.parametrize(
    ("managers", "said"),
    [
        ((), "so its next update removes the annotation"),
        (("eks",), "so its next update removes the annotation"),
        (("eks", "eks-irsa-remediator"), "only while it is also owned by eks-irsa-remediator"),
        (("kubectl-annotate", "helm"), "only while it is also owned by helm and kubectl-annotate"),
    ],
)
def test_the_effect_of_the_next_update_depends_on_the_owners_of_the_annotation(managers: tuple[str, ...], said: str) -> None:
    writers = tuple(FieldWriter(manager=manager, at=NOW, owns_annotation=True) for manager in managers)
    other = FieldWriter(manager="argocd-controller", at=NOW, owns_annotation=False)
    account = replace(service_account(), writers=(*writers, other))
    assert said in diagnose(snapshot_with(addon=addon(role_arn=None), service_account=account))[Link.ADDON_RECORD].sentence


def test_the_writer_of_the_annotation_is_named_else_the_last_writer() -> None:
    at = NOW - timedelta(hours=1)
    writers = (
        FieldWriter(manager="helm", at=at, owns_annotation=False),
        FieldWriter(manager="eks", at=at - timedelta(hours=1), owns_annotation=True),
        FieldWriter(manager="kubectl", at=None, owns_annotation=True),
    )
    facts = ServiceAccountFacts(resource_version="1", role_annotations={}, writers=writers)
    assert last_writer(facts) == writers[1]
    assert last_writer(replace(facts, writers=(writers[0], replace(writers[1], owns_annotation=False)))) == writers[0]
    alike = replace(writers[0], manager="argocd-controller")
    assert last_writer(replace(facts, writers=(alike, writers[0]))) == writers[0], "of the same time, by name"
    assert annotation_changed_at(facts) == at - timedelta(hours=1)


REFUSED = HealthIssue(code="AddonPermissionFailure", message="not authorized to perform: ec2:CreateTags, ec2:AttachNetworkInterface")


@pytest.mark.parametrize("code", ["AccessDenied", "AddonPermissionFailure"])
def test_a_health_issue_of_the_addon_is_evidence_against_the_current_role(code: str) -> None:
    refused = addon(status="DEGRADED", issues=(replace(REFUSED, code=code),))
    found = diagnose(snapshot_with(addon=refused, permission_errors=NOT_READ, pods=pods(15, ROLE, created_at=NOW - HEALTH_LAG)))
    assert found.verdict is Verdict.PERMISSIONS_MISSING
    assert found[Link.PERMISSION_ERRORS].evidence[0].field == code
    assert "AmazonEKS_CNI_Policy" in found[Link.PERMISSION_ERRORS].remedies[0].lines[0]
    assert found.severity is Severity.WARNING, "nothing fails yet"


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(snapshot_with(pods=(*pods(14, ROLE), *some_pods(None))), id="a pod without the role explains it"),
        pytest.param(
            snapshot_with(pods=pods(15, ROLE, created_at=NOW - HEALTH_LAG + timedelta(seconds=1))),
            id="the health may be older than the role in the pods",
        ),
        pytest.param(snapshot_with(binding=Missing("/p")), id="no binding says which role"),
        pytest.param(snapshot_with(pods=()), id="no pod at all"),
    ],
)
def test_a_health_issue_is_no_evidence_against_another_role(snapshot: Snapshot) -> None:
    found = diagnose(replace(snapshot, addon=addon(status="DEGRADED", issues=(REFUSED,)), permission_errors=()))
    assert Verdict.PERMISSIONS_MISSING not in found.verdicts


def test_an_update_with_a_conflict_must_be_repeated_with_the_role() -> None:
    words = "Conflicts found when trying to apply. Conflicts: ServiceAccount aws-node - .metadata.annotations.eks.amazonaws.com/role-arn"
    met = addon(status="UPDATE_FAILED", role_arn=None, issues=(HealthIssue(code="ConfigurationConflict", message=words),))
    found = diagnose(snapshot_with(addon=met))[Link.ADDON_RECORD]
    assert found.verdict is Verdict.ADDON_DEGRADED
    assert f"--addon-name vpc-cni --service-account-role-arn {ROLE} --resolve-conflicts PRESERVE" in found.remedies[0].lines[0]
    unbound = diagnose(snapshot_with(addon=met, binding=Missing("/p")))[Link.ADDON_RECORD]
    assert "--service-account-role-arn" not in unbound.remedies[0].lines[0], "nobody said which role"


def test_errors_of_pods_precede_health_issues_of_eks() -> None:
    found = diagnose(
        snapshot_with(addon=addon(issues=(REFUSED,)), permission_errors=errors("aws-node-00", call="ec2:DeleteNetworkInterface"))
    )
    assert (
        found[Link.PERMISSION_ERRORS].sentence == "prod-blue-vpc-cni may not call ec2:DeleteNetworkInterface, which vpc-cni v1.20.1 needs."
    )


def test_missing_events_are_evidence_only_for_calls_that_send_events() -> None:
    assert diagnose(snapshot_with())[Link.PERMISSION_ERRORS].state is OK
    assert diagnose(snapshot_with(addon_name="aws-ebs-csi-driver"))[Link.PERMISSION_ERRORS].state is NOT_APPLICABLE


CONFLICT = HealthIssue(code="ConfigurationConflict", message="Conflicts found when trying to apply.")


def test_a_conflict_names_the_version_that_was_attempted_in_whole_sentences() -> None:
    upgrade = Actor(who="ci", what="UpdateAddon", addon_version="v1.23.1-eksbuild.1")
    found = diagnose(snapshot_with(addon=addon(status="UPDATE_FAILED", issues=(CONFLICT,)), actor=upgrade))[Link.ADDON_RECORD]
    assert found.sentence == (
        "The update of the vpc-cni add-on to v1.23.1-eksbuild.1 failed, since EKS would change values that another writer owns. "
        "EKS reports ConfigurationConflict: Conflicts found when trying to apply."
    )
    assert "--addon-version v1.23.1-eksbuild.1" in found.remedies[0].command
    unknown = diagnose(snapshot_with(addon=addon(status="UPDATE_FAILED", issues=(CONFLICT,))))[Link.ADDON_RECORD]
    assert "--addon-version" not in unknown.remedies[0].command
    assert "add --addon-version" in unknown.remedies[0].text


@pytest.mark.parametrize(("unready", "severity"), [(0, Severity.WARNING), (1, Severity.CRITICAL)])
def test_a_conflict_beside_a_lost_annotation_reports_both_and_the_identity_decides(unready: int, severity: Severity) -> None:
    conflict = addon(status="UPDATE_FAILED", issues=(CONFLICT,))
    snapshot = snapshot_with(addon=conflict, service_account=service_account(None), pods=pods(15, ROLE, unready=unready))
    found = diagnose(snapshot)
    assert (found.verdict, found.severity) == (Verdict.ANNOTATION_MISSING, severity)
    assert Verdict.ADDON_DEGRADED in found.verdicts


@pytest.mark.parametrize("status", ["UPDATE_FAILED", "CREATE_FAILED"])
def test_a_record_whose_update_failed_is_not_well(status: str) -> None:
    beside = diagnose(snapshot_with(addon=addon(status=status), service_account=service_account(None)))[Link.ADDON_RECORD]
    assert beside.state is State.UNKNOWN
    alone = diagnose(snapshot_with(addon=addon(status=status)))
    assert alone.verdict is Verdict.ADDON_DEGRADED
