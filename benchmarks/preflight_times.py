"""`python -m benchmarks.preflight_times`: CPU time of `preflight` for a plan of 25 MB and a template of 6 MB."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[1]
_ROLE: Final = "arn:aws:iam::111122223333:role/cni"
_ISSUER: Final = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
_POLICY: Final = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{_ISSUER}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{_ISSUER}:sub": "system:serviceaccount:kube-system:aws-node"}},
        }
    ],
}
_PLAN_BYTES: Final = 25_000_000
_TEMPLATE_BYTES: Final = 6_000_000


def plan(size: int) -> str:
    """Return a plan of about this size: the add-on, and roles that do not change."""
    addon = {"addon_name": "vpc-cni", "cluster_name": "blue", "service_account_role_arn": _ROLE}
    changes = [_change("aws_eks_addon", "cni", addon), _change("aws_iam_role", "cni", _role("cni"))]
    each = len(json.dumps(_change("aws_iam_role", "app", _role("app"))))
    changes += [_change("aws_iam_role", f"app{index}", _role(f"app{index}")) for index in range(size // each)]
    return json.dumps({"format_version": "1.2", "resource_changes": changes, "configuration": {"root_module": {}}})


def _role(name: str) -> dict[str, Any]:
    return {"name": name, "arn": f"arn:aws:iam::111122223333:role/{name}", "assume_role_policy": json.dumps(_TRUST)}


def _change(kind: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
    change = {"actions": ["no-op"], "before": values, "after": values, "after_unknown": {}}
    return {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name, "change": change}


def template(size: int) -> str:
    """Return a template of about this size: the add-on, and roles."""
    properties = {"AssumeRolePolicyDocument": _TRUST, "ManagedPolicyArns": [_POLICY]}
    role = {"Type": "AWS::IAM::Role", "Properties": properties}
    given = {"AddonName": "vpc-cni", "ClusterName": "blue", "ServiceAccountRoleArn": {"Fn::GetAtt": ["Role0", "Arn"]}}
    resources: dict[str, Any] = {"Cni": {"Type": "AWS::EKS::Addon", "Properties": given}}
    resources |= {f"Role{index}": role for index in range(size // len(json.dumps(role, indent=1)))}
    return json.dumps({"Resources": resources}, indent=1)


def main() -> None:
    """Print the size, the exit code and the CPU time of the whole command for each file."""
    with tempfile.TemporaryDirectory() as folder:
        for option, text in (("--terraform-plan", plan(_PLAN_BYTES)), ("--template", template(_TEMPLATE_BYTES))):
            path = Path(folder, "file.json")
            path.write_text(text, encoding="utf-8")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-m", "cli", "preflight", option, str(path), "-o", "json"], cwd=_ROOT, check=False, capture_output=True
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            sys.stdout.write(f"{option}: {len(text) / 1e6:.1f} MB, exit code {done.returncode}, {seconds:.1f} s of CPU time\n")


if __name__ == "__main__":
    main()
