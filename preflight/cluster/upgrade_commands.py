"""The commands of an upgrade that keeps the role, and the effect of leaving the role out."""

import shlex
from collections.abc import Iterator
from typing import Final

from lambdas.contract.names import CNI_ADDON
from preflight.cluster.upgrade import Roles, Versions

_FALLS_BACK: Final = "https://github.com/hashicorp/terraform-provider-aws/pull/19403"


def upgrade_commands(cluster: str, region: str, versions: Versions, roles: Roles, *, has_addon: bool) -> Iterator[str]:
    """Return the commands in order. The control plane is first, since add-on versions are offered for the version of the cluster.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
    """
    if versions.kubernetes_target != versions.kubernetes:
        upgrade = ["update-cluster-version", "--region", region, "--name", cluster, "--kubernetes-version", versions.kubernetes_target]
        yield _line(upgrade)
        yield _line(["wait", "cluster-active", "--region", region, "--name", cluster])
    if has_addon:
        update = ["update-addon", "--region", region, "--cluster-name", cluster, "--addon-name", CNI_ADDON]
        update += ["--addon-version", versions.addon_target] if versions.addon_target else []
        update += ["--service-account-role-arn", roles.expected] if roles.expected and not roles.association else []
        yield _line([*update, "--resolve-conflicts", "PRESERVE"])


def _line(parts: list[str]) -> str:
    return shlex.join(["aws", "eks", *parts])


def effect_without_role(roles: Roles) -> str:
    """Return the effect of an update that does not name the role."""
    if roles.association:
        return "Leave --pod-identity-associations out: EKS keeps associations that are not given, and an empty list deletes them."
    if not roles.expected:
        return "There is no role to pass; the add-on stays on the node role."
    overwrite = "With OVERWRITE instead of PRESERVE, EKS resets every field of aws-node to its own value."
    if roles.record == roles.expected:
        source = f"as reported for an update of the version alone ({_FALLS_BACK})"
        return f"Without --service-account-role-arn the add-on may fall back to the node role, {source}. {overwrite}"
    remaining = roles.record or "no role"
    return f"Without --service-account-role-arn the record stays as it is, and the update leaves aws-node with {remaining}. {overwrite}"
