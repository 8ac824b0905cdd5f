"""ServiceAccounts with credentials and add-ons, read from the local AWS and the embedded cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from cli.clients.cluster_login import AwsLogin, UserClusters
from cli.clients.identity_inventory import AwsIdentityInventory
from lambdas.domain.errors import NotFound
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.cluster.embedded_cluster import EmbeddedCluster, Identity
from tests.integration.adapters.embedded_clusters import ROLE, GivenTokens, apply_aws_node, authority, facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

CLUSTER = "inventory"


@pytest.fixture
def inventory(local_aws: LocalAws, session: AwsSession) -> Iterator[AwsIdentityInventory]:
    """A cluster of its own, removed again because the tests of a package share one AWS."""
    local_aws.eks.add_cluster(ClusterSpec(name=CLUSTER, endpoint="https://127.0.0.1:1", ca_data="Q0E="))
    yield AwsIdentityInventory(session, UserClusters(AwsLogin(GivenTokens())))  # type: ignore[arg-type]  # has the two methods in use
    del local_aws.eks.state.clusters[CLUSTER]


def test_associated_service_accounts_are_listed_over_all_pages(inventory: AwsIdentityInventory, local_aws: LocalAws) -> None:
    names = [f"app-{number:03}" for number in range(120)]
    for name in names:
        local_aws.client("eks").create_pod_identity_association(
            clusterName=CLUSTER, namespace="shop", serviceAccount=name, roleArn="arn:aws:iam::111122223333:role/us"
        )
    local_aws.calls.clear()
    assert inventory.associated(CLUSTER) == {("shop", name) for name in names}
    assert len(local_aws.calls.all()) == 2


def test_a_cluster_that_does_not_exist_has_no_list(inventory: AwsIdentityInventory) -> None:
    with pytest.raises(NotFound):
        inventory.associated("gone")


def test_add_ons_are_listed_with_the_service_accounts_that_their_version_takes(
    inventory: AwsIdentityInventory, local_aws: LocalAws
) -> None:
    local_aws.eks.add_addon(CLUSTER, "vpc-cni", addonVersion="v1.19.0-eksbuild.1")
    local_aws.eks.add_addon(CLUSTER, "coredns")
    assert inventory.addons(CLUSTER) == ["coredns", "vpc-cni"]
    assert inventory.associable("vpc-cni", "v1.19.0-eksbuild.1") == {"aws-node"}
    assert inventory.associable("vpc-cni", "v1.13.4-eksbuild.1") == frozenset()
    assert inventory.associable("coredns", "v1.11.4-eksbuild.2") == frozenset()
    with pytest.raises(NotFound):
        inventory.associable("vpc-cni", "v9.9.9")


def test_annotated_service_accounts_are_those_with_the_right_key(inventory: AwsIdentityInventory) -> None:
    def account(name: str, **annotations: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": "default", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    administrator = Identity("jane", ("system:masters",))
    with EmbeddedCluster("demo", authenticate=lambda _: administrator, certificate=authority()) as cluster:
        apply_aws_node(cluster, role_arn=ROLE)
        cluster.apply(account("app", **{"eks.amazonaws.com/role-arn": ""}), "test")
        cluster.apply(account("misspelt", **{"eks.amazon.com/role-arn": ROLE}), "test")
        found = inventory.annotated(facts(cluster.url, cluster.ca_pem))
    assert found == {("kube-system", "aws-node"): ROLE, ("default", "app"): ""}


def test_the_records_about_a_role_are_read_over_all_pages(inventory: AwsIdentityInventory, session: AwsSession) -> None:
    since, role = datetime(2026, 11, 29, 12, 0, tzinfo=UTC), "arn:aws:iam::111122223333:role/us"
    asked = {"LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": role}], "StartTime": since}
    with Stubber(session.client("cloudtrail")) as answers:
        answers.add_response("lookup_events", {"Events": [{"CloudTrailEvent": '{"eventName": "a"}'}], "NextToken": "more"}, asked)
        answers.add_response("lookup_events", {"Events": [{"CloudTrailEvent": "no JSON"}]}, {**asked, "NextToken": "more"})
        assert inventory.role_sessions(role, since) == [{"eventName": "a"}]
        answers.assert_no_pending_responses()
