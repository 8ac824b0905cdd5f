"""The advice fits what was read: each case has its own sentence and its own change."""

from dataclasses import replace

import pytest

from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.links.pod_identity_agent import UNSUPPORTED
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import Association, ComputeType, Missing, NotRead, RoleFacts, Snapshot, Unknown
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, addon, cluster, errors, snapshot_with, some_pods, workload
from tests.unit.domain.test_role_clearance import assess, message
from tests.unit.notifications.snapshots import (
    POD_IDENTITY_TRUST,
    ROLE,
    agent,
    healthy_snapshot,
    nodes,
    pods,
    service_account,
    trust,
    with_pod_identity,
)

WEB_IDENTITY = "operation error STS: AssumeRoleWithWebIdentity, "
TIMEOUT = 'WebIdentityErr: RequestError: send request failed: Post "https://{}/": dial tcp: lookup {}: i/o timeout'


def failing_at_sts(message: str, **changes: object) -> Finding:
    return diagnose(snapshot_with(pods=pods(3, ROLE, unready=1, termination_message=message), **changes))[Link.PERMISSION_ERRORS]


def texts(finding: Finding) -> str:
    return "\n".join(line for remedy in finding.remedies for line in remedy.lines)


@pytest.mark.parametrize(
    ("host", "is_global"),
    [("sts.amazonaws.com", True), ("sts.eu-west-1.amazonaws.com", False), ("sts.cn-north-1.amazonaws.com.cn", False)],
)
def test_the_global_sts_host_has_its_own_change(host: str, is_global: bool) -> None:
    found = failing_at_sts(TIMEOUT.format(host, host))
    assert found.verdict is Verdict.STS_UNREACHABLE
    assert ("AWS_STS_REGIONAL_ENDPOINTS=regional" in texts(found)) is is_global
    assert ("annotate serviceaccount aws-node eks.amazonaws.com/sts-regional-endpoints=true" in texts(found)) is is_global
    assert "a route to STS" in texts(found)


def test_the_endpoint_of_sts_is_named_for_commercial_regions_alone() -> None:
    host = "sts.eusc-de-east-1.amazonaws.eu"
    sovereign = cluster(arn="arn:aws-eusc:eks:eusc-de-east-1:111122223333:cluster/prod-blue")
    assert "com.amazonaws.eu-west-1.sts" in texts(failing_at_sts(TIMEOUT.format("sts.eu-west-1.amazonaws.com", "sts")))
    assert "com.amazonaws." not in texts(failing_at_sts(TIMEOUT.format(host, host), cluster=sovereign, partition="aws-eusc"))


@pytest.mark.parametrize(
    ("code", "changes", "advice"),
    [
        pytest.param("InvalidIdentityToken: No OpenIDConnect provider found", {}, "update the thumbprint", id="the provider is right"),
        pytest.param(
            "InvalidIdentityToken: HTTPS certificate doesn't match configured thumbprint",
            {"oidc_provider": Unknown("other account")},
            "update-open-id-connect-provider-thumbprint",
            id="STS names the thumbprint",
        ),
        pytest.param(
            "InvalidIdentityToken: No OpenIDConnect provider found",
            {"oidc_provider": Unknown("other account")},
            "check that account 111122223333 has an OIDC provider",
            id="the provider was not read",
        ),
        pytest.param("AccessDenied: Not authorized", {}, "resource control policy of the organization", id="the trust policy is right"),
        pytest.param(
            "AccessDenied: Not authorized",
            {"role": Unknown("other account")},
            "allow system:serviceaccount",
            id="the trust policy was not read",
        ),
    ],
)
def test_a_refusal_by_sts_has_the_change_that_fits_what_was_read(code: str, changes: dict[str, object], advice: str) -> None:
    assert advice in texts(failing_at_sts(WEB_IDENTITY + code, **changes))


@pytest.mark.parametrize("template", [OTHER_ROLE, "arn:aws:iam::111122223333:role/chart"])
def test_no_pod_is_deleted_for_a_role_that_the_pod_template_sets(template: str) -> None:
    snapshot = snapshot_with(workload=workload(template_role_arn=template), pods=pods(3, template))
    diagnosis = diagnose(snapshot)
    assert diagnosis.verdict is Verdict.ROLE_IN_POD_TEMPLATE
    assert plan(snapshot, diagnosis, RepairHistory()).actions == ()
    assert "set env daemonset/aws-node AWS_ROLE_ARN-" in texts(diagnosis[Link.PODS])


def test_a_role_under_a_path_is_named_with_its_own_arn() -> None:
    actual = "arn:aws:iam::111122223333:role/team/prod-blue-vpc-cni"
    found = diagnose(snapshot_with(role=Missing("role", other=actual)))[Link.ROLE]
    assert found.sentence == f"The role has the ARN {actual}, and the parameter names {ROLE}."
    assert f"--value {actual}" in texts(found)


@pytest.mark.parametrize(
    ("compute_type", "sentence", "advice"),
    [
        pytest.param(
            ComputeType.WINDOWS, "EKS Pod Identity does not work on Windows nodes, where pods run", "use IRSA for these pods", id="windows"
        ),
        pytest.param(
            ComputeType.FARGATE, "EKS Pod Identity does not work on Fargate nodes, where pods run", "use IRSA for these pods", id="fargate"
        ),
        pytest.param(ComputeType.HYBRID, "The Pod Identity agent is not ready on 1 node", '"hybrid":{"create":true}', id="hybrid"),
        pytest.param(None, "The Pod Identity agent is not ready on 1 node", "node affinity of the agent's DaemonSet", id="linux"),
    ],
)
def test_a_node_without_the_agent_has_the_remedy_of_its_type(compute_type: ComputeType | None, sentence: str, advice: str) -> None:
    types = {nodes(15)[14].name: compute_type} if compute_type else {}
    found = diagnose(replace(with_pod_identity(healthy_snapshot()), agent=replace(agent(absent=1), compute_types=types)))[Link.MECHANISM]
    assert sentence in found.sentence
    assert advice in texts(found)
    assert ("IRSA" in texts(found)) is (compute_type in UNSUPPORTED)


def test_nodes_of_both_kinds_have_both_remedies() -> None:
    types = {nodes(15)[14].name: ComputeType.WINDOWS}
    found = diagnose(replace(with_pod_identity(healthy_snapshot()), agent=replace(agent(absent=2), compute_types=types)))[Link.MECHANISM]
    assert "does not work on Windows nodes" in found.sentence
    assert "the node affinity of the agent's DaemonSet" in texts(found)
    assert "use IRSA for these pods" in texts(found)


MIGRATED = snapshot_with(role=RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST))


def test_a_half_finished_migration_to_pod_identity_is_named() -> None:
    found = diagnose(MIGRATED)[Link.TRUST]
    assert found.verdict is Verdict.TRUST_CONDITION_WRONG
    assert "a migration to Pod Identity is not finished" in found.sentence
    first, second = found.remedies
    assert (
        "create-pod-identity-association --region eu-west-1 --cluster-name prod-blue --namespace kube-system --service-account aws-node"
        in first.command
    )
    assert "update-assume-role-policy" in second.command


@pytest.mark.parametrize(
    "snapshot",
    [
        pytest.param(replace(MIGRATED, associations=Unknown("403")), id="the associations were not read"),
        pytest.param(replace(MIGRATED, associations=NotRead()), id="the associations did not need to be read"),
        pytest.param(replace(MIGRATED, role=RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:a:b"))), id="IRSA alone"),
    ],
)
def test_a_migration_is_named_only_where_it_is_shown(snapshot: Snapshot) -> None:
    assert "migration" not in diagnose(snapshot)[Link.TRUST].sentence


def test_a_finished_migration_is_no_fault_of_the_trust_policy() -> None:
    associated = replace(MIGRATED, associations=(Association(id="a-1", role_arn=ROLE),), service_account=service_account(None))
    assert diagnose(associated)[Link.TRUST].state is State.OK


def test_a_message_does_not_say_that_the_role_works_where_a_pod_with_it_is_refused() -> None:
    refused = snapshot_with(service_account=service_account(None), pods=some_pods(None, ROLE), permission_errors=errors("aws-node-01"))
    text = message(assess(refused))
    assert "1 of 2 pods of aws-node runs without its role, and the role lacks permissions" in text
    assert "prod-blue-vpc-cni may not call ec2:CreateNetworkInterface" in text
    assert "AWS refuses calls of pods with the role, too" in text
    stale = replace(refused, permission_errors=errors("aws-node-00"))
    assert "lacks permissions" not in message(assess(stale))


def test_a_failed_update_without_a_reason_names_the_command_that_shows_it() -> None:
    found = diagnose(snapshot_with(addon=addon(status="UPDATE_FAILED")))[Link.ADDON_RECORD]
    assert "aws eks list-updates --region eu-west-1 --name prod-blue --addon-name vpc-cni" in texts(found)
