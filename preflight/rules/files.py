"""Rules about what is declared: the add-on's role, how and when it is updated, and the role itself."""

from typing import Final

from preflight.rules.rule import Level, Rule

_ADDON: Final = "https://docs.aws.amazon.com/eks/latest/userguide/vpc-add-on-update.html"
_ADDON_IAM: Final = "https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html"
_UPDATE: Final = "https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html"
_TRUST: Final = "https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html"
_TERRAFORM: Final = "https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_addon"
_PLAN: Final = "https://developer.hashicorp.com/terraform/internals/json-format"
_EKSCTL: Final = "https://docs.aws.amazon.com/eks/latest/eksctl/addons.html"

# --- the add-on's role

ROLE_MISSING: Final = Rule(
    id="role-missing",
    level=Level.ERROR,
    title="The vpc-cni add-on is given no role",
    why="Without a role of its own the add-on runs on the node role. Where that lacks the CNI policy, new nodes stay NotReady.",
    source=_UPDATE,
)
ROLE_DROPPED: Final = Rule(
    id="role-dropped",
    level=Level.ERROR,
    title="The vpc-cni add-on loses the role that it has",
    why="An update without the role takes the annotation off aws-node, or is refused by EKS because the role's ARN is empty.",
    source="https://github.com/hashicorp/terraform-provider-aws/issues/30645",
)
ROLE_ABSENT: Final = Rule(
    id="role-absent",
    level=Level.WARNING,
    title="The vpc-cni add-on has no role, and nothing here gives it one",
    why="Nothing is taken away now; the next update of the add-on removes an annotation that was set by hand.",
    source=_UPDATE,
)
ROLE_CHANGED: Final = Rule(
    id="role-changed",
    level=Level.WARNING,
    title="The vpc-cni add-on gets another role",
    why="Pods keep the role they were admitted with until they are replaced, so the old role must stay until aws-node is restarted.",
    source="https://github.com/aws/amazon-vpc-cni-k8s/issues/1338",
)
ROLE_UNKNOWN: Final = Rule(
    id="role-unknown",
    level=Level.UNKNOWN,
    title="Whether the vpc-cni add-on gets a role is not known yet",
    why="The value is decided while it is applied; nothing here proves that it will not be empty.",
    source=_PLAN,
)
ROLE_IMPLIED: Final = Rule(
    id="role-implied",
    level=Level.WARNING,
    title="The vpc-cni add-on's role is left to eksctl",
    why="eksctl makes a role when it creates the add-on; on an update it only repeats what the record holds, so a lost role stays lost.",
    source=_EKSCTL,
)
POD_IDENTITY: Final = Rule(
    id="pod-identity",
    level=Level.NOTE,
    title="A pod identity association decides the role",
    why="Where an association exists and its agent runs, EKS uses its role and ignores the one for the ServiceAccount.",
    source=_ADDON_IAM,
)
AGENT_MISSING: Final = Rule(
    id="pod-identity-agent",
    level=Level.WARNING,
    title="An association is declared without the agent that serves it",
    why="The association's credentials come from the eks-pod-identity-agent add-on on the node; EKS Auto Mode brings its own.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html",
)
SETTINGS_REFUSED: Final = Rule(
    id="settings-refused",
    level=Level.ERROR,
    title="eksctl refuses these settings for the vpc-cni add-on",
    why="At most one way to give the role may be used, and none of them beside pod identity associations.",
    source=_EKSCTL,
)

# --- how it is updated, and when

OVERWRITE: Final = Rule(
    id="overwrite",
    level=Level.WARNING,
    title="Conflicts are resolved with OVERWRITE",
    why="Every field that differs from EKS' own value is put back, what was set by hand on aws-node included. PRESERVE keeps it.",
    source=_UPDATE,
)
RESOLVE_CONFLICTS: Final = Rule(
    id="resolve-conflicts-deprecated",
    level=Level.WARNING,
    title="resolve_conflicts is deprecated",
    why="It cannot say PRESERVE for updates alone, and later versions of the provider refuse it.",
    source=_TERRAFORM,
)
AFTER_COMPUTE: Final = Rule(
    id="after-compute",
    level=Level.WARNING,
    title="Nodes may join before the vpc-cni add-on is there",
    why="They meet the default aws-node without the role, or no plug-in at all: cni plugin not initialized until the add-on is made.",
    source="https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3446",
)
ADDON_REMOVED: Final = Rule(
    id="addon-removed",
    level=Level.ERROR,
    title="The vpc-cni add-on is deleted",
    why="EKS removes aws-node from the cluster with it: until a plug-in is installed again no pod gets an address.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/removing-an-add-on.html",
)
ADDON_RELEASED: Final = Rule(
    id="addon-released",
    level=Level.WARNING,
    title="The vpc-cni add-on is released from EKS' care",
    why="aws-node stays as it is, but no record keeps its role from then on.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/removing-an-add-on.html",
)
ADDON_ABSENT: Final = Rule(
    id="addon-absent",
    level=Level.NOTE,
    title="No vpc-cni add-on is declared",
    why="A cluster without the add-on runs the default aws-node, whose role nothing declares.",
    source=_ADDON,
)
ADDON_UNKNOWN: Final = Rule(
    id="addon-unknown",
    level=Level.UNKNOWN,
    title="Whether this is the vpc-cni add-on is not known yet",
    why="The add-on's name is decided while it is applied.",
    source=_PLAN,
)
PLAN_INCOMPLETE: Final = Rule(
    id="plan-incomplete",
    level=Level.UNKNOWN,
    title="The plan does not hold all that will be done",
    why="It ended with errors, or defers some of its actions; what it leaves out cannot be judged.",
    source=_PLAN,
)

# --- the role itself

ROLE_REMOVED: Final = Rule(
    id="role-removed",
    level=Level.ERROR,
    title="The role of the vpc-cni add-on is deleted or replaced",
    why="Credentials that were given out for it end with it: aws-node loses its permissions while it runs.",
    source=_TRUST,
)
TRUST_WRONG: Final = Rule(
    id="trust-wrong",
    level=Level.ERROR,
    title="The role's trust policy does not let aws-node in",
    why="The role is there and named, but STS refuses it to the pods: as good as no role.",
    source=_TRUST,
)
TRUST_UNKNOWN: Final = Rule(
    id="trust-unknown",
    level=Level.UNKNOWN,
    title="Whether the role's trust policy lets aws-node in is not known yet",
    why="It hangs on values that are decided while it is applied.",
    source=_TRUST,
)
OIDC_OFF: Final = Rule(
    id="oidc-off",
    level=Level.WARNING,
    title="A role for the ServiceAccount without an OIDC provider",
    why="The role can be assumed only where IAM has a provider for the cluster's issuer; this file does not make one.",
    source=_TRUST,
)
