"""Actions: the closed union of all writes. Each is plain data that a checkpoint stores as JSON, with a text for before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, get_args

from lambdas.contract.parameters import Mechanism
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.snapshot import AssociationSettings


@dataclass(frozen=True, kw_only=True)
class AnnotateServiceAccount:
    """Set the role annotation on the ServiceAccount at the resource version that was read. `old_value` is the annotation before."""

    role_arn: str
    old_value: str | None
    resource_version: str

    kind: ClassVar[str] = "annotate-service-account"
    done: ClassVar[str] = "annotation set"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "set the annotation"


@dataclass(frozen=True, kw_only=True)
class ReplaceCanaryPod:
    """Delete one stale pod and verify that its successor has the role, before other pods are replaced.

    `node` identifies the successor of a DaemonSet's pod. For other kinds it is empty, and any pod that is not older than `newest` (ISO
    time)
    is the successor, except `as_new`: UIDs of pods created in that second, because Kubernetes stores whole seconds. With `refuses_irsa`,
    a pod that has the role by web identity is stale as well.
    """

    pod: str
    uid: str
    node: str
    newest: str
    role_arn: str
    as_new: tuple[str, ...] = ()
    mechanism: Mechanism = Mechanism.IRSA
    refuses_irsa: bool = False

    kind: ClassVar[str] = "replace-canary-pod"
    done: ClassVar[str] = "one pod replaced first"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "replace one pod and check it"


@dataclass(frozen=True, kw_only=True)
class RestartWorkload:
    """Restart every pod, as `kubectl rollout restart` does.

    The time is fixed in the action, so that repeating it restarts nothing twice. It is finer than kubectl's whole seconds, so that a
    restart
    by a person in the same second has another value. `role_arn` and `count` (remaining pods) describe the replacement in batches that is
    used
    where the restart is refused; an action that was stored before these fields existed has none.
    """

    workload: WorkloadKind
    name: str
    restarted_at: str
    at_a_time: int
    role_arn: str = ""
    count: int = 0
    mechanism: Mechanism = Mechanism.IRSA
    refuses_irsa: bool = False

    kind: ClassVar[str] = "restart-workload"
    done: ClassVar[str] = "all pods restarted"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return f"restart {self.name} ({self.at_a_time} at a time)"


@dataclass(frozen=True, kw_only=True)
class ReplaceStalePods:
    """Delete stale pods in batches of at most `at_a_time`, each after the batch before is ready again. `count` counts the stale pods."""

    at_a_time: int
    count: int
    role_arn: str
    mechanism: Mechanism = Mechanism.IRSA
    refuses_irsa: bool = False

    kind: ClassVar[str] = "replace-stale-pods"
    done: ClassVar[str] = "stale pods replaced"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return f"replace {pluralize(self.count, 'stale pod')} ({self.at_a_time} at a time)"


def without_restart(action: RestartWorkload) -> ReplaceStalePods | None:
    """The replacement in batches with the effect of a refused restart; None for an action that an older version stored."""
    if not action.role_arn:
        return None
    return ReplaceStalePods(
        at_a_time=action.at_a_time,
        count=action.count,
        role_arn=action.role_arn,
        mechanism=action.mechanism,
        refuses_irsa=action.refuses_irsa,
    )


@dataclass(frozen=True, kw_only=True)
class UpdateAddonRole:
    """Write the role into the add-on record that was read with `old_role_arn`. Only this repair survives a new ServiceAccount.

    `token` makes repeated calls one update.
    """

    addon: str
    role_arn: str
    old_role_arn: str | None
    token: str

    kind: ClassVar[str] = "update-addon-role"
    done: ClassVar[str] = "role put into the add-on record"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "put the role into the add-on record"


@dataclass(frozen=True, kw_only=True)
class RestoreAnnotation:
    """Restore the annotation from before the repair, once, after pods became worse."""

    value: str | None
    ours: str

    kind: ClassVar[str] = "restore-annotation"
    done: ClassVar[str] = "annotation put back as it was"

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "put the annotation back as it was"


@dataclass(frozen=True, kw_only=True)
class CreateAssociation:
    """Create the pod identity association of the ServiceAccount, which has none. `token` makes repeated calls one association."""

    role_arn: str
    target_role_arn: str | None
    session_tags: bool
    policy: str
    token: str

    kind: ClassVar[str] = "create-association"
    done: ClassVar[str] = "pod identity association created"

    @property
    def wanted(self) -> AssociationSettings:
        """What the association has to give."""
        return _settings(self.role_arn, self.target_role_arn, session_tags=self.session_tags, policy=self.policy)

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "create the pod identity association"


@dataclass(frozen=True, kw_only=True)
class UpdateAssociation:
    """Change what an association gives, which was read with the old values.

    `addon` owns it; then its record is updated, and EKS restarts the pods of the add-on. `token` makes repeated calls one update. A
    rollback gives it once what it gave before, after pods became worse.
    """

    association_id: str
    addon: str
    role_arn: str
    target_role_arn: str | None
    session_tags: bool
    policy: str
    old_role_arn: str
    old_target_role_arn: str | None
    old_session_tags: bool
    old_policy: str
    token: str
    is_rollback: bool = False

    kind: ClassVar[str] = "update-association"
    done: ClassVar[str] = "pod identity association changed"

    @property
    def wanted(self) -> AssociationSettings:
        """What the association has to give."""
        return _settings(self.role_arn, self.target_role_arn, session_tags=self.session_tags, policy=self.policy)

    @property
    def old(self) -> AssociationSettings:
        """What the association gave when the plan was made."""
        return _settings(self.old_role_arn, self.old_target_role_arn, session_tags=self.old_session_tags, policy=self.old_policy)

    @property
    def sentence(self) -> str:
        """The effect, as text."""
        return "change the pod identity association" + (f" through the add-on {self.addon}" if self.addon else "")

    @property
    def rollback(self) -> "UpdateAssociation":
        """The action that gives the association what it gave before this one."""
        return UpdateAssociation(
            association_id=self.association_id,
            addon=self.addon,
            role_arn=self.old_role_arn,
            target_role_arn=self.old_target_role_arn,
            session_tags=self.old_session_tags,
            policy=self.old_policy,
            old_role_arn=self.role_arn,
            old_target_role_arn=self.target_role_arn,
            old_session_tags=self.session_tags,
            old_policy=self.policy,
            token=f"{self.token}-rollback",
            is_rollback=True,
        )


def _settings(role_arn: str, target_role_arn: str | None, *, session_tags: bool, policy: str) -> AssociationSettings:
    return AssociationSettings(role_arn=role_arn, target_role_arn=target_role_arn, has_session_tags=session_tags, policy=policy)


Action = (
    AnnotateServiceAccount
    | ReplaceCanaryPod
    | RestartWorkload
    | ReplaceStalePods
    | UpdateAddonRole
    | RestoreAnnotation
    | CreateAssociation
    | UpdateAssociation
)

_KINDS: Final[Mapping[str, type[Action]]] = {action.kind: action for action in get_args(Action)}

DONE: Final[Mapping[str, str]] = {kind: action.done for kind, action in _KINDS.items()}
"""Action kind -> text of the completed action."""


def to_json(action: Action) -> dict[str, Any]:
    """The action as a JSON object with its kind."""
    return {"kind": action.kind, **vars(action)}
