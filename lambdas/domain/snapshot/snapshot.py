"""The snapshot: everything that was read about one ServiceAccount and its identity at one time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.parameters import Mechanism, ServiceAccountRef
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.contract.settings import Settings
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Denial
from lambdas.domain.requests.request import Actor, Refusal
from lambdas.domain.snapshot.simulation import Simulation


@dataclass(frozen=True)
class Unknown:
    """A part that could not be read, with the reason. `denial` is set where access was refused."""

    reason: str
    denial: Denial | None = None


@dataclass(frozen=True)
class Missing:
    """A part that does not exist. `other` identifies what was found in its place, such as the ARN of a role with the same name."""

    what: str
    other: str = ""


@dataclass(frozen=True)
class NotRead:
    """A part that did not need to be read."""


NOT_READ: Final = NotRead()


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A role ARN from Parameter Store with its placeholders replaced. `version` is the parameter's; `changed_at` is aware UTC.

    Without `mechanism`, the one in force is kept. `target_role_arn` is the role that a pod identity association chains to. Without
    `session_tags` and `policy` (canonical JSON), those of the association are kept.
    """

    path: str
    role_arn: str
    version: int = 1
    changed_at: datetime | None = None
    mechanism: Mechanism | None = None
    target_role_arn: str | None = None
    session_tags: bool | None = None
    policy: str = ""


@dataclass(frozen=True, kw_only=True)
class InvalidBinding:
    """A binding whose value is not a role of this account's partition. `reason` says why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """The description of a cluster by EKS. `issuer` is the OIDC issuer URL, `ip_family` is `ipv4` or `ipv6`.

    `public_from` are the address ranges that may reach the endpoint from outside the VPC; empty where it is private. `auto_mode` says
    that
    EKS runs nodes itself; other nodes may exist as well.
    """

    name: str
    arn: str
    version: str
    status: str
    endpoint: str
    certificate_authority: str
    issuer: str | None
    created_at: datetime
    authentication_mode: str = "API"
    ip_family: str = "ipv4"
    public_from: tuple[str, ...] = ("0.0.0.0/0",)
    auto_mode: bool = False

    @property
    def has_api_server(self) -> bool:
        """Whether the cluster has an API server: one that is being created or deleted has no endpoint.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html (status)
        """
        return self.status in ("ACTIVE", "UPDATING")

    @property
    def public_to_all(self) -> bool:
        """Whether the endpoint accepts connections from any address."""
        return any(item.endswith("/0") for item in self.public_from)

    @property
    def provider_arn(self) -> str | None:
        """ARN of the OIDC provider for the cluster's issuer, in the cluster's account; None where EKS returns no issuer.

        The issuer is not derived from the region, because its host has two spellings.
        Source: https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3428
        """
        _, partition, _, _, account, _ = self.arn.split(":", 5)
        return f"arn:{partition}:iam::{account}:oidc-provider/{self.issuer.removeprefix('https://')}" if self.issuer else None


@dataclass(frozen=True, kw_only=True)
class HealthIssue:
    """One entry of an add-on's `health.issues`."""

    code: str
    message: str
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AddonFacts:
    """The EKS add-on record. `arn` is empty where it was not read."""

    name: str
    version: str
    status: str
    role_arn: str | None
    modified_at: datetime | None = None
    issues: tuple[HealthIssue, ...] = ()
    arn: str = ""


@dataclass(frozen=True, kw_only=True)
class AssociationSettings:
    """What an association gives to pods: a role, the role to chain to, session tags, and a session policy as JSON; empty for none.

    EKS takes a session policy only without session tags.
    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html (policy)
    """

    role_arn: str
    target_role_arn: str | None = None
    has_session_tags: bool = True
    policy: str = ""


@dataclass(frozen=True, kw_only=True)
class Association:
    """A Pod Identity association of this ServiceAccount.

    `owner` is the ARN of the add-on that owns it; empty where a person or a program made it directly. `declared_by` is that program, if
    its tags name one. Pods get the credentials of `target_role_arn` where it is set: EKS assumes it with the credentials of `role_arn`.
    A session policy (`policy`, JSON) restricts the credentials further.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html
    """

    id: str
    role_arn: str
    arn: str = ""
    owner: str = ""
    target_role_arn: str | None = None
    has_session_tags: bool = True
    policy: str = ""
    modified_at: datetime | None = None
    declared_by: str = ""

    @property
    def effective_role(self) -> str:
        """The role whose permissions the pods have."""
        return self.target_role_arn or self.role_arn

    @property
    def settings(self) -> AssociationSettings:
        """What it gives to pods."""
        return AssociationSettings(
            role_arn=self.role_arn, target_role_arn=self.target_role_arn, has_session_tags=self.has_session_tags, policy=self.policy
        )

    @property
    def owner_addon(self) -> str:
        """The name of the add-on that owns it, from `addon/<cluster>/<name>/<id>`; empty where none does."""
        parts = self.owner.split("/")
        return parts[2] if len(parts) > 2 else ""  # noqa: PLR2004


@dataclass(frozen=True, kw_only=True)
class RoleFacts:
    """An IAM role and its trust policy document (JSON)."""

    arn: str
    trust: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OidcProvider:
    """An IAM OIDC provider."""

    arn: str
    client_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FieldWriter:
    """An entry of `metadata.managedFields` that owns a role annotation or was the last to write the object."""

    manager: str
    at: datetime | None
    owns_annotation: bool


@dataclass(frozen=True, kw_only=True)
class ServiceAccountFacts:
    """A ServiceAccount. `role_annotations` holds the role annotation and misspelt variants: `key -> value`.

    `audience` is the token audience that the ServiceAccount sets; None for the default. `left_out_by` is the user whose request the guard
    completed last with the role; empty where it completed none.
    """

    resource_version: str
    role_annotations: Mapping[str, str]
    audience: str | None = None
    writers: tuple[FieldWriter, ...] = ()
    left_out_by: str = ""


@dataclass(frozen=True, kw_only=True)
class InstalledPolicy:
    """A guard or warning that is installed for a ServiceAccount.

    `role_arn` is the role that it declares. `spec` and `binding_spec` are those of the policy and of the object that puts it in force, as
    the API server returned them; None where that object does not exist. `is_ours` is False where another owner made one of them.
    """

    kind: PolicyKind
    is_ours: bool
    role_arn: str
    spec: Mapping[str, Any] | None
    binding_spec: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class ContainerFacts:
    """A container of a pod template. `environment` holds only the variables that decide which AWS calls the container makes."""

    name: str
    image: str
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class WorkloadFacts:
    """A DaemonSet, Deployment or StatefulSet. Counts are pods; `max_unavailable` is resolved to a count, at least 1.

    `service_account` is `serviceAccountName` of the pod template, empty where it was not read. `template_role_arn` is the `AWS_ROLE_ARN`
    that the pod template itself sets; the identity webhook keeps it. `ready` pods may be of any template; None where they were not read.
    """

    kind: WorkloadKind
    name: str
    desired: int
    updated: int
    max_unavailable: int
    generation: int
    observed_generation: int
    restarted_at: str | None = None
    on_delete: bool = False
    containers: tuple[ContainerFacts, ...] = ()
    service_account: str = ""
    template_role_arn: str | None = None
    ready: int | None = None

    @property
    def missing(self) -> int | None:
        """How many steps of a rollout are left, of which each pod has two: it is made, and gets ready. None where the ready ones were not
        read. Both count, since many pods may be made before the first one is ready.
        """
        if self.ready is None:
            return None
        updated = self.updated if self.observed_generation >= self.generation else 0
        return max(self.desired - updated, 0) + max(self.desired - self.ready, 0)

    @property
    def is_rolled_out(self) -> bool:
        """Whether the controller has updated every pod to the current template. With `OnDelete` it updates none."""
        return self.observed_generation >= self.generation and (self.on_delete or self.updated >= self.desired)


@dataclass(frozen=True, kw_only=True)
class PodFacts:
    """The identity that one pod was admitted with, and its state.

    `role_arn` is `AWS_ROLE_ARN` of its containers, and `has_token_file` is whether `AWS_WEB_IDENTITY_TOKEN_FILE` is set, too: an SDK
    needs both. `container_credentials` is whether both variables of the Pod Identity agent are set, and `has_static_keys` whether
    access keys are. `owner` is the `(kind, name)` of its controller. `has_run` is False where none of its containers has ever run, as
    with an image that cannot be pulled.
    """

    name: str
    uid: str
    node: str
    created_at: datetime
    role_arn: str | None
    container_credentials: bool
    ready: bool
    has_token_file: bool = True
    has_static_keys: bool = False
    owner: tuple[str, str] | None = None
    deleting: bool = False
    waiting: str = ""  # reason of a waiting container, such as ImagePullBackOff
    termination_message: str = ""  # message of the last termination, cut; else its reason and exit code
    failing_container: str = ""  # the container that waits or has terminated; empty where none is named
    has_run: bool = True
    phase: str = ""
    deleting_since: datetime | None = None  # when its grace period ended or ends
    intended_node: str = ""  # the node that a DaemonSet created it for, while it is not scheduled


class ComputeType(StrEnum):
    """A kind of node on which the EKS Pod Identity agent is not a pod of the cluster's usual DaemonSet."""

    AUTO = "auto"
    FARGATE = "fargate"
    HYBRID = "hybrid"
    WINDOWS = "windows"


@dataclass(frozen=True, kw_only=True)
class AgentFacts:
    """The EKS Pod Identity agent: its add-on record, and its pods, which may also come from a chart or a manifest.

    `compute_types` are the nodes of each such kind; read where a pod of the ServiceAccount is on a node without a ready agent pod.
    """

    addon: AddonFacts | Missing | Unknown
    pods: tuple[PodFacts, ...] | Unknown
    compute_types: Mapping[str, ComputeType] | Unknown | NotRead = NOT_READ


@dataclass(frozen=True, kw_only=True)
class NodeFacts:
    """A node. `ready` is None where its kubelet does not report; `since` is the start of that state. `shut_down` is set by the cloud
    provider.

    `compute_type` is the EKS label `auto`, `fargate` or `hybrid`. It is not read for nodes that are Ready.
    """

    name: str
    ready: bool | None
    reason: str
    message: str
    since: datetime | None
    created_at: datetime | None
    pressures: tuple[str, ...] = ()  # types of conditions that are bad; the node may be Ready
    is_monitored: bool = False  # whether the EKS node monitoring agent has set its conditions
    nodegroup: str = ""
    os: str = "linux"
    shut_down: bool = False
    compute_type: str = ""


@dataclass(frozen=True, kw_only=True)
class PluginError:
    """A permission error that the plug-in reported on a pod, with the refused API call."""

    call: str
    pod: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ControllerError:
    """A `FailedCreate` event of the workload's controller: why it could not create a pod."""

    message: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class NodeRepair:
    """Node groups whose nodes EKS replaces when they stay not Ready."""

    nodegroups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VersionAdvice:
    """Add-on versions for the cluster's Kubernetes version: the default and the newest; empty where there is none."""

    default: str
    latest: str = ""


@dataclass(frozen=True, kw_only=True)
class SupportDates:
    """The end of support of a Kubernetes version (aware UTC); None where EKS gives no date."""

    standard_until: datetime | None
    extended_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class OfferedVersion:
    """An add-on version that EKS offers for one Kubernetes version. `default` marks the version that EKS installs."""

    version: str
    default: bool = False


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that was read for one ServiceAccount at one time.

    `began_at` is the start of reading; the snapshot includes everything before it. `known_good_at` is the time of the last healthy
    check.
    `refusals` are calls that AWS refused, of which an event led to this check or reached its incident; `recorded_refusals` were
    looked up in CloudTrail's event history. `has_identity_webhook` tells whether the webhook is registered with the API server.
    `target_role` is the role that the association chains to, and `target_simulated` whether the first role may assume it.
    `guards` are the installed guard and warning; read where nothing else is broken.
    `bound_roles` are ARN patterns of the roles that may be written: empty text where none was configured, `*` where that is not known.
    """

    target: ServiceAccountRef
    began_at: datetime
    account: str
    region: str
    partition: str
    binding: Binding | InvalidBinding | Missing
    settings: Settings
    invalid_settings: Mapping[str, str]
    cluster: ClusterFacts | Missing | Unknown
    addon_name: str | None
    addon: AddonFacts | Missing | Unknown | NotRead
    associations: tuple[Association, ...] | Unknown | NotRead
    agent: AgentFacts | NotRead
    role: RoleFacts | Missing | Unknown | NotRead
    oidc_provider: OidcProvider | Missing | Unknown | NotRead
    simulated: Simulation | Unknown | NotRead
    service_account: ServiceAccountFacts | Missing | Unknown
    workload: WorkloadFacts | Missing | Unknown
    pods: tuple[PodFacts, ...] | Unknown
    target_role: RoleFacts | Missing | Unknown | NotRead = NOT_READ
    target_simulated: Simulation | Unknown | NotRead = NOT_READ
    nodes: tuple[NodeFacts, ...] | Unknown | NotRead = NOT_READ
    permission_errors: tuple[PluginError, ...] | Unknown | NotRead = NOT_READ
    controller_errors: tuple[ControllerError, ...] | Unknown | NotRead = NOT_READ
    node_repair: NodeRepair | Unknown | NotRead = NOT_READ
    versions: VersionAdvice | Unknown | NotRead = NOT_READ
    support: SupportDates | Unknown | NotRead = NOT_READ
    known_good_at: datetime | None = None
    actor: Actor | None = None
    refusals: tuple[Refusal, ...] = ()
    recorded_refusals: tuple[Refusal, ...] | Unknown | NotRead = NOT_READ
    has_identity_webhook: bool | Unknown | NotRead = NOT_READ
    guards: tuple[InstalledPolicy, ...] | Unknown | NotRead = NOT_READ
    bound_roles: tuple[str, ...] = ("*",)

    @property
    def desired_role(self) -> str | None:
        """The role that the ServiceAccount should use: the binding's, else that of the association or the add-on record.

        The latter are only compared: nothing is written without a binding.
        """
        if isinstance(self.binding, Binding):
            return self.binding.role_arn
        if isinstance(self.binding, Missing) and self.association:
            return self.association.role_arn
        if isinstance(self.binding, Missing) and isinstance(self.addon, AddonFacts):
            return self.addon.role_arn
        return None

    @property
    def target_role_arn(self) -> str | None:
        """The role that EKS assumes with the credentials of the desired one: the binding's, else the association's; None for none."""
        if isinstance(self.binding, Binding):
            return self.binding.target_role_arn
        return self.association.target_role_arn if self.association else None

    @property
    def effective_role(self) -> str | None:
        """The role whose permissions the pods should have."""
        return self.target_role_arn or self.desired_role

    @property
    def association(self) -> Association | None:
        """The Pod Identity association, which decides the role where it exists; a ServiceAccount has at most one.

        Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
        """
        return self.associations[0] if isinstance(self.associations, tuple) and self.associations else None
