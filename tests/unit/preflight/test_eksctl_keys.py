"""Keys that eksctl refuses, anywhere in a ClusterConfig."""

from __future__ import annotations

import pytest

from preflight import rules
from preflight.eksctl import read
from preflight.finding import MalformedFile

CONFIG = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: prod-blue, region: eu-west-1}
iam: {withOIDC: true}
addons:
  - name: vpc-cni
    serviceAccountRoleARN: arn:aws:iam::111122223333:role/cni
"""


def refused(text: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.message) for finding in read(text, "cluster.yaml") if finding.rule is rules.SETTINGS_REFUSED]


def test_a_config_of_known_keys_is_not_refused() -> None:
    more = "managedNodeGroups:\n  - {name: blue, labels: {any/key: x}, iam: {withAddonPolicies: {ebs: true}}, taints: []}\n"
    assert refused(CONFIG + more) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "managedNodeGroups:\n  - {name: blue, minsize: 2}\n",
            "eksctl knows no key 'minsize' of managedNodeGroups.0; the key is minSize.",
        ),
        ("nodeGroups:\n  - {name: blue, iam: {policies: []}}\n", "eksctl knows no key 'policies' of nodeGroups.0.iam."),
        ("vpc: {clusterEndpoints: {public: true}}\n", "eksctl knows no key 'public' of vpc.clusterEndpoints."),
        ("managednodegroups: []\n", "eksctl knows no key 'managednodegroups' of the file; the key is managedNodeGroups."),
    ],
)
def test_an_unknown_key_is_refused_at_any_depth(text: str, message: str) -> None:
    ((line, found),) = refused(CONFIG + text)
    assert found == message
    assert line == len((CONFIG + text).splitlines())


def test_a_text_of_aliases_that_stands_for_millions_of_values_is_refused() -> None:
    group = "managedNodeGroups:\n  - &group {name: blue, labels: {" + ", ".join(f"k{i}: v" for i in range(2_000)) + "}}\n"
    with pytest.raises(MalformedFile, match=r"cluster\.yaml:1:1 holds more values"):
        read(CONFIG + group + "  - *group\n" * 20_000, "cluster.yaml")
