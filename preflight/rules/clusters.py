"""Rules about a living cluster: what its record, its identity chain and the versions that EKS offers mean for an upgrade."""

from typing import Final

from preflight.rules.rule import Level, Rule

_ADDON: Final = "https://docs.aws.amazon.com/eks/latest/userguide/vpc-add-on-update.html"
_UPDATE: Final = "https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html"
_TRUST: Final = "https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html"

RECORD_WITHOUT_ROLE: Final = Rule(
    id="record-without-role",
    level=Level.ERROR,
    title="The add-on record does not hold the role",
    why="An update that does not name the role takes it off aws-node, and leaves it off the record.",
    source=_UPDATE,
)
RECORD_DIFFERS: Final = Rule(
    id="record-differs",
    level=Level.ERROR,
    title="The add-on record holds another role",
    why="The next update of the add-on puts the record's role on aws-node.",
    source=_UPDATE,
)
CHAIN_BROKEN: Final = Rule(
    id="chain-broken",
    level=Level.ERROR,
    title="The role would not work",
    why="An upgrade replaces pods, and each new pod needs the role to work.",
    source=_TRUST,
)
CHAIN_DEGRADED: Final = Rule(
    id="chain-unwell",
    level=Level.WARNING,
    title="The cluster's identity chain is not sound now",
    why="Repair it before an upgrade, so that what the upgrade does can be told apart from what was broken before.",
    source=_TRUST,
)
CHAIN_UNREADABLE: Final = Rule(
    id="chain-unread",
    level=Level.UNKNOWN,
    title="A link of the identity chain could not be read",
    why="What cannot be read is not assumed to be right.",
    source=_TRUST,
)
NO_RECORD: Final = Rule(
    id="no-record",
    level=Level.UNKNOWN,
    title="aws-node is not an EKS add-on in this cluster",
    why="Whoever installs aws-node decides its annotation; EKS has no record of the role.",
    source=_ADDON,
)
NO_ROLE: Final = Rule(
    id="no-role",
    level=Level.NOTE,
    title="aws-node has no role of its own, so none can be lost",
    why="It runs on the node role, which must keep the CNI policy.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
)
UPDATE_IN_PROGRESS: Final = Rule(
    id="update-in-progress",
    level=Level.UNKNOWN,
    title="An update is running already",
    why="Its end decides what the next update meets.",
    source=_UPDATE,
)
KUBERNETES_REFUSED: Final = Rule(
    id="kubernetes-version-refused",
    level=Level.ERROR,
    title="EKS does not upgrade to this Kubernetes version in one step",
    why="UpdateClusterVersion goes up one minor version at a time, and is refused with any other.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html",
)
VERSION_NOT_OFFERED: Final = Rule(
    id="version-not-offered",
    level=Level.ERROR,
    title="EKS does not offer this add-on version for the Kubernetes version",
    why="UpdateAddon is refused with it.",
    source="https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html",
)
VERSION_OUTGROWN: Final = Rule(
    id="version-outgrown",
    level=Level.WARNING,
    title="The installed add-on version is not offered for the new Kubernetes version",
    why="The add-on has to be updated right after the control plane: the moment at which the role is lost if it is not named.",
    source="https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html",
)
VERSIONS_UNREADABLE: Final = Rule(
    id="versions-unread",
    level=Level.UNKNOWN,
    title="The versions that EKS offers could not be read",
    why="Whether the update would be accepted cannot be told.",
    source="https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html",
)
WINDOWS_NODES: Final = Rule(
    id="windows-nodes",
    level=Level.NOTE,
    title="Windows nodes use the node role",
    why="AmazonEKS_CNI_Policy has to stay on their node role.",
    source="https://github.com/aws/containers-roadmap/issues/766",
)
