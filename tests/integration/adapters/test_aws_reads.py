"""EKS, IAM and Parameter Store through our adapters, against the local AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from lambdas.adapters.eks import Eks
from lambdas.adapters.iam import NO_ROUTE_S, Iam, call_decision
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.contract.names import ANY_CLUSTER, PARAMETER_ROOT
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Busy, Conflict, Denial, NotFound, PermanentError, TransientError
from lambdas.domain.snapshot.simulation import ALLOWED, NOT_KNOWN, CallDecision, RefusalCause
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    AssociationSettings,
    ClusterFacts,
    Missing,
    NodeRepair,
    OidcProvider,
    RoleFacts,
    VersionAdvice,
)
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

ACCOUNT = "111122223333"
TARGET = ServiceAccountRef("demo", "kube-system", "aws-node")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/eks/demo-vpc-cni"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "x"}, "Action": "sts:AssumeRole"}]}


@pytest.fixture(scope="module", autouse=True)
def _world(local_aws: LocalAws) -> None:
    local_aws.eks.add_cluster(ClusterSpec(name="demo", endpoint="https://127.0.0.1:1", ca_data="Q0E="))
    local_aws.eks.add_addon("demo", "vpc-cni", addonVersion="v1.15.1-eksbuild.1")
    local_aws.eks.add_nodegroup("demo", "blue", node_role=ROLE, size=3, repair=True)
    local_aws.eks.add_nodegroup("demo", "green", node_role=ROLE, size=3)
    iam = local_aws.client("iam")
    iam.create_role(RoleName="demo-vpc-cni", Path="/eks/", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_open_id_connect_provider(Url="https://oidc.example/id/1", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40])
    for number in range(13):
        path = binding_path(f"c{number}", "kube-system", "aws-node")
        local_aws.client("ssm").put_parameter(Name=path, Value=f"role-{number}", Type="String")
    secret = binding_path("secret", "kube-system", "aws-node")
    local_aws.client("ssm").put_parameter(Name=secret, Value="plain-text", Type="SecureString")
    local_aws.client("ssm").put_parameter(Name="/other/thing", Value="x", Type="String")


@pytest.fixture
def eks(session: AwsSession) -> Eks:
    return Eks(session)


@pytest.fixture
def iam(session: AwsSession) -> Iam:
    return Iam(session, account=ACCOUNT, partition="aws")


def test_parameters_are_read_in_pages_of_ten_and_secrets_stay_encrypted(session: AwsSession, local_aws: LocalAws) -> None:
    found = ParameterStore(session).load()
    assert len(found) == 14
    seventh = found[binding_path("c7", "kube-system", "aws-node")]
    assert (seventh.value, seventh.type, seventh.version) == ("role-7", "String", 1)
    assert seventh.changed_at is not None
    assert seventh.changed_at.tzinfo is UTC
    secret = found[binding_path("secret", "kube-system", "aws-node")]
    assert (secret.type, secret.value.partition(":")[0]) == ("SecureString", "kms")  # moto's way to give it encrypted
    assert [call.action for call in local_aws.calls.all()] == ["ssm:GetParametersByPath"] * 2


def test_the_parameters_of_a_cluster_cost_the_same_requests_in_any_fleet(session: AwsSession, local_aws: LocalAws) -> None:
    default, setting = binding_path(ANY_CLUSTER, "shop", "uploader"), settings_path("c1", "mode")
    for path in (default, setting):
        local_aws.client("ssm").put_parameter(Name=path, Value="x", Type="String")
    try:
        local_aws.calls.clear()
        found = ParameterStore(session).load("c1")
        assert set(found) == {binding_path("c1", "kube-system", "aws-node"), default, setting}  # nothing of c10 to c12
        assert [call.action for call in local_aws.calls.all()] == ["ssm:GetParametersByPath"] * 4
    finally:
        local_aws.client("ssm").delete_parameters(Names=[default, setting])


def test_cached_defaults_serve_every_cluster(session: AwsSession, local_aws: LocalAws) -> None:
    store = ParameterStore(session, ttl_s=60)
    store.load("c1")
    store.load("c2")
    asked = sorted(call.params["Path"].removeprefix(PARAMETER_ROOT) for call in local_aws.calls.all())
    assert asked == sorted(f"/{kind}/{whose}" for kind in ("bindings", "settings") for whose in ("_default", "c1", "c2"))


def test_cached_parameters_expire(session: AwsSession, local_aws: LocalAws) -> None:
    kept, never = ParameterStore(session, ttl_s=60), ParameterStore(session)
    for store in (kept, kept, never, never):
        store.load()
    assert len(local_aws.calls.all()) == 6


def test_a_cluster_is_described(eks: Eks) -> None:
    seen = eks.cluster("demo")
    assert isinstance(seen, ClusterFacts)
    assert (seen.version, seen.status, seen.endpoint, seen.certificate_authority) == ("1.28", "ACTIVE", "https://127.0.0.1:1", "Q0E=")
    assert (seen.issuer or "").startswith("https://oidc.eks.eu-west-1.amazonaws.com/id/")
    assert (seen.authentication_mode, seen.ip_family) == ("API_AND_CONFIG_MAP", "ipv4")
    assert seen.created_at.tzinfo is UTC


@pytest.mark.parametrize("auto_mode", [True, False])
def test_a_cluster_has_its_auto_mode(eks: Eks, local_aws: LocalAws, auto_mode: bool) -> None:
    with patch.dict(local_aws.eks.state.clusters["demo"].record, {"computeConfig": {"enabled": auto_mode}}):
        seen = eks.cluster("demo")
    assert isinstance(seen, ClusterFacts)
    assert seen.auto_mode is auto_mode


@pytest.mark.parametrize(
    ("spec", "ranges"),
    [
        ({"public": False}, ()),
        ({"public_from": ("203.0.113.0/24", "198.51.100.7/32")}, ("203.0.113.0/24", "198.51.100.7/32")),
        ({}, ("0.0.0.0/0",)),
    ],
)
def test_a_cluster_has_its_public_access_ranges(eks: Eks, local_aws: LocalAws, spec: dict[str, Any], ranges: tuple[str, ...]) -> None:
    local_aws.eks.add_cluster(ClusterSpec(name="inner", endpoint="https://127.0.0.1:1", ca_data="Q0E=", **spec))
    try:
        seen = eks.cluster("inner")
        assert isinstance(seen, ClusterFacts)
        assert (seen.public_from, seen.public_to_all) == (ranges, not spec)
    finally:
        del local_aws.eks.state.clusters["inner"]


def test_an_unknown_cluster_or_add_on_is_missing(eks: Eks) -> None:
    assert isinstance(eks.cluster("gone"), Missing)
    assert isinstance(eks.addon("demo", "coredns"), Missing)
    assert isinstance(eks.addon("gone", "vpc-cni"), Missing)


def test_clusters_are_listed(eks: Eks) -> None:
    assert eks.clusters() == ("demo",)


def test_an_add_on_without_a_role_has_no_role_arn(eks: Eks) -> None:
    seen = eks.addon("demo", "vpc-cni")
    assert isinstance(seen, AddonFacts)
    assert (seen.version, seen.status, seen.role_arn, seen.issues) == ("v1.15.1-eksbuild.1", "ACTIVE", None, ())


def test_associations_have_their_roles(eks: Eks, local_aws: LocalAws) -> None:
    assert eks.associations(TARGET) == ()
    made = local_aws.client("eks").create_pod_identity_association(
        clusterName="demo",
        namespace="kube-system",
        serviceAccount="aws-node",
        roleArn=ROLE,
        targetRoleArn=f"{ROLE}-target",
        disableSessionTags=True,
        policy='{"Version": "2012-10-17", "Statement": []}',
        tags={"services.k8s.aws/namespace": "ack-system"},
    )["association"]
    try:
        assert eks.associations(TARGET) == (
            Association(
                id=made["associationId"],
                role_arn=ROLE,
                arn=made["associationArn"],
                target_role_arn=f"{ROLE}-target",
                has_session_tags=False,
                policy='{"Statement":[],"Version":"2012-10-17"}',
                declared_by="ACK",
                modified_at=made["modifiedAt"].astimezone(UTC),
            ),
        )
        assert eks.associations(ServiceAccountRef("demo", "kube-system", "other")) == ()
    finally:
        local_aws.client("eks").delete_pod_identity_association(clusterName="demo", associationId=made["associationId"])


def test_node_groups_with_auto_repair_are_named(eks: Eks) -> None:
    assert eks.node_repair("demo") == NodeRepair(nodegroups=("blue",))


def test_version_advice_is_for_one_kubernetes_version(eks: Eks) -> None:
    assert eks.version_advice("vpc-cni", "1.28") == VersionAdvice(default="v1.15.1-eksbuild.1", latest="v1.20.3-eksbuild.1")
    with pytest.raises(NotFound):
        eks.version_advice("vpc-cni", "1.1")


def test_a_version_has_two_support_dates(eks: Eks) -> None:
    found = eks.support("1.28")
    assert found.standard_until
    assert found.extended_until
    assert found.extended_until > found.standard_until
    with pytest.raises(NotFound):
        eks.support("1.1")


def test_setting_an_add_on_role_sends_the_role_alone_once_per_token(eks: Eks, local_aws: LocalAws) -> None:
    first = eks.set_addon_role("demo", "vpc-cni", ROLE, "incident-1")
    assert eks.set_addon_role("demo", "vpc-cni", ROLE, "incident-1") == first
    with pytest.raises(Busy, match="set the role of add-on vpc-cni in cluster demo"):
        eks.set_addon_role("demo", "vpc-cni", ROLE, "incident-2")
    sent = local_aws.calls.of(action="eks:UpdateAddon")[0].params
    assert {key: sent[key] for key in sent if key not in ("clusterName", "addonName")} == {
        "serviceAccountRoleArn": ROLE,
        "resolveConflicts": "PRESERVE",
        "clientRequestToken": "incident-1",
    }


SETTINGS = AssociationSettings(role_arn=ROLE)
_NUMBERS = count()
UPLOADER = ServiceAccountRef("demo", "shop", "uploader")


@pytest.fixture
def association(eks: Eks, local_aws: LocalAws) -> Iterator[Association]:
    """An association that no other test knows. EKS remembers a token after its association was deleted."""
    eks.create_association(UPLOADER, SETTINGS, f"incident-{next(_NUMBERS)}")
    yield eks.associations(UPLOADER)[0]
    for found in eks.associations(UPLOADER):
        local_aws.client("eks").delete_pod_identity_association(clusterName="demo", associationId=found.id)


def sent_parameters(local_aws: LocalAws, action: str) -> dict[str, Any]:
    sent = local_aws.calls.of(action=action)[-1].params
    return {key: value for key, value in sent.items() if key not in ("clusterName", "namespace", "serviceAccount", "associationId")}


def test_an_association_is_created_once_for_each_token(eks: Eks, local_aws: LocalAws, association: Association) -> None:
    sent = sent_parameters(local_aws, "eks:CreatePodIdentityAssociation")
    assert sent == {"roleArn": ROLE, "clientRequestToken": sent["clientRequestToken"]}
    assert eks.create_association(UPLOADER, SETTINGS, sent["clientRequestToken"]) == association.id
    assert association.settings == SETTINGS
    with pytest.raises(Conflict, match=f"create the pod identity association of demo/shop/uploader: .*{association.id}"):
        eks.create_association(UPLOADER, SETTINGS, "another")


def test_an_update_of_an_association_sends_what_differs(eks: Eks, local_aws: LocalAws, association: Association) -> None:
    wanted = replace(SETTINGS, target_role_arn=f"{ROLE}-target", has_session_tags=False, policy='{"Statement":[]}')
    eks.update_association("demo", association, wanted, "incident-1-u")
    (changed,) = eks.associations(UPLOADER)
    assert changed.settings == wanted
    without_target = replace(wanted, target_role_arn=None)
    eks.update_association("demo", changed, without_target, "incident-2-u")
    assert sent_parameters(local_aws, "eks:UpdatePodIdentityAssociation") == {"targetRoleArn": "", "clientRequestToken": "incident-2-u"}
    assert eks.associations(UPLOADER)[0].settings == without_target


def test_an_association_that_was_deleted_is_not_updated(eks: Eks) -> None:
    with pytest.raises(NotFound):
        eks.update_association("demo", Association(id="a-gone", role_arn=f"{ROLE}-old"), SETTINGS, "t")


def test_an_add_on_gets_its_complete_list_of_associations(eks: Eks, local_aws: LocalAws) -> None:
    local_aws.eks.finish_pending()
    assert eks.addon_associations("demo", "vpc-cni") == {}
    try:
        update = eks.set_addon_associations("demo", "vpc-cni", {"aws-node": ROLE}, "incident-1-a")
        assert eks.set_addon_associations("demo", "vpc-cni", {"aws-node": ROLE}, "incident-1-a") == update
        assert {key: value for key, value in sent_parameters(local_aws, "eks:UpdateAddon").items() if key != "addonName"} == {
            "podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": ROLE}],
            "resolveConflicts": "PRESERVE",
            "clientRequestToken": "incident-1-a",
        }
        local_aws.eks.finish_pending()
        assert eks.addon_associations("demo", "vpc-cni") == {"aws-node": ROLE}
        (owned,) = eks.associations(TARGET)
        assert owned.owner_addon == "vpc-cni"
    finally:
        local_aws.eks.finish_pending()
        local_aws.client("eks").update_addon(clusterName="demo", addonName="vpc-cni", podIdentityAssociations=[])
        local_aws.eks.finish_pending()


def test_a_role_has_its_trust_policy(iam: Iam) -> None:
    assert iam.role(ROLE) == RoleFacts(arn=ROLE, trust=TRUST)


def test_a_role_with_another_path_is_missing(iam: Iam) -> None:
    assert isinstance(iam.role(f"arn:aws:iam::{ACCOUNT}:role/gone"), Missing)
    elsewhere = iam.role(f"arn:aws:iam::{ACCOUNT}:role/demo-vpc-cni")  # right name, no path
    assert isinstance(elsewhere, Missing)
    assert elsewhere.other == ROLE


def test_a_role_of_another_account_is_not_read(iam: Iam, local_aws: LocalAws) -> None:
    with pytest.raises(AccessDenied, match="another account"):
        iam.role("arn:aws:iam::999999999999:role/eks/demo-vpc-cni")
    assert local_aws.calls.all() == ()


def test_an_oidc_provider_has_its_client_ids(iam: Iam) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example/id/1"
    assert iam.oidc_provider(arn) == OidcProvider(arn=arn, client_ids=("sts.amazonaws.com",))
    assert isinstance(iam.oidc_provider(arn + "2"), Missing)


ANSWERS = {
    "throttled": (FaultKind.THROTTLE, TransientError),
    "server error": (FaultKind.SERVER_ERROR, TransientError),
    "cut off": (FaultKind.RESET, TransientError),
    "denied": (FaultKind.ACCESS_DENIED, AccessDenied),
}


@pytest.mark.parametrize("service", ["eks", "iam", "ssm"])
@pytest.mark.parametrize(("kind", "error"), ANSWERS.values(), ids=ANSWERS)
def test_an_error_says_whether_a_retry_can_help(
    session: AwsSession, local_aws: LocalAws, service: str, kind: FaultKind, error: type[Exception]
) -> None:
    local_aws.faults.add(Fault(service=service, kind=kind, times=9))
    calls: dict[str, Any] = {
        "eks": lambda: Eks(session).cluster("demo"),
        "iam": lambda: Iam(session, account=ACCOUNT, partition="aws").role(ROLE),
        "ssm": lambda: ParameterStore(session).load(),
    }
    with pytest.raises(error) as raised:
        calls[service]()
    assert type(raised.value) is error
    assert raised.value.__cause__ is not None


def test_a_single_failure_is_retried(eks: Eks, local_aws: LocalAws) -> None:
    local_aws.faults.add(Fault(service="eks", kind=FaultKind.THROTTLE))
    assert isinstance(eks.cluster("demo"), ClusterFacts)


def test_a_missing_route_to_iam_is_detected_once(session: AwsSession, monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [0.0], []

    def no_route(**_: Any) -> None:
        asked.append(now[0])
        raise ConnectTimeoutError(endpoint_url="https://iam.amazonaws.com")

    monkeypatch.setattr(session.client("iam"), "get_role", no_route)
    iam = Iam(session, account=ACCOUNT, partition="aws", clock=lambda: now[0])
    for at in (0.0, NO_ROUTE_S - 1, NO_ROUTE_S):
        now[0] = at
        with pytest.raises(AccessDenied) as raised:
            iam.role(ROLE)
        assert raised.value.denial is Denial.UNREACHABLE
    assert asked == [0.0, NO_ROUTE_S]


def test_a_simulation_that_depends_on_context_is_not_known(session: AwsSession, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def simulate(**members: Any) -> dict[str, Any]:
        asked.append(members)
        results = [{"EvalActionName": call, "EvalDecision": "implicitDeny"} for call in members["ActionNames"]]
        if "Marker" in members:
            return {"EvaluationResults": [{"EvalActionName": "ec2:Late", "EvalDecision": "allowed"}], "IsTruncated": False}
        if len(members["ActionNames"]) > 1:
            results[0] |= {"MissingContextValues": ["aws:RequestTag/x"]}
            results[1] |= {"EvalDecision": "allowed", "MissingContextValues": ["aws:RequestTag/x"]}
            return {"EvaluationResults": results, "IsTruncated": True, "Marker": "more"}
        return {"EvaluationResults": results, "IsTruncated": False}

    monkeypatch.setattr(session.client("iam"), "simulate_principal_policy", simulate)
    found = Iam(session, account=ACCOUNT, partition="aws").simulate(ROLE, ["ec2:A", "ec2:B", "ec2:CreateTags"])
    refused = CallDecision(allowed=False, cause=RefusalCause.NO_STATEMENT)
    assert found == {"ec2:A": NOT_KNOWN, "ec2:B": NOT_KNOWN, "ec2:Late": ALLOWED, "ec2:CreateTags": refused}
    assert [item["ResourceArns"][0].rpartition(":")[2] for item in asked] == ["*", "*", "network-interface/eni-00000000000000000"]


DENY = {"MatchedStatements": [{"SourcePolicyId": "guard", "SourcePolicyType": "role"}]}
CONTEXT = {"MissingContextValues": ["aws:RequestTag/x"]}
BOUNDARY = {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}
ORGANIZATION = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}


@pytest.mark.parametrize(
    ("decision", "details", "expected"),
    [
        ("allowed", {}, CallDecision(allowed=True)),
        ("implicitDeny", {}, CallDecision(allowed=False, cause=RefusalCause.NO_STATEMENT)),
        ("explicitDeny", DENY, CallDecision(allowed=False, cause=RefusalCause.EXPLICIT_DENY, policies=("guard",))),
        ("implicitDeny", BOUNDARY, CallDecision(allowed=False, cause=RefusalCause.PERMISSIONS_BOUNDARY)),
        ("implicitDeny", {"ResourceSpecificResults": [BOUNDARY]}, CallDecision(allowed=False, cause=RefusalCause.PERMISSIONS_BOUNDARY)),
        ("explicitDeny", ORGANIZATION | BOUNDARY, CallDecision(allowed=False, cause=RefusalCause.ORGANIZATION)),
        ("implicitDeny", CONTEXT, NOT_KNOWN),
        ("implicitDeny", {"ResourceSpecificResults": [CONTEXT]}, NOT_KNOWN),
    ],
)
def test_a_decision_keeps_the_policy_that_refuses(decision: str, details: dict[str, Any], expected: CallDecision) -> None:
    assert call_decision({"EvalActionName": "ec2:A", "EvalDecision": decision, **details}) == expected


def test_an_invalid_request_is_permanent(session: AwsSession) -> None:
    with Stubber(session.client("eks")) as stub:
        stub.add_client_error("describe_cluster", "ClientException", "no such name " + "x" * 400, http_status_code=400)
        with pytest.raises(PermanentError, match="describe cluster demo: ClientException no such name") as raised:
            Eks(session).cluster("demo")
    assert len(str(raised.value)) == 300
