"""Every rule of preflight. Rule ids and names are an interface: pipelines suppress and count findings by them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract.names import PROJECT

_ADDON: Final = "https://docs.aws.amazon.com/eks/latest/userguide/vpc-add-on-update.html"
_ADDON_IAM: Final = "https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html"
_AGENT: Final = "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html"
_CNI_ROLE: Final = "https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html"
_EKSCTL: Final = "https://docs.aws.amazon.com/eks/latest/eksctl/addons.html"
_PLAN: Final = "https://developer.hashicorp.com/terraform/internals/json-format"
_REMOVE: Final = "https://docs.aws.amazon.com/eks/latest/userguide/removing-an-add-on.html"
_TRUST: Final = "https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html"
_UPDATE: Final = "https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html"
_VERSIONS: Final = "https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html"


class Level(StrEnum):
    """The severity of a finding. Errors make exit code 1, unknowns 2; warnings and notes leave it at 0."""

    ERROR = "error"
    UNKNOWN = "unknown"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Return the position in order of severity; 0 is the most severe."""
        return list(Level).index(self)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One check. `title` states the fault, `why` its effect, `fix` the remedy; `source` is a page that documents the fact.

    `example` is a fragment of a file that the rule reports; `since` is the version that introduced the rule.
    """

    id: str
    name: str
    level: Level
    title: str
    why: str
    fix: str
    source: str
    example: str = ""
    since: str = "1.0.0"

    @property
    def page(self) -> str:
        """Return the address of the page about this rule."""
        return f"https://github.com/{PROJECT}/{PROJECT}/blob/main/docs/preflight/rules/{self.id}.md"


# --- the role of the add-on

ROLE_MISSING: Final = Rule(
    id="EIR101",
    name="role-missing",
    level=Level.ERROR,
    title="The vpc-cni add-on gets no role, and the node role is not shown to have the CNI policy",
    why="Without its own role the add-on uses the node role. Where that role lacks the CNI policy, new nodes stay NotReady.",
    fix="Set the role of the add-on, or attach AmazonEKS_CNI_Policy to the node role in the same file.",
    source=_UPDATE,
    example='resource "aws_eks_addon" "cni" {\n  cluster_name = "blue"\n  addon_name   = "vpc-cni"\n}',
)
ROLE_DROPPED: Final = Rule(
    id="EIR102",
    name="role-dropped",
    level=Level.ERROR,
    title="The vpc-cni add-on loses the role that it has",
    why="The update removes the annotation from aws-node, or EKS rejects the update because the ARN is empty.",
    fix="Keep the role in the add-on, or give aws-node a Pod Identity association in the same change.",
    source="https://github.com/hashicorp/terraform-provider-aws/issues/30645",
    example='~ resource "aws_eks_addon" "cni" {\n    - service_account_role_arn = "arn:aws:iam::111122223333:role/cni" -> null\n  }',
)
ROLE_ABSENT: Final = Rule(
    id="EIR103",
    name="role-absent",
    level=Level.WARNING,
    title="The vpc-cni add-on has no role, and this change gives it none",
    why="The update loses nothing that the file declares. It removes an annotation that was set manually.",
    fix="Set the role of the add-on where aws-node has one by annotation.",
    source=_UPDATE,
)
ROLE_CHANGED: Final = Rule(
    id="EIR104",
    name="role-changed",
    level=Level.WARNING,
    title="The vpc-cni add-on gets another role",
    why="Pods keep the role that they started with until they are replaced, so the old role must exist until aws-node is restarted.",
    fix="Delete the old role in a later change, after `kubectl rollout restart daemonset aws-node`.",
    source="https://github.com/aws/amazon-vpc-cni-k8s/issues/1338",
)
ROLE_UNKNOWN: Final = Rule(
    id="EIR105",
    name="role-unknown",
    level=Level.UNKNOWN,
    title="It is not known whether the vpc-cni add-on gets a role",
    why="The value is decided when the file is applied, and may be empty then.",
    fix="Use a value that cannot be empty: the ARN of a role in this file, or a parameter without an empty default.",
    source=_PLAN,
    example='Mappings:\n  Roles:\n    dev: {arn: ""}\n    prod: {arn: "arn:aws:iam::111122223333:role/cni"}',
)
ROLE_IMPLIED: Final = Rule(
    id="EIR106",
    name="role-implied",
    level=Level.WARNING,
    title="eksctl chooses the role of the vpc-cni add-on",
    why="eksctl creates a role when it creates the add-on. An update only repeats the role of the record, so a lost role stays lost.",
    fix="Set serviceAccountRoleARN, or attachPolicyARNs with AmazonEKS_CNI_Policy.",
    source=_EKSCTL,
)
NODE_ROLE: Final = Rule(
    id="EIR107",
    name="node-role",
    level=Level.NOTE,
    title="The vpc-cni add-on uses the node role, which has the CNI policy",
    why="aws-node works with the permissions of the node, and so does every pod that can reach the instance metadata service.",
    fix="Give aws-node its own role where the permissions of nodes should be smaller.",
    source=_CNI_ROLE,
)
ROLE_NOT_ARN: Final = Rule(
    id="EIR108",
    name="role-not-arn",
    level=Level.ERROR,
    title="The role of the vpc-cni add-on is not the ARN of a role",
    why="EKS rejects a name, a placeholder or the ARN of something else, or aws-node gets an annotation that STS refuses.",
    fix="Give the ARN of the role: `!GetAtt Role.Arn` instead of `!Ref Role`, and a real ARN instead of a placeholder.",
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html",
    example="ServiceAccountRoleArn: !Ref CniRole # the name of the role",
)
POD_IDENTITY: Final = Rule(
    id="EIR111",
    name="pod-identity",
    level=Level.NOTE,
    title="A Pod Identity association decides the role",
    why="Where an association exists and its agent runs, aws-node uses the role of the association and ignores its annotation.",
    fix="Nothing to do.",
    source=_ADDON_IAM,
)
AGENT_MISSING: Final = Rule(
    id="EIR112",
    name="pod-identity-agent",
    level=Level.WARNING,
    title="An association is declared without the agent that serves it",
    why="The add-on eks-pod-identity-agent serves the credentials of the association on each node. EKS Auto Mode has its own agent.",
    fix="Declare the add-on eks-pod-identity-agent too.",
    source=_AGENT,
)
ASSOCIATION_MISMATCH: Final = Rule(
    id="EIR113",
    name="association-mismatch",
    level=Level.ERROR,
    title="The association is not for aws-node of this cluster",
    why="An association works for one ServiceAccount of one cluster. aws-node gets nothing from this one.",
    fix="Use namespace kube-system, ServiceAccount aws-node and the cluster of the add-on.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html",
    example="podIdentityAssociations:\n  - namespace: kube-system\n    serviceAccountName: vpc-cni # aws-node",
)
SETTINGS_REFUSED: Final = Rule(
    id="EIR114",
    name="settings-refused",
    level=Level.ERROR,
    title="The tool refuses these settings",
    why="eksctl parses strictly: it refuses unknown keys, and more than one way to give the role. Nothing is applied.",
    fix="Use the keys of the tool's schema, and one way to give the role.",
    source="https://docs.aws.amazon.com/eks/latest/eksctl/schema.html",
    example="addons:\n  - name: vpc-cni\n    serviceAccountRoleArn: arn:... # serviceAccountRoleARN",
)
DUPLICATE_KEY: Final = Rule(
    id="EIR115",
    name="duplicate-key",
    level=Level.ERROR,
    title="A key is written twice",
    why="Strict parsers refuse the file; others keep the last value, so one of the two settings is lost without a message.",
    fix="Delete one of the two keys.",
    source="https://yaml.org/spec/1.2.2/#3213-node-comparison",
)

# --- creation, update and deletion of the add-on

OVERWRITE: Final = Rule(
    id="EIR201",
    name="overwrite",
    level=Level.WARNING,
    title="Conflicts are resolved with OVERWRITE",
    why="EKS resets every field that differs from its own value, including those of aws-node that were set manually.",
    fix="Use PRESERVE for updates.",
    source=_UPDATE,
)
RESOLVE_CONFLICTS: Final = Rule(
    id="EIR202",
    name="resolve-conflicts-deprecated",
    level=Level.WARNING,
    title="resolve_conflicts is deprecated",
    why="It cannot say PRESERVE for updates alone, and version 6 of the provider refuses it.",
    fix="Use resolve_conflicts_on_create and resolve_conflicts_on_update.",
    source="https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_addon",
)
AFTER_COMPUTE: Final = Rule(
    id="EIR203",
    name="after-compute",
    level=Level.WARNING,
    title="Nodes may join before the vpc-cni add-on exists",
    why="They start with the default aws-node without the role, or with no network plug-in until the add-on is created.",
    fix="Create the add-on before the node groups (`before_compute = true` in terraform-aws-modules/eks).",
    source="https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3446",
)
ADDON_REMOVED: Final = Rule(
    id="EIR204",
    name="addon-removed",
    level=Level.ERROR,
    title="The vpc-cni add-on is deleted",
    why="EKS removes aws-node with the add-on. No pod gets an address until a network plug-in is installed again.",
    fix="Set `preserve` in a change before the deletion, or move the resource with a `moved` block.",
    source=_REMOVE,
)
ADDON_RELEASED: Final = Rule(
    id="EIR205",
    name="addon-released",
    level=Level.WARNING,
    title="EKS stops managing aws-node",
    why="aws-node stays as it is, but no add-on record keeps its role from then on.",
    fix="Manage the annotation with the tool that installs aws-node from then on.",
    source=_REMOVE,
)
ADDON_ABSENT: Final = Rule(
    id="EIR206",
    name="addon-absent",
    level=Level.NOTE,
    title="No vpc-cni add-on is declared",
    why="A cluster without the add-on runs the default aws-node, whose role is not declared anywhere.",
    fix="Declare the add-on with its role, unless another file does.",
    source=_ADDON,
)
ADDON_UNKNOWN: Final = Rule(
    id="EIR207",
    name="addon-unknown",
    level=Level.UNKNOWN,
    title="It is not known whether this is the vpc-cni add-on",
    why="The name of the add-on is decided when the file is applied.",
    fix="Write the name of the add-on as text.",
    source=_PLAN,
)
PLAN_INCOMPLETE: Final = Rule(
    id="EIR208",
    name="plan-incomplete",
    level=Level.UNKNOWN,
    title="The plan does not hold all changes",
    why="It ended with errors, or defers some changes. The changes that are missing cannot be checked.",
    fix="Correct the errors of the plan and run it again.",
    source=_PLAN,
)
CLUSTER_DELETED: Final = Rule(
    id="EIR209",
    name="cluster-deleted",
    level=Level.NOTE,
    title="The cluster is deleted with the add-on",
    why="No pod is left that could lose its role.",
    fix="Nothing to do.",
    source=_REMOVE,
)
NO_CNI: Final = Rule(
    id="EIR210",
    name="no-network-plugin",
    level=Level.ERROR,
    title="The cluster is created without a network plug-in",
    why="bootstrap_self_managed_addons = false leaves out the default aws-node, and no other component installs one: nodes stay NotReady.",
    fix="Declare the vpc-cni add-on, or suppress the finding where another tool installs a plug-in.",
    source="https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html",
)
AUTO_MODE: Final = Rule(
    id="EIR211",
    name="auto-mode",
    level=Level.NOTE,
    title="EKS Auto Mode manages the network plug-in",
    why="Auto Mode nodes run the plug-in outside of pods. They need neither the vpc-cni add-on nor a role for aws-node.",
    fix="Nothing to do.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/auto-networking.html",
)

# --- the role itself

ROLE_REMOVED: Final = Rule(
    id="EIR301",
    name="role-removed",
    level=Level.ERROR,
    title="The role of the vpc-cni add-on is deleted or replaced",
    why="Credentials that were issued for the role end with it: running aws-node pods lose their permissions.",
    fix="Move the add-on to the new role first, restart aws-node, and delete the old role in a later change.",
    source=_TRUST,
)
TRUST_WRONG: Final = Rule(
    id="EIR302",
    name="trust-wrong",
    level=Level.ERROR,
    title="The trust policy of the role does not allow aws-node",
    why="The role exists and is named, but STS refuses it to the pods.",
    fix="Allow sts:AssumeRoleWithWebIdentity for system:serviceaccount:kube-system:aws-node from the OIDC provider of the cluster.",
    source=_TRUST,
    example='"oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE:sub": "system:serviceaccount:kube-system:vpc-cni"',
)
TRUST_UNKNOWN: Final = Rule(
    id="EIR303",
    name="trust-unknown",
    level=Level.UNKNOWN,
    title="It is not known whether the trust policy of the role allows aws-node",
    why="The policy depends on values that are decided when the file is applied, and that may be anything.",
    fix="Write the policy with values of this file, or run `irsa-remediator check` after the change.",
    source=_TRUST,
)
TRUST_DEFERRED: Final = Rule(
    id="EIR304",
    name="trust-deferred",
    level=Level.NOTE,
    title="The trust policy is made from resources of this file, and is complete after the change",
    why="It refers to the cluster or its OIDC provider, whose issuer EKS assigns. The parts that are known are right.",
    fix="Run `irsa-remediator check` after the change.",
    source=_TRUST,
)
OIDC_OFF: Final = Rule(
    id="EIR305",
    name="oidc-off",
    level=Level.WARNING,
    title="A role for the ServiceAccount without an OIDC provider",
    why="`eksctl create` ignores the role without iam.withOIDC; `eksctl update addon` sets it, and STS needs the OIDC provider.",
    fix="Set iam.withOIDC.",
    source=_TRUST,
)
POLICY_MISSING: Final = Rule(
    id="EIR306",
    name="policy-missing",
    level=Level.ERROR,
    title="The role of the vpc-cni add-on does not have the CNI policy",
    why="aws-node gets the role and may not call EC2: new nodes stay NotReady, and no pod gets an address on them.",
    fix="Attach AmazonEKS_CNI_Policy, or the IPv6 policy of the EKS user guide, to the role.",
    source=_CNI_ROLE,
)
PROVIDER_REMOVED: Final = Rule(
    id="EIR307",
    name="oidc-provider-removed",
    level=Level.ERROR,
    title="The OIDC provider of the role is deleted, or no longer accepts sts.amazonaws.com",
    why="STS refuses the tokens of aws-node from then on, and running pods lose their credentials when they expire.",
    fix="Keep the provider, with sts.amazonaws.com in its client ids.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html",
)
CALLS_MISSING: Final = Rule(
    id="EIR308",
    name="calls-missing",
    level=Level.ERROR,
    title="The role lacks calls that the new version of the add-on needs",
    why="The new version makes calls that the policies of the role do not allow, and fails at its start or at work.",
    fix="Allow the named calls, or update to a version that does not need them.",
    source="https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEKS_CNI_Policy.html",
)

# --- a running cluster

RECORD_WITHOUT_ROLE: Final = Rule(
    id="EIR401",
    name="record-without-role",
    level=Level.ERROR,
    title="The add-on record does not hold the role",
    why="An update that does not name the role removes it from aws-node, and leaves the record without it.",
    fix="Name the role in the update, or add it to the record first.",
    source=_UPDATE,
)
RECORD_DIFFERS: Final = Rule(
    id="EIR402",
    name="record-differs",
    level=Level.ERROR,
    title="The add-on record holds another role",
    why="The next update of the add-on sets the role of the record on aws-node.",
    fix="Name the right role in the update.",
    source=_UPDATE,
)
CHAIN_BROKEN: Final = Rule(
    id="EIR403",
    name="chain-broken",
    level=Level.ERROR,
    title="The role would not work",
    why="An upgrade replaces pods, and each new pod needs the role to work.",
    fix="Repair the named link before the upgrade.",
    source=_TRUST,
)
CHAIN_DEGRADED: Final = Rule(
    id="EIR404",
    name="chain-degraded",
    level=Level.WARNING,
    title="The identity chain of the cluster is not healthy now",
    why="Faults that exist before an upgrade hide the faults that it causes.",
    fix="Repair the named link before the upgrade.",
    source=_TRUST,
)
CHAIN_UNREADABLE: Final = Rule(
    id="EIR405",
    name="chain-unreadable",
    level=Level.UNKNOWN,
    title="A link of the identity chain could not be read",
    why="A link that cannot be read is not assumed to be right.",
    fix="Use credentials that may read it.",
    source=_TRUST,
)
NO_RECORD: Final = Rule(
    id="EIR406",
    name="no-record",
    level=Level.UNKNOWN,
    title="aws-node is not an EKS add-on in this cluster",
    why="The tool that installs aws-node decides its annotation; EKS has no record of the role.",
    fix="Check the tool that installs aws-node.",
    source=_ADDON,
)
NO_ROLE: Final = Rule(
    id="EIR407",
    name="no-role",
    level=Level.NOTE,
    title="aws-node has no role that can be lost",
    why="It uses the node role, which must keep the CNI policy.",
    fix="Nothing to do.",
    source=_CNI_ROLE,
)
UPDATE_IN_PROGRESS: Final = Rule(
    id="EIR408",
    name="update-in-progress",
    level=Level.UNKNOWN,
    title="An update is in progress",
    why="Its result decides the state that the next update starts from.",
    fix="Run preflight again when the update has ended.",
    source=_UPDATE,
)
KUBERNETES_REFUSED: Final = Rule(
    id="EIR409",
    name="kubernetes-version-refused",
    level=Level.ERROR,
    title="EKS does not upgrade to this Kubernetes version in one step",
    why="UpdateClusterVersion raises the version by one minor version, and is refused with any other.",
    fix="Upgrade one minor version at a time.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html",
)
VERSION_NOT_OFFERED: Final = Rule(
    id="EIR410",
    name="version-not-offered",
    level=Level.ERROR,
    title="EKS does not offer this add-on version for the Kubernetes version",
    why="UpdateAddon is refused with it.",
    fix="Choose one of the versions that EKS offers.",
    source=_VERSIONS,
)
VERSION_OUTGROWN: Final = Rule(
    id="EIR411",
    name="version-outgrown",
    level=Level.WARNING,
    title="The installed add-on version is not offered for the new Kubernetes version",
    why="The add-on has to be updated right after the control plane, and an update that does not name the role loses it.",
    fix="Name the role in the update of the add-on.",
    source=_VERSIONS,
)
VERSIONS_UNREADABLE: Final = Rule(
    id="EIR412",
    name="versions-unreadable",
    level=Level.UNKNOWN,
    title="The versions that EKS offers could not be read",
    why="It is not known whether EKS accepts the update.",
    fix="Use credentials that may call eks:DescribeAddonVersions.",
    source=_VERSIONS,
)
WINDOWS_NODES: Final = Rule(
    id="EIR413",
    name="windows-nodes",
    level=Level.NOTE,
    title="Windows nodes use the node role",
    why="AmazonEKS_CNI_Policy has to stay on their node role.",
    fix="Nothing to do.",
    source="https://github.com/aws/containers-roadmap/issues/766",
)
FILE_DIFFERS: Final = Rule(
    id="EIR414",
    name="file-differs-from-cluster",
    level=Level.WARNING,
    title="The file gives aws-node another role than the running cluster has",
    why="Annotation and record name another role. Applying the file changes the role of aws-node.",
    fix="Use the role of the annotation in the file, or restart aws-node after the change.",
    source=_UPDATE,
)
RELEASE_KNOWN_BAD: Final = Rule(
    id="EIR415",
    name="release-known-bad",
    level=Level.WARNING,
    title="The version to update to is known to fail",
    why="A release fails for a known reason, which the message names.",
    fix="Update to the release that fixes it, or meet the condition that the message names.",
    source="https://github.com/aws/amazon-vpc-cni-k8s/issues/3705",
)

# --- the use of preflight

SUPPRESSION_FAULT: Final = Rule(
    id="EIR501",
    name="suppression-fault",
    level=Level.WARNING,
    title="A suppression has no effect",
    why="A comment that names no rule, or gives no reason, suppresses nothing.",
    fix="Write `# irsa-preflight: ignore EIR101 -- reason`.",
    source=f"https://github.com/{PROJECT}/{PROJECT}/blob/main/docs/preflight.md",
)

RULES: Final = tuple(rule for rule in list(globals().values()) if isinstance(rule, Rule))


def rule_named(text: str) -> Rule | None:
    """Return the rule with this id or name, in any case."""
    return next((rule for rule in RULES if text.lower() in (rule.id.lower(), rule.name)), None)
