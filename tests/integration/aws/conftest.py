"""A local AWS for each module, with a new cluster and a role that calls it for each test.

An operation that takes time ends when a test calls `aws.eks.hasten()`, so no test depends on the speed of the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local_aws import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDLESS_S = 3_600.0
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"


@pytest.fixture(scope="module")
def running() -> Iterator[LocalAws]:
    with LocalAws() as local:
        local.roles.create("remediator")
        yield local


@pytest.fixture
def aws(running: LocalAws) -> LocalAws:
    running.reset_eks()
    running.eks.add_cluster(ClusterSpec(name="demo", endpoint="https://127.0.0.1:6443", ca_data="Y2E="))
    running.eks.add_addon("demo", "vpc-cni", addonVersion="v1.13.4-eksbuild.1", serviceAccountRoleArn=ROLE, configurationValues='{"a": 1}')
    running.eks.configure(create_s=ENDLESS_S, update_s=ENDLESS_S, delete_s=ENDLESS_S, cluster_update_s=ENDLESS_S)
    running.eks.hook(on_event=lambda _: None)
    return running


@pytest.fixture
def eks(aws: LocalAws) -> Any:
    return aws.client("eks", "remediator")
