"""`irsa-remediator preflight`: its arguments, help and example. What it does loads when it is run."""

import re
from typing import Annotated

import typer

from preflight.asked import AskedBefore

_CLUSTER = typer.Option("--cluster", "-c", help="A cluster to look at; may be given several times.")
_ADDON = typer.Option("--addon-version", metavar="VERSION", help="The vpc-cni version to update to; EKS' default if left out.")


def _kubernetes_version(text: str) -> str:
    if text and not re.fullmatch(r"\d+\.\d+", text):
        raise typer.BadParameter(f"{text!r} is no Kubernetes version of EKS, such as 1.33")
    return text


_KUBERNETES = typer.Option(
    "--kubernetes-version", metavar="VERSION", help="The Kubernetes version to upgrade to, such as 1.33.", callback=_kubernetes_version
)
_PLAN = typer.Option("--terraform-plan", metavar="FILE", help="The output of `terraform show -json PLANFILE`; - reads standard input.")
_EKSCTL = typer.Option("--eksctl", metavar="FILE", help="An eksctl ClusterConfig.")
_TEMPLATE = typer.Option("--template", metavar="FILE", help="A CloudFormation template, JSON or YAML, also one that CDK made.")


def preflight(
    asked: AskedBefore,
    *,
    cluster: Annotated[list[str], _CLUSTER] = [],  # noqa: B006  # typer copies it
    addon_version: Annotated[str, _ADDON] = "",
    kubernetes_version: Annotated[str, _KUBERNETES] = "",
    terraform_plan: Annotated[list[str], _PLAN] = [],  # noqa: B006
    eksctl: Annotated[list[str], _EKSCTL] = [],  # noqa: B006
    template: Annotated[list[str], _TEMPLATE] = [],  # noqa: B006
) -> int:
    """Before an upgrade: would it keep the role?

    Looks at clusters, at files that are about to be applied, or at both; files alone need no AWS credentials. Writes nothing.
    Exit code 0: would keep the role, 1: would lose it or fail, 2: could not tell.

    Example: irsa-remediator preflight --cluster prod-blue --kubernetes-version 1.33

    Example: irsa-remediator preflight --terraform-plan plan.json --output sarif
    """
    from preflight.cluster.upgrade import Upgrade
    from preflight.running import Question, run

    files = {"terraform-plan": terraform_plan, "eksctl": eksctl, "template": template}
    question = Question(
        clusters=tuple(cluster),
        upgrade=Upgrade(addon_version=addon_version, kubernetes_version=kubernetes_version),
        files=tuple((kind, name) for kind, names in files.items() for name in names),
    )
    return run(asked, question)
