"""Plans of every action: versions, associations, for_each, replacement, forget, move, import, data sources, other providers.

Source: https://developer.hashicorp.com/terraform/internals/json-format and
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/eks/addon.go
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.preflight.outcomes import outcome
from tests.unit.preflight.plan_builder import (
    ACCOUNT,
    CNI_POLICY,
    EC2_TRUST,
    ISSUER,
    POD_TRUST,
    WORKER_POLICY,
    PlanBuilder,
    irsa_trust,
    role_arn,
)

if TYPE_CHECKING:
    from pathlib import Path

ARN, OTHER_ARN = role_arn("cni"), role_arn("other")
ROLE, OTHER_ROLE = {"service_account_role_arn": ARN}, {"service_account_role_arn": OTHER_ARN}
OLD, NEW = {"addon_version": "v1.19.0-eksbuild.1"}, {"addon_version": "v1.20.0-eksbuild.1"}
REF = {"service_account_role_arn": "aws_iam_role.cni.arn"}
WRONG = irsa_trust("system:serviceaccount:default:aws-node")
UNKNOWN_ROLE = {"after": {}, "unknown": ("service_account_role_arn",), "refs": REF}


def block(account: str = "aws-node", role: Any = ARN) -> Any:
    return {"pod_identity_association": [{"service_account": account, "role_arn": role}]}


def association(**p: Any) -> Any:
    return {"cluster_name": "kite", "namespace": "kube-system", "service_account": "aws-node", "role_arn": ARN, **p}


ASSOCIATION = "aws_eks_pod_identity_association.a"
ATTACHMENT = "aws_iam_role_policy_attachment.cni_AmazonEKS_CNI_Policy"
COMMON = {"addon_name": "vpc-cni", "cluster_name": "kite"}
CLUSTER = {
    "name": "kite",
    "arn": f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/kite",
    "identity": [{"oidc": [{"issuer": f"https://{ISSUER}"}]}],
}


def with_top_level(b: Any, **top: Any) -> Any:
    return json.dumps({**json.loads(b.json()), **top})


def allowing(*a: Any) -> Any:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(a), "Resource": "*"}]})


def prior(*resources: Any) -> Any:
    return {"prior_state": {"values": {"root_module": {"resources": list(resources)}}}}


def data_role(trust: Any) -> Any:
    return {
        "address": "data.aws_iam_role.cni",
        "mode": "data",
        "type": "aws_iam_role",
        "name": "cni",
        "values": {"arn": ARN, "name": "cni", "assume_role_policy": json.dumps(trust)},
    }


DATA_CLUSTER = {"address": "data.aws_eks_cluster.this", "mode": "data", "type": "aws_eks_cluster", "name": "this", "values": CLUSTER}
OTHER_ISSUER = ISSUER.replace("0A1B", "FFFF")


def own_policy(before: Any, after: Any) -> Any:
    return (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(policies=())
        .attach("cni", f"arn:aws:iam::{ACCOUNT}:policy/net")
        .add(
            "aws_iam_policy.net",
            before={"name": "net", "arn": f"arn:aws:iam::{ACCOUNT}:policy/net", "policy": before},
            after={"name": "net", "arn": f"arn:aws:iam::{ACCOUNT}:policy/net", "policy": after},
        )
    )


def roles_each(index: Any, subject_of_other: str = "system:serviceaccount:kube-system:ebs-csi") -> Any:
    b = PlanBuilder().cluster()
    for key, trust in (("cni", irsa_trust()), ("ebs", irsa_trust(subject_of_other))):
        b.add(f'aws_iam_role.this["{key}"]', after={"name": key, "assume_role_policy": json.dumps(trust)}, unknown=("arn",))
        b.add(f'aws_iam_role_policy_attachment.this["{key}"]', after={"role": key, "policy_arn": CNI_POLICY})
    return b.addon(after={}, unknown=("service_account_role_arn",), refs={"service_account_role_arn": f'aws_iam_role.this["{index}"].arn'})


CASES: dict[str, tuple[Any, ...]] = {
    # what the provider calls
    "version only, role kept": (PlanBuilder().cluster().addon(before=OLD | ROLE, after=NEW | ROLE).role().json(), []),
    "version only, no role, nodes with the policy": (PlanBuilder().addon(before=OLD, after=NEW).nodes(CNI_POLICY).json(), []),
    "version only, no role, nodes without": (PlanBuilder().addon(before=OLD, after=NEW).nodes(WORKER_POLICY).json(), ["role-missing"]),
    "version unknown, role kept": (PlanBuilder().addon(before=OLD | ROLE, after=ROLE, unknown=("addon_version",)).json(), []),
    "on_update to OVERWRITE, no role, bare nodes": (
        PlanBuilder()
        .addon(before=OLD | {"resolve_conflicts_on_update": "PRESERVE"}, after=OLD | {"resolve_conflicts_on_update": "OVERWRITE"})
        .nodes(WORKER_POLICY)
        .json(),
        [],
    ),
    "on_create only": (
        PlanBuilder()
        .addon(before=OLD | {"resolve_conflicts_on_create": "NONE"}, after=OLD | {"resolve_conflicts_on_create": "OVERWRITE"})
        .nodes(WORKER_POLICY)
        .json(),
        [],
    ),
    "preserve only": (PlanBuilder().addon(before=OLD, after=OLD | {"preserve": True}).nodes(WORKER_POLICY).json(), []),
    "timeouts and tags only": (
        PlanBuilder().addon(before=OLD, after=OLD | {"timeouts": {"create": "5m"}, "tags_all": {"a": "b"}}).nodes(WORKER_POLICY).json(),
        [],
    ),
    "empty role to null": (
        PlanBuilder()
        .addon(before=OLD | {"service_account_role_arn": ""}, after=OLD | {"service_account_role_arn": None})
        .nodes(WORKER_POLICY)
        .json(),
        [],
    ),
    "configuration values, role kept": (PlanBuilder().addon(before=ROLE, after=ROLE | {"configuration_values": "{}"}).json(), []),
    "role to empty text": (PlanBuilder().addon(before=OLD | ROLE, after=OLD | {"service_account_role_arn": ""}).json(), ["role-dropped"]),
    "created with an empty text": (PlanBuilder().addon(after={"service_account_role_arn": ""}).json(), ["role-missing"]),
    # associations
    "block added beside the role": (PlanBuilder().addon(before=ROLE, after=ROLE | block()).json(), []),
    "block replaced by a role": (PlanBuilder().addon(before=block(), after=ROLE).json(), []),
    "block removed": (PlanBuilder().addon(before=block(), after={"pod_identity_association": []}).json(), ["role-dropped"]),
    "block moved to another account": (
        PlanBuilder().addon(before=block(), after=block("cni")).json(),
        ["association-mismatch", "role-dropped"],
    ),
    "block with a new role": (
        PlanBuilder().addon(after={"pod_identity_association": [{"service_account": "aws-node"}]}).role(trust=POD_TRUST, new=True).json(),
        [],
    ),
    "block with an IRSA role by name": (PlanBuilder().addon(after=block()).role(new=True).json(), ["trust-wrong"]),
    "association resource replaced": (
        PlanBuilder()
        .addon(before={}, after={})
        .add(ASSOCIATION, before=association(), after=association(), actions=("delete", "create"))
        .json(),
        [],
    ),
    "association resource with another role": (
        PlanBuilder().addon(before={}, after={}).add(ASSOCIATION, before=association(), after=association(role_arn=OTHER_ARN)).json(),
        [],
    ),
    "association of an unknown namespace": (
        PlanBuilder()
        .addon(after={})
        .add(ASSOCIATION, after={k: v for k, v in association().items() if k != "namespace"}, unknown=("namespace",))
        .json(),
        ["role-unknown"],
    ),
    "association of an unknown cluster": (
        PlanBuilder()
        .addon(after={})
        .add(ASSOCIATION, after={k: v for k, v in association().items() if k != "cluster_name"}, unknown=("cluster_name",))
        .json(),
        [],
    ),
    "association forgotten": (
        PlanBuilder().addon(before=OLD, after=OLD).add(ASSOCIATION, before=association(), actions=("forget",)).json(),
        [],
    ),
    # for_each
    "for_each, role kept": (
        PlanBuilder()
        .add('aws_eks_addon.this["vpc-cni"]', before=COMMON | ROLE, after=COMMON | ROLE | NEW)
        .add('aws_eks_addon.this["coredns"]', before={"addon_name": "coredns"}, after={"addon_name": "coredns", **NEW})
        .json(),
        [],
    ),
    "for_each, vpc-cni loses it": (
        PlanBuilder()
        .add('aws_eks_addon.this["vpc-cni"]', before=COMMON | ROLE, after=COMMON | NEW)
        .add('aws_eks_addon.this["coredns"]', before={"addon_name": "coredns"}, after={"addon_name": "coredns", **NEW})
        .json(),
        ["role-dropped"],
    ),
    "for_each, key removed": (PlanBuilder().cluster().add('aws_eks_addon.this["vpc-cni"]', before=COMMON | ROLE).json(), ["addon-removed"]),
    "roles of for_each, right key": (roles_each("cni").json(), []),
    "roles of for_each, wrong key": (roles_each("ebs").json(), ["trust-wrong"]),
    "two clusters by for_each": (
        PlanBuilder()
        .add('aws_eks_addon.this["a"]', after={"addon_name": "vpc-cni", "cluster_name": "a", **ROLE})
        .add('aws_eks_addon.this["b"]', after={"addon_name": "vpc-cni", "cluster_name": "b", **ROLE})
        .json(),
        [],
    ),
    "two clusters, one without": (
        PlanBuilder()
        .add('aws_eks_addon.this["a"]', after={"addon_name": "vpc-cni", "cluster_name": "a", **ROLE})
        .add('aws_eks_addon.this["b"]', after={"addon_name": "vpc-cni", "cluster_name": "b"})
        .json(),
        ["role-missing"],
    ),
    # deletion, replacement, forget, move, import
    "everything destroyed": (
        PlanBuilder()
        .cluster(gone=True)
        .addon(before=ROLE)
        .role(gone=True)
        .attach("cni", gone=True)
        .provider(gone=True)
        .nodes(CNI_POLICY, gone=True)
        .json(),
        [],
    ),
    "cluster replaced with its add-on": (
        PlanBuilder()
        .add("aws_eks_cluster.main", before=CLUSTER, after={"name": "kite"}, unknown=("arn", "identity"), actions=("delete", "create"))
        .add("aws_eks_addon.cni", before=COMMON | ROLE, after=COMMON | ROLE, actions=("delete", "create"))
        .json(),
        [],
    ),
    "cluster replaced, trust names the old issuer": (
        PlanBuilder()
        .add("aws_eks_cluster.main", before=CLUSTER, after={"name": "kite"}, unknown=("arn", "identity"), actions=("delete", "create"))
        .add("aws_eks_addon.cni", before=COMMON | ROLE, after=COMMON | ROLE, actions=("delete", "create"))
        .role()
        .json(),
        ["trust-wrong"],
    ),
    "add-on replaced": (
        PlanBuilder().cluster().add("aws_eks_addon.cni", before=COMMON | ROLE, after=COMMON | ROLE, actions=("delete", "create")).json(),
        ["addon-removed"],
    ),
    "add-on replaced, created first": (
        PlanBuilder().cluster().add("aws_eks_addon.cni", before=COMMON | ROLE, after=COMMON | ROLE, actions=("create", "delete")).json(),
        ["addon-removed"],
    ),
    "add-on forgotten": (PlanBuilder().cluster().add("aws_eks_addon.cni", before=COMMON | ROLE, actions=("forget",)).json(), []),
    "role forgotten": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .add("aws_iam_role.cni", before={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(irsa_trust())}, actions=("forget",))
        .json(),
        [],
    ),
    "attachment forgotten": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(policies=())
        .add(ATTACHMENT, before={"role": "cni", "policy_arn": CNI_POLICY}, actions=("forget",))
        .json(),
        [],
    ),
    "provider forgotten": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role()
        .add("aws_iam_openid_connect_provider.o", before={"url": ISSUER, "client_id_list": ["sts.amazonaws.com"]}, actions=("forget",))
        .json(),
        [],
    ),
    "moved": (
        PlanBuilder()
        .cluster()
        .addon(before=OLD | ROLE, after=OLD | ROLE)
        .json()
        .replace(
            '"address": "aws_eks_addon.cni", "module_address"',
            '"address": "aws_eks_addon.cni", "previous_address": "module.x.aws_eks_addon.cni", "module_address"',
        ),
        [],
    ),
    "moved without a moved block": (
        PlanBuilder().cluster().add("aws_eks_addon.old", before=COMMON | ROLE).add("aws_eks_addon.new", after=COMMON | ROLE).json(),
        ["addon-removed"],
    ),
    "imported as it is": (
        PlanBuilder()
        .addon(before=OLD | ROLE, after=OLD | ROLE)
        .json()
        .replace('"before"', '"importing": {"id": "kite:vpc-cni"}, "before"', 1),
        [],
    ),
    "imported and changed": (
        PlanBuilder().addon(before=OLD | ROLE, after=OLD).json().replace('"before"', '"importing": {"id": "kite:vpc-cni"}, "before"', 1),
        ["role-dropped"],
    ),
    "deposed object": (
        PlanBuilder()
        .addon(before=ROLE, after=ROLE)
        .json()
        .replace(
            '"resource_changes": [',
            '"resource_changes": [{"address": "aws_eks_addon.cni", "deposed": "1a2b", "type": "aws_eks_addon", '
            '"change": {"actions": ["delete"], "before": {"addon_name": "vpc-cni"}, "after": null}}, ',
        ),
        [],
    ),
    "deferred changes": (
        with_top_level(
            PlanBuilder().addon(before=ROLE, after=ROLE),
            complete=False,
            deferred_changes=[{"reason": "provider_config_unknown", "resource_change": {}}],
        ),
        ["plan-incomplete"],
    ),
    "errored": (with_top_level(PlanBuilder(), errored=True), ["plan-incomplete"]),
    # roles
    "role replaced": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .add(
            "aws_iam_role.cni",
            before={"name": "cni", "arn": ARN},
            after={"name": "cni", "assume_role_policy": json.dumps(irsa_trust())},
            unknown=("arn",),
            actions=("delete", "create"),
        )
        .json(),
        ["policy-missing", "role-removed"],
    ),
    "attachment replaced": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(policies=())
        .add(
            ATTACHMENT,
            before={"role": "cni", "policy_arn": CNI_POLICY},
            after={"role": "cni", "policy_arn": CNI_POLICY},
            actions=("delete", "create"),
        )
        .json(),
        [],
    ),
    "managed policies emptied": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .add(
            "aws_iam_role.cni",
            before={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(irsa_trust()), "managed_policy_arns": [CNI_POLICY]},
            after={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(irsa_trust()), "managed_policy_arns": []},
        )
        .json(),
        ["policy-missing"],
    ),
    "inline policy removed": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .add(
            "aws_iam_role.cni",
            before={
                "name": "cni",
                "arn": ARN,
                "assume_role_policy": json.dumps(irsa_trust()),
                "inline_policy": [{"name": "a", "policy": allowing("ec2:*")}],
            },
            after={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(irsa_trust()), "inline_policy": []},
        )
        .json(),
        ["policy-missing"],
    ),
    "policy document loses the calls": (own_policy(allowing("ec2:*"), allowing("s3:*")).json(), ["policy-missing"]),
    "policy document keeps the calls": (own_policy(allowing("ec2:*"), allowing("ec2:*", "s3:*")).json(), []),
    "policy document denies": (
        own_policy(allowing("ec2:*"), json.dumps({"Statement": [{"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}]})).json(),
        [],
    ),
    "trust becomes wrong": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .add(
            "aws_iam_role.cni",
            before={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(irsa_trust())},
            after={"name": "cni", "arn": ARN, "assume_role_policy": json.dumps(WRONG)},
        )
        .attach("cni")
        .json(),
        ["trust-wrong"],
    ),
    "trust with a wildcard subject": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(trust=json.loads(json.dumps(irsa_trust("system:serviceaccount:kube-system:*")).replace("StringEquals", "StringLike")))
        .json(),
        [],
    ),
    "trust without an audience": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(
            trust={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
                        "Action": "sts:AssumeRoleWithWebIdentity",
                        "Condition": {"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:kube-system:aws-node"}},
                    }
                ],
            }
        )
        .json(),
        [],
    ),
    "provider made again": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role()
        .add("aws_iam_openid_connect_provider.o", before={"url": ISSUER})
        .add("aws_iam_openid_connect_provider.n", after={"url": f"https://{ISSUER}", "client_id_list": ["sts.amazonaws.com"]})
        .json(),
        [],
    ),
    "provider of another cluster deleted": (
        PlanBuilder()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role()
        .add("aws_iam_openid_connect_provider.o", before={"url": OTHER_ISSUER})
        .json(),
        [],
    ),
    # data sources
    "data role, right": (with_top_level(PlanBuilder().cluster().addon(before=ROLE, after=ROLE), **prior(data_role(irsa_trust()))), []),
    "data role, wrong": (
        with_top_level(PlanBuilder().cluster().addon(before=ROLE, after=ROLE), **prior(data_role(WRONG))),
        ["trust-wrong"],
    ),
    "data role, known later": (
        PlanBuilder()
        .addon(after={}, unknown=("service_account_role_arn",), refs={"service_account_role_arn": "data.aws_iam_role.cni.arn"})
        .json(),
        [],
    ),
    "output of a remote state, known later": (
        PlanBuilder()
        .addon(
            after={},
            unknown=("service_account_role_arn",),
            refs={"service_account_role_arn": "data.terraform_remote_state.iam.outputs.role"},
        )
        .json(),
        ["role-unknown"],
    ),
    "data cluster, issuer of the role differs": (
        with_top_level(PlanBuilder().addon(before=ROLE, after=ROLE).role(trust=irsa_trust(issuer=OTHER_ISSUER)), **prior(DATA_CLUSTER)),
        ["trust-wrong"],
    ),
    "data cluster, right": (with_top_level(PlanBuilder().addon(before=ROLE, after=ROLE).role(), **prior(DATA_CLUSTER)), []),
    "data cluster, access of nodes elsewhere": (
        with_top_level(PlanBuilder().addon(before=OLD, after=NEW), **prior(DATA_CLUSTER)),
        ["role-missing"],
    ),
    # AWSCC and OpenTofu
    "AWSCC, association": (
        PlanBuilder()
        .add("awscc_eks_addon.c", after=COMMON | {"pod_identity_associations": [{"service_account": "aws-node", "role_arn": ARN}]})
        .json(),
        [],
    ),
    "AWSCC, association mismatch": (
        PlanBuilder()
        .add("awscc_eks_addon.c", after=COMMON | {"pod_identity_associations": [{"service_account": "cni", "role_arn": ARN}]})
        .json(),
        ["association-mismatch", "role-missing"],
    ),
    "AWSCC, created without": (PlanBuilder().add("awscc_eks_addon.c", after=COMMON).json(), ["role-missing"]),
    "AWSCC, deleted": (PlanBuilder().add("awscc_eks_addon.c", before=COMMON | ROLE).json(), ["addon-removed"]),
    "AWSCC, deleted with preserve": (
        PlanBuilder().add("awscc_eks_addon.c", before=COMMON | ROLE | {"preserve_on_delete": True}).json(),
        [],
    ),
    "AWSCC, role wrong": (
        PlanBuilder()
        .add("awscc_eks_addon.c", after=COMMON | ROLE)
        .add(
            "awscc_iam_role.r",
            after={"role_name": "cni", "assume_role_policy_document": json.dumps(WRONG), "managed_policy_arns": [CNI_POLICY]},
            unknown=("arn",),
        )
        .json(),
        ["trust-wrong"],
    ),
    "AWSCC, nodes with the policy": (
        PlanBuilder()
        .add("awscc_eks_addon.c", after=COMMON)
        .add("awscc_eks_nodegroup.n", after={"cluster_name": "kite", "node_role": role_arn("node")})
        .add(
            "awscc_iam_role.r",
            after={"role_name": "node", "assume_role_policy_document": json.dumps(EC2_TRUST), "managed_policy_arns": [CNI_POLICY]},
            unknown=("arn",),
        )
        .json(),
        [],
    ),
    "OpenTofu": (
        with_top_level(PlanBuilder().addon(before=ROLE, after=NEW), format_version="1.2", terraform_version="1.9.0"),
        ["role-dropped"],
    ),
    "OpenTofu for people": ("OpenTofu will perform the following actions:\n", "1:1"),
    # clusters without an add-on
    "new cluster, bare nodes, no add-on": (PlanBuilder().cluster(new=True).nodes(WORKER_POLICY, new=True).json(), ["role-missing"]),
    "new cluster, nodes with the policy, no add-on": (PlanBuilder().cluster(new=True).nodes(CNI_POLICY, new=True).json(), []),
    "new cluster, bare nodes, association alone": (
        PlanBuilder().cluster(new=True).nodes(WORKER_POLICY, new=True).add(ASSOCIATION, after=association()).json(),
        [],
    ),
    "new cluster, no plug-in, add-on in another plan": (
        PlanBuilder().cluster(new=True, bootstrap_self_managed_addons=False).json(),
        PlanBuilder().addon(after=ROLE).json(),
        [],
    ),
    "existing cluster, bare nodes, no add-on": (PlanBuilder().cluster().nodes(WORKER_POLICY).json(), []),
    # files together
    "role in another plan, wrong": (
        PlanBuilder().addon(before=ROLE, after=ROLE).json(),
        PlanBuilder().role(trust=WRONG).json(),
        ["trust-wrong"],
    ),
    "role in another plan, no policy": (
        PlanBuilder().addon(before=ROLE, after=ROLE).json(),
        PlanBuilder().role(new=True, policies=()).json(),
        ["policy-missing"],
    ),
    "role in another plan, right": (PlanBuilder().addon(before=ROLE, after=ROLE).json(), PlanBuilder().role().json(), []),
    "cluster in another plan, issuer differs": (
        PlanBuilder().addon(before=ROLE, after=ROLE).role(trust=irsa_trust(issuer=OTHER_ISSUER)).json(),
        PlanBuilder().cluster().json(),
        ["trust-wrong"],
    ),
    "cluster in another plan, right": (PlanBuilder().addon(before=ROLE, after=ROLE).role().json(), PlanBuilder().cluster().json(), []),
    "cluster, role and add-on in three plans": (
        PlanBuilder().addon(before=ROLE, after=ROLE).json(),
        PlanBuilder().role(trust=irsa_trust(issuer=OTHER_ISSUER)).json(),
        PlanBuilder().cluster().json(),
        ["trust-wrong"],
    ),
    "node role in another plan": (
        PlanBuilder()
        .addon(after={})
        .add("aws_eks_node_group.ng", after={"cluster_name": "kite", "node_role_arn": role_arn("node")})
        .json(),
        PlanBuilder().role("node", EC2_TRUST, new=True).json(),
        [],
    ),
    "association in another plan, its role wrong": (
        PlanBuilder().addon(after={}).json(),
        PlanBuilder().role().add(ASSOCIATION, after=association()).json(),
        ["trust-wrong"],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_file_has_the_expected_outcome(case: tuple[Any, ...], tmp_path: Path) -> None:
    *contents, expected = case
    assert outcome(tmp_path, *contents) == expected
