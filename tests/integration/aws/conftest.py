"""A local AWS for each module and in it, for each test anew, one cluster and one role that calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    running.eks.behave(create_s=0.05, update_s=0.05, delete_s=0.05, cluster_update_s=0.05)
    running.eks.hook(on_event=lambda _: None)
    return running


@pytest.fixture
def eks(aws: LocalAws) -> Any:
    return aws.client("eks", "remediator")
