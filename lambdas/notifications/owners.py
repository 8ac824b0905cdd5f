"""Tools that write ServiceAccounts and add-on records: how to recognise each, and what to change in it so that the role stays."""

from dataclasses import dataclass
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.notifications.wording import Code, Phrase, say


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. `managers` are its field managers, whole and in lower case; `signs` are parts of its user agents and user names.

    `record` and `account` say where it declares the add-on's role and the annotation, with what to write there as `line`; empty where
    it declares no such thing. Places in a line: `arn`, `key`, `namespace`, `name`, `addon`, `cluster`.
    """

    name: str
    managers: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    record: tuple[str, str] = ("", "")
    account: tuple[str, str] = ("", "")


TOOLS: Final = (
    Tool(
        name="Argo CD",
        managers=("argocd-controller", "argocd-application-controller"),
        signs=("argocd", "argo-cd"),
        account=("in the manifest or chart values that Argo CD applies, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="Flux",
        managers=("kustomize-controller", "helm-controller"),
        signs=("fluxcd", "kustomize-controller", "helm-controller"),
        account=("in the Kustomization or HelmRelease that Flux applies, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="Helm",
        managers=("helm",),
        signs=("helm/",),
        account=("in the values of the Helm release, add to serviceAccount.annotations", "{key}: {arn}"),
    ),
    Tool(
        name="eksctl",
        managers=("eksctl",),
        signs=("eksctl",),
        record=("in the eksctl config, under addons, {addon}", "serviceAccountRoleARN: {arn}"),
        account=("in the eksctl config, under iam.serviceAccounts, {name}", "attachRoleARN: {arn}"),
    ),
    Tool(
        name="Terraform",
        managers=("terraform", "hashicorp", "opentofu"),
        signs=("terraform", "hashicorp", "opentofu"),
        record=("in Terraform, in the {addon} add-on (aws_eks_addon, or the module's addons map)", 'service_account_role_arn = "{arn}"'),
        account=("in Terraform, in the annotations of the ServiceAccount", '"{key}" = "{arn}"'),
    ),
    Tool(
        name="CloudFormation or CDK",
        signs=("cloudformation",),
        record=("in the AWS::EKS::Addon of {addon} (CfnAddon in CDK: serviceAccountRoleArn)", "ServiceAccountRoleArn: {arn}"),
    ),
    Tool(
        name="the EKS add-on",
        managers=("eks",),
        signs=("eks:addon-manager",),
    ),
    Tool(
        name="kubectl",
        managers=("kubectl", "kubectl-client-side-apply", "kubectl-annotate", "kubectl-edit", "kubectl-patch", "kubectl-replace"),
        signs=("kubectl/",),
        account=("in the manifest that was applied by kubectl, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="the AWS CLI",
        signs=("aws-cli",),
        record=(
            "with every update by the AWS CLI, give the role",
            "aws eks update-addon --cluster-name {cluster} --addon-name {addon}"
            " --service-account-role-arn {arn} --resolve-conflicts PRESERVE",
        ),
    ),
)
"""Field managers: https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers
Argo CD: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#server-side-apply
Flux: https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
eksctl: https://eksctl.io/usage/schema/
Terraform: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_addon
CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-addon.html"""

_ANY_RECORD: Final = (
    "wherever the {addon} add-on is declared (Terraform shown; serviceAccountRoleARN in eksctl, ServiceAccountRoleArn in CloudFormation)",
    'service_account_role_arn = "{arn}"',
)
_ANY_ACCOUNT: Final = ("wherever the ServiceAccount {namespace}/{name} is declared, annotate it", "{key}: {arn}")


def recognise(*, manager: str = "", signs: tuple[str, ...] = ()) -> Tool | None:
    """The tool behind a field manager, or behind a user agent or user name; None where no tool is known by them."""
    named = next((tool for tool in TOOLS if manager.lower() in tool.managers), None) if manager else None
    told = " ".join(signs).lower()
    return named or next((tool for tool in TOOLS if any(sign in told for sign in tool.signs)), None)


def keep_in_record(tool: Tool | None, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    """What to change so that the owner of the add-on keeps its role."""
    return _advice(tool.record if tool and tool.record[0] else _ANY_RECORD, target, addon, role_arn)


def keep_on_account(tool: Tool | None, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    """What to change so that the owner of the ServiceAccount keeps its annotation."""
    return _advice(tool.account if tool and tool.account[0] else _ANY_ACCOUNT, target, addon, role_arn)


def _advice(wanted: tuple[str, str], target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    where, line = wanted
    filled = line.format(
        arn=role_arn, key=ROLE_ANNOTATION, namespace=target.namespace, name=target.name, addon=addon, cluster=target.cluster
    )
    place = say(where[:1].upper() + where[1:], addon=addon, namespace=target.namespace, name=target.name)
    return say("{place}: {line}", place=place, line=Code(filled))
