"""The writers of ServiceAccounts and add-on records: their names, and the change in their code that keeps the role."""

import re
from dataclasses import dataclass
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.notifications.wording import Code, Phrase, phrase


@dataclass(frozen=True)
class Declaration:
    """A place in the code of an owner, and the line to write there.

    Fields of both templates: `arn`, `key`, `namespace`, `name`, `addon` and `cluster`.
    """

    place: str
    line: str


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. `managers` are its field managers, complete and in lower case; `markers` are parts of its user agents and user names.

    `record` declares the role of an add-on, `annotation` that of a ServiceAccount, `association` that of a pod identity association; None
    where the tool declares none.
    """

    name: str
    managers: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    record: Declaration | None = None
    annotation: Declaration | None = None
    association: Declaration | None = None


TOOLS: Final = (
    Tool(
        name="Argo CD",
        managers=("argocd-controller", "argocd-application-controller"),
        markers=("argocd", "argo-cd"),
        annotation=Declaration("In the manifest or chart values that Argo CD applies, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="Flux",
        managers=("kustomize-controller", "helm-controller"),
        markers=("fluxcd", "kustomize-controller", "helm-controller"),
        annotation=Declaration("In the Kustomization or HelmRelease that Flux applies, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="Helm",
        managers=("helm",),
        markers=("helm/",),
        annotation=Declaration("In the values of the Helm release, add to serviceAccount.annotations", "{key}: {arn}"),
    ),
    Tool(
        name="eksctl",
        managers=("eksctl",),
        markers=("eksctl",),
        record=Declaration("In the eksctl config, under addons, {addon}", "serviceAccountRoleARN: {arn}"),
        annotation=Declaration("In the eksctl config, under iam.serviceAccounts, {name}", "attachRoleARN: {arn}"),
        association=Declaration("In the eksctl config, under iam.podIdentityAssociations, {namespace}/{name}", "roleARN: {arn}"),
    ),
    Tool(
        name="Terraform",
        managers=("terraform", "hashicorp", "opentofu"),
        markers=("terraform", "hashicorp", "opentofu"),
        record=Declaration(
            "In Terraform, in the {addon} add-on (aws_eks_addon, or the module's addons map)", 'service_account_role_arn = "{arn}"'
        ),
        annotation=Declaration("In Terraform, in the annotations of the ServiceAccount", '"{key}" = "{arn}"'),
        association=Declaration("In Terraform, in the aws_eks_pod_identity_association of {namespace}/{name}", 'role_arn = "{arn}"'),
    ),
    Tool(
        name="CloudFormation or CDK",
        markers=("cloudformation",),
        record=Declaration("In the AWS::EKS::Addon of {addon} (CfnAddon in CDK: serviceAccountRoleArn)", "ServiceAccountRoleArn: {arn}"),
        association=Declaration(
            "In the AWS::EKS::PodIdentityAssociation of {namespace}/{name} (CfnPodIdentityAssociation in CDK: roleArn)", "RoleArn: {arn}"
        ),
    ),
    Tool(name="the EKS add-on", managers=("eks",), markers=("eks:addon-manager",)),
    Tool(
        name="kubectl",
        managers=("kubectl", "kubectl-client-side-apply", "kubectl-annotate", "kubectl-edit", "kubectl-patch", "kubectl-replace"),
        markers=("kubectl/",),
        annotation=Declaration("In the manifest that kubectl applied, annotate the ServiceAccount", "{key}: {arn}"),
    ),
    Tool(
        name="the AWS CLI",
        markers=("aws-cli",),
        record=Declaration(
            "Pass the role with every update by the AWS CLI",
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
Terraform: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_pod_identity_association
CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-addon.html
CloudFormation: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-podidentityassociation.html"""

_ANY_RECORD: Final = Declaration(
    "In the code that declares the {addon} add-on"
    " (Terraform shown; serviceAccountRoleARN in eksctl, ServiceAccountRoleArn in CloudFormation)",
    'service_account_role_arn = "{arn}"',
)
_ANY_ASSOCIATION: Final = Declaration(
    "In the code that declares the association of {namespace}/{name} (Terraform shown: aws_eks_pod_identity_association;"
    " iam.podIdentityAssociations in eksctl, AWS::EKS::PodIdentityAssociation in CloudFormation)",
    'role_arn = "{arn}"',
)
_ANY_ANNOTATION: Final = Declaration("In the code that declares the ServiceAccount {namespace}/{name}, annotate it", "{key}: {arn}")


def recognize(*, manager: str = "", markers: tuple[str, ...] = ()) -> Tool | None:
    """The tool of a field manager, or of a user agent or user name; None for an unknown tool."""
    by_manager = next((tool for tool in TOOLS if manager.lower() in tool.managers), None) if manager else None
    text = " ".join(markers).lower()
    return by_manager or next((tool for tool in TOOLS if any(marker in text for marker in tool.markers)), None)


def record_advice(tool: Tool | None, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    """The change in the owner's code that keeps the role in the add-on record."""
    return _advice(tool.record if tool and tool.record else _ANY_RECORD, target, addon, role_arn)


def annotation_advice(tool: Tool | None, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    """The change in the owner's code that keeps the annotation on the ServiceAccount."""
    return _advice(tool.annotation if tool and tool.annotation else _ANY_ANNOTATION, target, addon, role_arn)


def association_advice(tool: Tool | None, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    """The change in the owner's code that keeps the role of the association."""
    return _advice(tool.association if tool and tool.association else _ANY_ASSOCIATION, target, addon, role_arn)


def _advice(declaration: Declaration, target: ServiceAccountRef, addon: str, role_arn: str) -> Phrase:
    line = declaration.line.format(
        arn=role_arn, key=ROLE_ANNOTATION, namespace=target.namespace, name=target.name, addon=addon, cluster=target.cluster
    )
    place = phrase(declaration.place, addon=addon, namespace=target.namespace, name=target.name)
    return phrase("{place}: {line}", place=place, line=Code(line))


_SESSION: Final = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/(?P<role>[^/]+)/(?P<session>.+)")
_SERVICE_ACCOUNT: Final = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>[^:]+)")
_PRINCIPAL: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:(?P<kind>user|role)/(?:.*/)?(?P<name>[^/]+)")


def short_name(principal: str) -> str:
    """A short name of an IAM ARN or Kubernetes user: `ci-deploy (session 1698)`, `user jane`. Any other text is returned unchanged."""
    if session := _SESSION.fullmatch(principal):
        return f"{session['role']} (session {session['session']})"
    if entity := _PRINCIPAL.fullmatch(principal):
        return f"{entity['kind']} {entity['name']}"
    if account := _SERVICE_ACCOUNT.fullmatch(principal):
        return f"ServiceAccount {account['namespace']}/{account['name']}"
    return "the account's root user" if principal.endswith(":root") else principal
