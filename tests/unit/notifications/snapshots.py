"""Snapshots of a healthy cluster, built from parts, and variants with waiting or lost nodes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.contract import guard
from lambdas.contract.admission import with_defaults
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.contract.settings import Settings
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    AgentFacts,
    Association,
    Binding,
    ClusterFacts,
    FieldWriter,
    InstalledPolicy,
    Missing,
    NodeFacts,
    NodeRepair,
    OidcProvider,
    PluginError,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    VersionAdvice,
    WorkloadFacts,
)

NOW: Final = datetime(2026, 11, 2, 2, 14, 41, tzinfo=UTC)
ACCOUNT: Final = "111122223333"
REGION: Final = "eu-west-1"
ISSUER: Final = "oidc.eks.eu-west-1.amazonaws.com/id/77D0"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/prod-blue-vpc-cni"
CNI: Final = ServiceAccountRef("prod-blue", "kube-system", "aws-node")
EBS: Final = ServiceAccountRef("prod-blue", "kube-system", "ebs-csi-controller-sa")
BALANCER: Final = ServiceAccountRef("prod-blue", "kube-system", "aws-load-balancer-controller")
SHOP: Final = ServiceAccountRef("prod-blue", "shop", "uploader")

INCIDENT_ID: Final = "7f3a9c21-5b0e-4d7e-9a53-2f1f0c8d4e60"
CI: Final = Actor(
    who=f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-deploy/build-1698",
    what="UpdateAddon without a role",
    agent="APN/1.0 HashiCorp/1.0 Terraform/1.9.5 terraform-provider-aws/5.70.0",
    at=NOW - timedelta(seconds=20),
)


def incident(target: ServiceAccountRef = CNI) -> Incident:
    """An incident that was opened twenty seconds before `NOW`."""
    return Incident(id=INCIDENT_ID, target=target, opened_at=NOW - timedelta(seconds=20), signals=3, request={"trigger": "api-call"})


def trust(issuer: str = ISSUER, subject: str = CNI.subject) -> dict[str, Any]:
    """A trust policy that allows one subject of one issuer."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}},
            }
        ],
    }


def pods(
    count: int,
    role: str | None,
    *,
    created_at: datetime = NOW - timedelta(days=9),
    unready: int = 0,
    container_credentials: bool = False,
    **more: Any,
) -> tuple[PodFacts, ...]:
    """Pods, each on its own node; the last `unready` of them are not ready."""
    return tuple(
        PodFacts(
            name=f"aws-node-{i:02}",
            uid=f"uid-{i}",
            node=f"ip-10-0-0-{i}.eu-west-1.compute.internal",
            created_at=created_at,
            role_arn=role,
            container_credentials=container_credentials,
            ready=i < count - unready,
            owner=("DaemonSet", "aws-node"),
            **more,
        )
        for i in range(count)
    )


CNI_MESSAGE: Final = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"
)


def nodes(count: int, *, unready: int = 0, message: str = CNI_MESSAGE, **more: Any) -> tuple[NodeFacts, ...]:
    """Nodes of one node group; the last `unready` of them have been NotReady for four minutes."""
    return tuple(
        NodeFacts(
            name=f"ip-10-0-0-{i}.eu-west-1.compute.internal",
            ready=i < count - unready,
            reason="KubeletReady" if i < count - unready else "KubeletNotReady",
            message="" if i < count - unready else message,
            since=NOW - timedelta(days=9) if i < count - unready else NOW - timedelta(minutes=4),
            created_at=NOW - timedelta(days=9),
            nodegroup="workers",
            **(more if i >= count - unready else {}),
        )
        for i in range(count)
    )


def service_account(
    role: str | None = ROLE, *, key: str = ROLE_ANNOTATION, manager: str = "eks", at: datetime | None = None
) -> ServiceAccountFacts:
    """A ServiceAccount with one writer."""
    written_at = at or NOW - timedelta(days=10)
    return ServiceAccountFacts(
        resource_version="4711",
        role_annotations={} if role is None else {key: role},
        writers=(FieldWriter(manager=manager, at=written_at, owns_annotation=role is not None),),
    )


def installed_policy(kind: PolicyKind, role: str, target: ServiceAccountRef = CNI) -> InstalledPolicy:
    """The guard or warning of a ServiceAccount as `guard apply` installs it for a binding of this role."""
    path = binding_path(target.cluster, target.namespace, target.name)
    policy, binding = guard.manifests(kind, target.namespace, target.name, role, path)
    return InstalledPolicy(
        kind=kind, is_ours=True, role_arn=role, spec=with_defaults(policy["spec"]), binding_spec=with_defaults(binding["spec"])
    )


def healthy_snapshot(target: ServiceAccountRef = CNI, role: str = ROLE) -> Snapshot:
    """A healthy cluster with 15 pods on 15 nodes."""
    return Snapshot(
        target=target,
        began_at=NOW,
        account=ACCOUNT,
        region=REGION,
        partition="aws",
        binding=Binding(path=binding_path(target.cluster, target.namespace, target.name), role_arn=role, version=3),
        settings=Settings(),
        invalid_settings={},
        cluster=ClusterFacts(
            name="prod-blue",
            arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/prod-blue",
            version="1.33",
            status="ACTIVE",
            endpoint="https://77D0.gr7.eu-west-1.eks.amazonaws.com",
            certificate_authority="",
            issuer=f"https://{ISSUER}",
            created_at=NOW - timedelta(days=400),
        ),
        addon_name="vpc-cni",
        addon=AddonFacts(
            name="vpc-cni", version="v1.20.1-eksbuild.1", status="ACTIVE", role_arn=ROLE, modified_at=NOW - timedelta(seconds=20)
        ),
        associations=(),
        agent=NOT_READ,
        role=RoleFacts(arn=role, trust=trust(subject=target.subject)),
        oidc_provider=OidcProvider(arn=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}", client_ids=("sts.amazonaws.com",)),
        simulated=Unknown("iam:SimulatePrincipalPolicy was not granted at deployment"),
        service_account=service_account(),
        workload=WorkloadFacts(
            kind=WorkloadKind.DAEMON_SET, name="aws-node", desired=15, updated=15, max_unavailable=2, generation=1, observed_generation=1
        ),
        pods=pods(15, ROLE),
        nodes=nodes(15),
        permission_errors=(),
        versions=VersionAdvice(default="v1.20.3-eksbuild.1"),
    )


def refusals(*names: str, call: str = "ec2:DescribeNetworkInterfaces") -> tuple[PluginError, ...]:
    """Permission errors that these pods reported."""
    return tuple(PluginError(call=call, pod=name, at=NOW - timedelta(seconds=5)) for name in names)


def with_waiting_nodes(snapshot: Snapshot, unready: int = 3) -> Snapshot:
    """The same snapshot with new nodes that wait for the CNI."""
    created_at = NOW - timedelta(minutes=3)
    return replace(
        snapshot,
        pods=pods(15, None, created_at=created_at, unready=unready),
        nodes=nodes(15, unready=unready),
        permission_errors=refusals("aws-node-13", "aws-node-14"),
        node_repair=NodeRepair(nodegroups=("workers",)),
    )


POD_IDENTITY_TRUST: Final[dict[str, Any]] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
}

TRUST_OF_BOTH: Final[dict[str, Any]] = {**POD_IDENTITY_TRUST, "Statement": [*POD_IDENTITY_TRUST["Statement"], *trust()["Statement"]]}
"""Of EKS Pod Identity and of the OIDC provider, as during a migration."""

NO_AGENT: Final = AgentFacts(addon=Missing("add-on eks-pod-identity-agent"), pods=())


def agent(*, unready: int = 0, absent: int = 0, created_at: datetime = NOW - timedelta(days=9)) -> AgentFacts:
    """The Pod Identity agent on the nodes of `pods`: not on the last `absent`, and not ready on the `unready` before them."""
    found = tuple(
        replace(pod, name=f"eks-pod-identity-agent-{i:02}", uid=f"agent-{i}", owner=("DaemonSet", "eks-pod-identity-agent"))
        for i, pod in enumerate(pods(15 - absent, None, created_at=created_at, unready=unready))
    )
    addon = AddonFacts(name="eks-pod-identity-agent", version="v1.3.10-eksbuild.1", status="ACTIVE", role_arn=None)
    return AgentFacts(addon=addon, pods=found)


def with_pod_identity(snapshot: Snapshot, *, bare: int = 0) -> Snapshot:
    """The same snapshot with an association instead of the annotation; the last `bare` pods have no credentials."""
    assert isinstance(snapshot.pods, tuple)
    credentialed = len(snapshot.pods) - bare
    return replace(
        snapshot,
        associations=(Association(id="a-1", role_arn=ROLE),),
        agent=agent(),
        role=RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST),
        service_account=service_account(None),
        pods=tuple(replace(pod, role_arn=None, container_credentials=i < credentialed) for i, pod in enumerate(snapshot.pods)),
    )


def with_lost_nodes(snapshot: Snapshot, *numbers: int) -> Snapshot:
    """The same snapshot with some nodes, by number, lost for an hour and their pods not ready."""
    assert isinstance(snapshot.nodes, tuple)
    assert isinstance(snapshot.pods, tuple)
    lost = {node.name for number, node in enumerate(snapshot.nodes) if number in numbers}
    condition = {"reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status.", "since": NOW - timedelta(hours=1)}
    return replace(
        snapshot,
        nodes=tuple(replace(node, ready=None, **condition) if node.name in lost else node for node in snapshot.nodes),
        pods=tuple(replace(pod, ready=False) if pod.node in lost else pod for pod in snapshot.pods),
    )
