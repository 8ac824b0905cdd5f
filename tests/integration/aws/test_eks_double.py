"""The EKS double checks and answers requests as EKS does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.eks_state import Failure, OmittedRole
from tests.integration.aws.conftest import ROLE

if TYPE_CHECKING:
    from sandbox.aws.local_aws import LocalAws

ADDON = {"clusterName": "demo", "addonName": "vpc-cni"}


def _addon(eks: Any) -> dict[str, Any]:
    return dict(eks.describe_addon(**ADDON)["addon"])


def _ended(aws: LocalAws, update_id: str) -> dict[str, Any]:
    aws.eks.finish_pending()
    return dict(aws.client("eks").describe_update(name="demo", addonName="vpc-cni", updateId=update_id)["update"])


def _code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_an_update_changes_only_the_named_fields(aws: LocalAws, eks: Any) -> None:
    aws.eks.configure(omitted_role=OmittedRole.KEEP)
    update = eks.update_addon(**ADDON, addonVersion="v1.15.1-eksbuild.1", resolveConflicts="PRESERVE")["update"]
    assert (update["status"], update["type"]) == ("InProgress", "AddonUpdate")
    assert {param["type"] for param in update["params"]} == {"AddonVersion", "ResolveConflicts"}
    assert (_addon(eks)["status"], _addon(eks)["addonVersion"]) == ("UPDATING", "v1.13.4-eksbuild.1")
    assert _ended(aws, update["id"])["status"] == "Successful"
    after = _addon(eks)
    assert (after["status"], after["addonVersion"]) == ("ACTIVE", "v1.15.1-eksbuild.1")
    assert (after["configurationValues"], after["serviceAccountRoleArn"]) == ('{"a": 1}', ROLE)


def test_an_update_without_a_role_drops_it_as_in_the_incident(aws: LocalAws, eks: Any) -> None:
    update = eks.update_addon(**ADDON, addonVersion="v1.15.1-eksbuild.1")["update"]
    _ended(aws, update["id"])
    assert "serviceAccountRoleArn" not in _addon(eks)


def test_a_second_update_is_refused_while_one_runs(eks: Any) -> None:
    eks.update_addon(**ADDON)
    with pytest.raises(eks.exceptions.ResourceInUseException) as refused:
        eks.update_addon(**ADDON)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert "currently in UPDATING state" in str(refused.value)


def test_the_same_token_with_the_same_request_gives_the_same_update(aws: LocalAws, eks: Any) -> None:
    first = eks.update_addon(**ADDON, serviceAccountRoleArn=ROLE, clientRequestToken="incident-1")["update"]
    again = eks.update_addon(**ADDON, serviceAccountRoleArn=ROLE, clientRequestToken="incident-1")["update"]
    assert again["id"] == first["id"]
    _ended(aws, first["id"])
    assert eks.list_updates(name="demo", addonName="vpc-cni")["updateIds"] == [first["id"]]


def test_the_same_token_with_another_request_is_refused(eks: Any) -> None:
    eks.update_addon(**ADDON, clientRequestToken="incident-1")
    with pytest.raises(eks.exceptions.InvalidRequestException):
        eks.update_addon(**ADDON, serviceAccountRoleArn=ROLE, clientRequestToken="incident-1")


def test_a_refused_request_does_not_use_up_its_token(aws: LocalAws, eks: Any) -> None:
    eks.update_addon(**ADDON)
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.update_addon(**ADDON, clientRequestToken="t")
    aws.eks.finish_pending()
    assert _addon(eks)["status"] == "ACTIVE"
    assert eks.update_addon(**ADDON, clientRequestToken="t")["update"]["status"] == "InProgress"


def test_a_role_needs_pass_role_and_the_check_is_recorded(aws: LocalAws, eks: Any) -> None:
    aws.eks.hook(may_pass=lambda *_: False)
    with pytest.raises(ClientError) as refused:
        eks.update_addon(**ADDON, serviceAccountRoleArn=ROLE)
    assert _code(refused) == "AccessDeniedException"
    assert "iam:PassRole" in str(refused.value)
    assert _addon(eks)["status"] == "ACTIVE"


def test_pass_role_is_recorded_as_a_separate_action(aws: LocalAws, eks: Any) -> None:
    eks.update_addon(**ADDON, serviceAccountRoleArn=ROLE)
    (call,) = aws.calls.of(action="iam:PassRole")
    assert (call.principal, call.params) == ("remediator", {"RoleArn": ROLE, "PassedToService": "eks.amazonaws.com"})


def test_a_role_of_another_account_cannot_be_passed(eks: Any) -> None:
    with pytest.raises(ClientError) as refused:
        eks.update_addon(**ADDON, serviceAccountRoleArn="arn:aws:iam::999999999999:role/x")
    assert _code(refused) == "AccessDeniedException"


def test_a_failing_update_says_why_in_update_and_addon(aws: LocalAws, eks: Any) -> None:
    aws.eks.fail_next("demo", "vpc-cni", Failure(code="ConfigurationConflict", message="Conflicts found", resource_ids=("aws-node",)))
    ended = _ended(aws, eks.update_addon(**ADDON)["update"]["id"])
    assert ended["status"] == "Failed"
    assert ended["errors"] == [{"errorCode": "ConfigurationConflict", "errorMessage": "Conflicts found", "resourceIds": ["aws-node"]}]
    assert _addon(eks)["status"] == "UPDATE_FAILED"
    assert _addon(eks)["health"]["issues"][0]["code"] == "ConfigurationConflict"
    assert _addon(eks)["serviceAccountRoleArn"] == ROLE


def test_the_hook_is_called_when_an_update_applies_and_may_reject_it(aws: LocalAws, eks: Any) -> None:
    told: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def applied(*what: Any) -> Failure:
        told.append(what)
        return Failure(code="AdmissionRequestDenied", message="no")

    aws.eks.hook(on_addon_applied=applied)
    ended = _ended(aws, eks.update_addon(**ADDON, addonVersion="v1.15.1-eksbuild.1")["update"]["id"])
    assert ended["errors"][0]["errorCode"] == "AdmissionRequestDenied"
    ((cluster, record, request),) = told
    assert (cluster, record["addonVersion"], "serviceAccountRoleArn" in request) == ("demo", "v1.15.1-eksbuild.1", False)


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("describe_cluster", {"name": "nope"}, "ResourceNotFoundException"),
        ("describe_addon", {"clusterName": "demo", "addonName": "coredns"}, "ResourceNotFoundException"),
        ("describe_update", {"name": "demo", "updateId": "x"}, "ResourceNotFoundException"),
        ("update_addon", {**ADDON, "addonVersion": "v0.0.1"}, "InvalidParameterException"),
        ("update_addon", {**ADDON, "resolveConflicts": "MAYBE"}, "InvalidParameterException"),
        ("update_addon", {**ADDON, "configurationValues": "{"}, "InvalidParameterException"),
        ("update_addon", {**ADDON, "serviceAccountRoleArn": "not-an-arn"}, "InvalidParameterException"),
        ("create_addon", ADDON, "ResourceInUseException"),
        ("create_addon", {"clusterName": "demo", "addonName": "no-such"}, "InvalidParameterException"),
        ("update_cluster_version", {"name": "demo", "version": "1.30"}, "InvalidParameterException"),
        ("list_addons", {"clusterName": "demo", "nextToken": "junk"}, "InvalidParameterException"),
        ("describe_access_entry", {"clusterName": "demo", "principalArn": ROLE}, "ResourceNotFoundException"),
        ("describe_nodegroup", {"clusterName": "demo", "nodegroupName": "x"}, "ResourceNotFoundException"),
    ],
)
def test_bad_calls_end_in_the_modelled_error(eks: Any, method: str, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(eks, method)(**arguments)
    assert _code(refused) == code
    assert isinstance(refused.value, getattr(eks.exceptions, code))


def test_an_update_of_an_addon_is_found_only_with_the_addon_name(eks: Any) -> None:
    update = eks.update_addon(**ADDON)["update"]
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_update(name="demo", updateId=update["id"])


def test_an_addon_is_created_and_deleted_with_time_in_between(aws: LocalAws, eks: Any) -> None:
    gone: list[tuple[str, bool]] = []
    aws.eks.hook(on_addon_deleted=lambda _, record, preserve: gone.append((record["addonName"], preserve)))
    made = eks.create_addon(clusterName="demo", addonName="coredns")["addon"]
    assert (made["status"], made["addonVersion"]) == ("CREATING", "v1.11.4-eksbuild.2")
    aws.eks.finish_pending()
    assert eks.describe_addon(clusterName="demo", addonName="coredns")["addon"]["status"] == "ACTIVE"
    assert eks.delete_addon(clusterName="demo", addonName="coredns", preserve=True)["addon"]["status"] == "DELETING"
    aws.eks.finish_pending()
    assert eks.list_addons(clusterName="demo")["addons"] == ["vpc-cni"]
    assert gone == [("coredns", True)]


def test_the_cluster_version_rises_by_one_and_excludes_other_updates(aws: LocalAws, eks: Any) -> None:
    update = eks.update_cluster_version(name="demo", version="1.29")["update"]
    assert eks.describe_cluster(name="demo")["cluster"]["status"] == "UPDATING"
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.update_cluster_version(name="demo", version="1.29")
    aws.eks.finish_pending()
    assert eks.describe_update(name="demo", updateId=update["id"])["update"]["status"] == "Successful"
    cluster = eks.describe_cluster(name="demo")["cluster"]
    assert (cluster["status"], cluster["version"]) == ("ACTIVE", "1.29")


def test_one_service_account_takes_one_pod_identity_association(eks: Any) -> None:
    wanted = {"clusterName": "demo", "namespace": "kube-system", "serviceAccount": "aws-node", "roleArn": ROLE}
    made = eks.create_pod_identity_association(**wanted)["association"]
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_pod_identity_association(**wanted)
    (listed,) = eks.list_pod_identity_associations(clusterName="demo", namespace="kube-system", serviceAccount="aws-node")["associations"]
    assert (listed["associationId"], "roleArn" in listed) == (made["associationId"], False)
    assert eks.list_pod_identity_associations(clusterName="demo", namespace="other")["associations"] == []
    found = eks.describe_pod_identity_association(clusterName="demo", associationId=made["associationId"])["association"]
    assert found["roleArn"] == ROLE
    eks.delete_pod_identity_association(clusterName="demo", associationId=made["associationId"])
    assert eks.list_pod_identity_associations(clusterName="demo")["associations"] == []


ASSOCIATION = {"clusterName": "demo", "namespace": "kube-system", "serviceAccount": "aws-node", "roleArn": ROLE}
OTHER = f"{ROLE}-other"
POLICY = '{"Version": "2012-10-17", "Statement": []}'


def _association(eks: Any, association_id: str) -> dict[str, Any]:
    return dict(eks.describe_pod_identity_association(clusterName="demo", associationId=association_id)["association"])


def test_a_second_association_is_refused_with_the_id_of_the_first(eks: Any) -> None:
    made = eks.create_pod_identity_association(**ASSOCIATION)["association"]
    with pytest.raises(eks.exceptions.ResourceInUseException, match=f"Association already exists: {made['associationId']}"):
        eks.create_pod_identity_association(**ASSOCIATION)


def test_an_update_of_an_association_changes_the_given_members_alone(eks: Any) -> None:
    made = eks.create_pod_identity_association(**ASSOCIATION, targetRoleArn=OTHER)["association"]
    where = {"clusterName": "demo", "associationId": made["associationId"]}
    eks.update_pod_identity_association(**where, disableSessionTags=True, policy=POLICY)
    found = _association(eks, made["associationId"])
    assert (found["roleArn"], found["targetRoleArn"], found["disableSessionTags"], found["policy"]) == (ROLE, OTHER, True, POLICY)
    with pytest.raises(eks.exceptions.InvalidRequestException, match="At least one"):
        eks.update_pod_identity_association(**where)
    with pytest.raises(eks.exceptions.InvalidParameterException, match="disableSessionTags must be set to true"):
        eks.update_pod_identity_association(**where, disableSessionTags=False)


def test_a_call_about_an_association_counts_once_for_each_token(eks: Any) -> None:
    first = eks.create_pod_identity_association(**ASSOCIATION, clientRequestToken="t")["association"]
    assert eks.create_pod_identity_association(**ASSOCIATION, clientRequestToken="t")["association"] == first
    with pytest.raises(eks.exceptions.InvalidRequestException):
        eks.create_pod_identity_association(**{**ASSOCIATION, "roleArn": OTHER}, clientRequestToken="t")


PASSES = {
    "create": ("create_pod_identity_association", {**ASSOCIATION, "serviceAccount": "other"}),
    "update": ("update_pod_identity_association", {"clusterName": "demo", "associationId": "a-1", "roleArn": ROLE}),
    "addon": ("update_addon", {**ADDON, "podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": ROLE}]}),
}


@pytest.mark.parametrize("call", PASSES)
def test_the_role_of_an_association_is_passed_to_its_own_service(aws: LocalAws, eks: Any, call: str) -> None:
    cluster = aws.eks.state.cluster("demo")
    cluster.addons["vpc-cni"]["addonVersion"] = "v1.20.3-eksbuild.1"
    cluster.associations["a-1"] = {"associationId": "a-1", "namespace": "shop", "serviceAccount": "uploader", "roleArn": OTHER}
    asked: list[tuple[str, str]] = []
    aws.eks.hook(may_pass=lambda _, role, service: asked.append((role, service)))  # refuses
    method, arguments = PASSES[call]
    with pytest.raises(ClientError, match="iam:PassRole on resource"):
        getattr(eks, method)(**arguments)
    assert asked == [(ROLE, "pods.eks.amazonaws.com")]


def test_a_role_of_another_account_is_never_passed(eks: Any) -> None:
    with pytest.raises(ClientError, match="Cross-account pass role"):
        eks.create_pod_identity_association(**{**ASSOCIATION, "roleArn": "arn:aws:iam::999988887777:role/there"})


def test_an_addon_owns_exactly_the_associations_of_its_last_update(aws: LocalAws, eks: Any) -> None:
    aws.eks.state.cluster("demo").addons["vpc-cni"]["addonVersion"] = "v1.20.3-eksbuild.1"
    for role in (ROLE, OTHER):
        eks.update_addon(**ADDON, podIdentityAssociations=[{"serviceAccount": "aws-node", "roleArn": role}])
        aws.eks.finish_pending()
    (arn,) = _addon(eks)["podIdentityAssociations"]
    found = _association(eks, arn.rpartition("/")[2])
    assert (found["roleArn"], found["ownerArn"]) == (OTHER, _addon(eks)["addonArn"])
    eks.update_addon(**ADDON)  # an omitted list changes nothing
    aws.eks.finish_pending()
    assert _addon(eks)["podIdentityAssociations"] == [arn]
    eks.update_addon(**ADDON, podIdentityAssociations=[])
    aws.eks.finish_pending()
    assert eks.list_pod_identity_associations(clusterName="demo")["associations"] == []


def test_an_addon_takes_no_association_that_it_cannot_own(aws: LocalAws, eks: Any) -> None:
    wanted = [{"serviceAccount": "aws-node", "roleArn": ROLE}]
    with pytest.raises(eks.exceptions.InvalidParameterException, match=r"not supported for addon version: v1\.13\.4-eksbuild\.1"):
        eks.update_addon(**ADDON, podIdentityAssociations=wanted)
    aws.eks.state.cluster("demo").addons["vpc-cni"]["addonVersion"] = "v1.20.3-eksbuild.1"
    with pytest.raises(eks.exceptions.InvalidParameterException, match="Service account other in pod identity configuration"):
        eks.update_addon(**ADDON, podIdentityAssociations=[{"serviceAccount": "other", "roleArn": ROLE}])
    eks.create_pod_identity_association(**ASSOCIATION)
    with pytest.raises(eks.exceptions.ResourceInUseException, match="Association already exists"):
        eks.update_addon(**ADDON, podIdentityAssociations=wanted)


def test_an_access_entry_is_created_updated_and_deleted(eks: Any) -> None:
    role = "arn:aws:iam::111122223333:role/team/checker"
    made = eks.create_access_entry(clusterName="demo", principalArn=role, kubernetesGroups=["readers"])["accessEntry"]
    assert made["username"] == "arn:aws:sts::111122223333:assumed-role/checker/{{SessionName}}"
    assert eks.list_access_entries(clusterName="demo")["accessEntries"] == [role]
    eks.update_access_entry(clusterName="demo", principalArn=role, kubernetesGroups=["writers"])
    assert eks.describe_access_entry(clusterName="demo", principalArn=role)["accessEntry"]["kubernetesGroups"] == ["writers"]
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_access_entry(clusterName="demo", principalArn=role)
    eks.delete_access_entry(clusterName="demo", principalArn=role)
    assert eks.list_access_entries(clusterName="demo")["accessEntries"] == []


@pytest.mark.parametrize("wrong", [{"kubernetesGroups": ["system:masters"]}, {"username": "eks:me"}])
def test_an_access_entry_takes_no_reserved_name(eks: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(eks.exceptions.InvalidParameterException):
        eks.create_access_entry(clusterName="demo", principalArn=ROLE, **wrong)


def test_a_config_map_cluster_has_no_access_entries(aws: LocalAws, eks: Any) -> None:
    aws.eks.add_cluster(ClusterSpec(name="old", endpoint="https://x", ca_data="", authentication_mode="CONFIG_MAP"))
    with pytest.raises(eks.exceptions.InvalidRequestException):
        eks.list_access_entries(clusterName="old")


def test_lists_have_pages(aws: LocalAws, eks: Any) -> None:
    for number in range(5):
        aws.eks.add_cluster(ClusterSpec(name=f"c{number}", endpoint="https://x", ca_data=""))
    first = eks.list_clusters(maxResults=4)
    assert len(first["clusters"]) == 4
    assert eks.list_clusters(maxResults=4, nextToken=first["nextToken"])["clusters"] == ["c4", "demo"]
    assert sum(len(page["clusters"]) for page in eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2})) == 6


def test_versions_and_node_groups_are_described(aws: LocalAws, eks: Any) -> None:
    (offer,) = eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion="1.28")["addons"]
    defaults = [v["addonVersion"] for v in offer["addonVersions"] if v["compatibilities"][0]["defaultVersion"]]
    assert defaults == ["v1.15.1-eksbuild.1"]
    assert len(eks.describe_cluster_versions(defaultOnly=True)["clusterVersions"]) == 1
    aws.eks.add_nodegroup("demo", "blue", node_role="arn:aws:iam::111122223333:role/node", size=12, repair=True)
    assert eks.list_nodegroups(clusterName="demo")["nodegroups"] == ["blue"]
    found = eks.describe_nodegroup(clusterName="demo", nodegroupName="blue")["nodegroup"]
    assert (found["scalingConfig"]["desiredSize"], found["nodeRepairConfig"]["enabled"]) == (12, True)


def test_an_unsupported_operation_is_rejected_by_name(eks: Any) -> None:
    with pytest.raises(ClientError, match="DeleteCluster"):
        eks.delete_cluster(name="demo")
