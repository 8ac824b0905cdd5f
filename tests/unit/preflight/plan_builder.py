"""Builds small Terraform plans with the structure that Terraform gives them."""

from __future__ import annotations

import json
from typing import Any, Self

ACCOUNT = "210987654321"
ISSUER = "oidc.eks.eu-central-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9"
CNI_POLICY = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
WORKER_POLICY = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
EC2_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
POD_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
}


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def irsa_trust(
    subject: str = "system:serviceaccount:kube-system:aws-node", issuer: str = ISSUER, audience: str = "sts.amazonaws.com"
) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": audience}},
            }
        ],
    }


class PlanBuilder:
    """A plan. Each method adds resources and returns the builder."""

    def __init__(self) -> None:
        self._changes: list[dict[str, Any]] = []
        self._root: dict[str, Any] = {"resources": [], "module_calls": {}}

    def add(
        self,
        address: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        unknown: tuple[str, ...] = (),
        refs: dict[str, str] | None = None,
        actions: tuple[str, ...] = (),
        mode: str = "managed",
    ) -> Self:
        """Add a resource. `address` is its full address, `refs` are attribute -> reference."""
        module, _, local = address.rpartition("module.") if "module." in address else ("", "", address)
        steps = local.split(".")
        if module or "module." in address:
            path, resource = f"{module}module.{steps[0]}", ".".join(steps[1:])
        else:
            path, resource = "", local
        kind, name = resource.removeprefix("data.").partition("[")[0].split(".")
        if not actions:
            actions = ("create",) if before is None else ("delete",) if after is None else ("no-op",) if before == after else ("update",)
        change = {"actions": list(actions), "before": before, "after": after, "after_unknown": dict.fromkeys(unknown, True)}
        entry: dict[str, Any] = {"address": address, "module_address": path, "mode": mode, "type": kind, "name": name, "change": change}
        if "[" in resource:
            key = resource.partition("[")[2].rstrip("]")
            entry["index"] = int(key) if key.isdigit() else key.strip('"')
        self._changes.append(entry)
        block = {
            "address": f"{'data.' if mode == 'data' else ''}{kind}.{name}",
            "mode": mode,
            "type": kind,
            "name": name,
            "expressions": {key: {"references": [value, value.rsplit(".", 1)[0]]} for key, value in (refs or {}).items()},
        }
        self._module(path)["resources"].append(block)
        return self

    def call(self, name: str, source: str, *, outputs: dict[str, str] | None = None, **expressions: Any) -> Self:
        """Add a module call. An expression that is a text is a reference, anything else a constant."""
        block = self._root["module_calls"].setdefault(name, {"module": {"resources": [], "module_calls": {}}})
        block["source"] = source
        block["expressions"] = {
            key: {"references": [value]} if isinstance(value, str) else {"constant_value": value} for key, value in expressions.items()
        }
        block["module"]["outputs"] = {key: {"expression": {"references": [value]}} for key, value in (outputs or {}).items()}
        return self

    def _module(self, path: str) -> dict[str, Any]:
        found = self._root
        for step in [part.strip(".").partition("[")[0] for part in path.split("module.") if part.strip(".")]:
            found = found["module_calls"].setdefault(
                step, {"source": f"./{step}", "expressions": {}, "module": {"resources": [], "module_calls": {}}}
            )["module"]
        return found

    # --- common resources

    def cluster(self, name: str = "kite", *, new: bool = False, gone: bool = False, **extra: Any) -> Self:
        known = {
            "name": name,
            "arn": f"arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/{name}",
            "identity": [{"oidc": [{"issuer": f"https://{ISSUER}"}]}],
        }
        if new:
            return self.add("aws_eks_cluster.main", after={"name": name, **extra}, unknown=("arn", "identity"))
        return self.add("aws_eks_cluster.main", before=known, after=None if gone else known | extra)

    def addon(
        self,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        unknown: tuple[str, ...] = (),
        refs: dict[str, str] | None = None,
    ) -> Self:
        common = {"addon_name": "vpc-cni", "cluster_name": "kite"}
        return self.add(
            "aws_eks_addon.cni",
            before=None if before is None else common | before,
            after=None if after is None else common | after,
            unknown=unknown,
            refs=refs,
        )

    def role(
        self,
        name: str = "cni",
        trust: dict[str, Any] | None = None,
        *,
        new: bool = False,
        gone: bool = False,
        policies: tuple[str, ...] = (CNI_POLICY,),
    ) -> Self:
        values = {"name": name, "assume_role_policy": json.dumps(trust or irsa_trust())}
        if new:
            self.add(f"aws_iam_role.{name}", after=values, unknown=("arn", "managed_policy_arns", "inline_policy"))
        else:
            known = values | {"arn": role_arn(name)}
            self.add(f"aws_iam_role.{name}", before=known, after=None if gone else known)
        for policy in policies:
            self.attach(name, policy, new=new)
        return self

    def attach(self, role: str, policy: str = CNI_POLICY, *, new: bool = False, gone: bool = False) -> Self:
        values = {"role": role, "policy_arn": policy}
        name = f"{role}_{policy.rsplit('/', 1)[-1]}"
        return self.add(
            f"aws_iam_role_policy_attachment.{name}",
            before=None if new else values,
            after=None if gone else values,
            refs={"role": f"aws_iam_role.{role}.name"},
        )

    def nodes(self, *policies: str, new: bool = False, gone: bool = False) -> Self:
        self.role("node", EC2_TRUST, new=new, policies=policies)
        values = {"cluster_name": "kite", "node_role_arn": role_arn("node")}
        if new:
            return self.add(
                "aws_eks_node_group.ng",
                after={"cluster_name": "kite"},
                unknown=("node_role_arn",),
                refs={"node_role_arn": "aws_iam_role.node.arn"},
            )
        return self.add("aws_eks_node_group.ng", before=values, after=None if gone else values)

    def provider(self, *, audiences: tuple[str, ...] = ("sts.amazonaws.com",), gone: bool = False) -> Self:
        known = {"url": ISSUER, "client_id_list": ["sts.amazonaws.com"], "arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
        return self.add(
            "aws_iam_openid_connect_provider.o", before=known, after=None if gone else known | {"client_id_list": list(audiences)}
        )

    def json(self) -> str:
        """The text of the plan."""
        return json.dumps({"format_version": "1.2", "resource_changes": self._changes, "configuration": {"root_module": self._root}})
