"""Policies of roles and access entries, read from the local AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cli.clients.cluster_access import UserClusterAccess
from cli.clients.role_policies import IamRolePolicies
from lambdas.domain.errors import NotFound
from sandbox.aws.eks_clusters import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

ADMINISTRATOR = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def document(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def test_inline_and_attached_policies_are_read_in_their_default_version(local_aws: LocalAws, session: AwsSession) -> None:
    local_aws.roles.create("policies")
    iam = local_aws.client("iam")
    iam.put_role_policy(RoleName="policies", PolicyName="Contract", PolicyDocument=json.dumps(document("eks:DescribeCluster")))
    arn = iam.create_policy(PolicyName="by-hand", PolicyDocument=json.dumps(document("s3:GetObject")))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document("s3:PutObject")), SetAsDefault=True)
    iam.attach_role_policy(RoleName="policies", PolicyArn=arn)
    found = IamRolePolicies(session).documents("arn:aws:iam::111122223333:role/policies")
    assert found == {"Contract": document("eks:DescribeCluster"), arn: document("s3:PutObject")}


def test_a_missing_role_has_no_policies_to_read(session: AwsSession) -> None:
    with pytest.raises(NotFound):
        IamRolePolicies(session).documents("arn:aws:iam::111122223333:role/gone")


@pytest.fixture
def entries(local_aws: LocalAws) -> Iterator[str]:
    """A cluster of its own, removed again because the tests of a package share one AWS."""
    local_aws.eks.add_cluster(ClusterSpec(name="entries", endpoint="https://127.0.0.1:1", ca_data="Q0E="))
    yield "entries"
    del local_aws.eks.state.clusters["entries"]


def test_access_policies_of_an_entry_are_read(local_aws: LocalAws, session: AwsSession, entries: str) -> None:
    local_aws.roles.create("entry")
    role = "arn:aws:iam::111122223333:role/entry"
    eks, no_clusters = local_aws.client("eks"), None
    access = UserClusterAccess(session, no_clusters, no_clusters)  # type: ignore[arg-type]  # reads of AWS use no cluster
    with pytest.raises(NotFound):
        access.policies_of(entries, role)
    eks.create_access_entry(clusterName=entries, principalArn=role)
    assert access.policies_of(entries, role) == []
    eks.associate_access_policy(clusterName=entries, principalArn=role, policyArn=ADMINISTRATOR, accessScope={"type": "cluster"})
    assert access.policies_of(entries, role) == [ADMINISTRATOR]
    eks.disassociate_access_policy(clusterName=entries, principalArn=role, policyArn=ADMINISTRATOR)
    assert access.policies_of(entries, role) == []
