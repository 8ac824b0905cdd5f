"""The commands that an upgrade takes so that it keeps the role, and what comes of leaving the role out."""

import shlex
from collections.abc import Iterator
from typing import Final

from lambdas.contract.names import CNI_ADDON
from preflight.cluster.upgrade import Roles, Versions

_FALLS_BACK: Final = "https://github.com/hashicorp/terraform-provider-aws/pull/19403"


def calls(cluster: str, region: str, versions: Versions, roles: Roles, *, has_addon: bool) -> Iterator[str]:
    """The commands of the upgrade, in their order: the control plane first, since add-on versions are offered for what the cluster has.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
    """
    if versions.kubernetes_wanted != versions.kubernetes:
        upgrade = ["update-cluster-version", "--region", region, "--name", cluster, "--kubernetes-version", versions.kubernetes_wanted]
        yield _line(upgrade)
        yield _line(["wait", "cluster-active", "--region", region, "--name", cluster])
    if has_addon:
        update = ["update-addon", "--region", region, "--cluster-name", cluster, "--addon-name", CNI_ADDON]
        update += ["--addon-version", versions.wanted] if versions.wanted else []
        update += ["--service-account-role-arn", roles.wanted] if roles.wanted and not roles.association else []
        yield _line([*update, "--resolve-conflicts", "PRESERVE"])


def _line(parts: list[str]) -> str:
    return shlex.join(["aws", "eks", *parts])


def without(roles: Roles) -> str:
    """What comes of an update that does not name the role."""
    if roles.association:
        return "Leave --pod-identity-associations out: what is not given is kept, and an empty list takes the association away."
    if not roles.wanted:
        return "There is no role to give; the add-on stays on the node role."
    overwrite = "With OVERWRITE in the place of PRESERVE, every field of aws-node goes back to EKS' own value."
    if roles.record == roles.wanted:
        seen = f"as an update of the version alone was seen to do ({_FALLS_BACK})"
        return f"Without --service-account-role-arn the add-on may fall back to the node role, {seen}. {overwrite}"
    left = roles.record or "no role"
    return f"Without --service-account-role-arn the record stays as it is, and the update leaves aws-node with {left}. {overwrite}"
