"""The partitions of the contract are those of botocore, and every place that reads an ARN or a host accepts them."""

import re
from typing import Any

import pytest
from botocore.loaders import Loader

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.partitions import DNS_SUFFIXES, REGION
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.node_log import explain
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.bindings import Parameter, resolve_binding
from lambdas.domain.snapshot.snapshot import Binding
from lambdas.notifications import escape
from tests.unit.domain.snapshot_fixtures import snapshot_with
from tests.unit.notifications.snapshots import ROLE, pods

BOTOCORE: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]
PATH = "/eks-irsa-remediator/bindings/blue/kube-system/aws-node"
HOSTS = [f"{{}}.{region}.{item['outputs']['dnsSuffix']}" for item in BOTOCORE for region in item["regions"] if "global" not in region]


def test_the_partitions_are_those_of_botocore() -> None:
    assert {item["id"]: item["outputs"]["dnsSuffix"] for item in BOTOCORE} == DNS_SUFFIXES


def test_each_region_of_botocore_has_the_form_of_a_region() -> None:
    regions = [region for item in BOTOCORE for region in item["regions"] if "global" not in region]
    assert [region for region in regions if not re.fullmatch(REGION, region)] == []


@pytest.mark.parametrize("partition", DNS_SUFFIXES)
def test_a_role_of_each_partition_can_be_bound(partition: str) -> None:
    role = f"arn:{partition}:iam::111122223333:role/team/blue"
    target = ServiceAccountRef("blue", "kube-system", "aws-node")
    found = resolve_binding({PATH: Parameter(value=role)}, target, account="111122223333", partition=partition, region="any")
    assert isinstance(found, Binding)


def causes(line: str) -> set[str]:
    return {finding.cause.id for finding in explain([line]).findings}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_of_each_region_is_recognized(host: str) -> None:
    sts, ec2 = host.format("sts"), host.format("ec2")
    timeout = f'RequestError: send request failed: Post "https://{sts}/": dial tcp: lookup {sts}: i/o timeout'
    failing = snapshot_with(pods=pods(3, ROLE, unready=1, termination_message=timeout))
    assert diagnose(failing)[Link.PERMISSION_ERRORS].verdict is Verdict.STS_UNREACHABLE
    assert causes(timeout) == {"sts-unreachable"}
    assert causes(f'Post "https://{ec2}/": dial tcp 10.0.0.1:443: i/o timeout') == {"ec2-unreachable"}
    assert escape.chat(sts) == sts, "a host of AWS is shown as it is"
