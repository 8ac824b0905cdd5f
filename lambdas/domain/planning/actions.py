"""Actions: the closed union of what we may do. Each is plain data that survives a checkpoint as JSON, with words for before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, get_args

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.plurals import pluralize


@dataclass(frozen=True, kw_only=True)
class AnnotateServiceAccount:
    """Set the role annotation on the ServiceAccount as it was seen; `old_value` is what stood there."""

    role_arn: str
    old_value: str | None
    resource_version: str

    kind: ClassVar[str] = "annotate-service-account"
    done: ClassVar[str] = "annotation set"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return "set the annotation"


@dataclass(frozen=True, kw_only=True)
class ReplaceCanaryPod:
    """Delete one stale pod and see the role in its successor before the rest follows.

    `node` tells the successor of a DaemonSet's pod. For other kinds it is empty, and any pod no older than `newest` (ISO time) counts but
    those of `as_new`: uids of the pods that were created in that very second, since Kubernetes tells time in whole seconds.
    """

    pod: str
    uid: str
    node: str
    newest: str
    role_arn: str
    as_new: tuple[str, ...] = ()

    kind: ClassVar[str] = "replace-canary-pod"
    done: ClassVar[str] = "one pod replaced first"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return "replace one pod and check it"


@dataclass(frozen=True, kw_only=True)
class RestartWorkload:
    """Restart every pod, as `kubectl rollout restart` does.

    The stamp is fixed here, so that repeating it restarts nothing twice. It is finer than kubectl's whole seconds, since the same stamp
    as of a restart that somebody made in that second would change nothing. `role_arn` and `count` (of the pods that are left) describe the
    replacement in waves that takes over where the restart is refused; an action that was stored before they existed has none.
    """

    workload: WorkloadKind
    name: str
    restarted_at: str
    at_a_time: int
    role_arn: str = ""
    count: int = 0

    kind: ClassVar[str] = "restart-workload"
    done: ClassVar[str] = "all pods restarted"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return f"restart {self.name} ({self.at_a_time} at a time)"


@dataclass(frozen=True, kw_only=True)
class ReplaceStalePods:
    """Delete stale pods in waves of at most `at_a_time`, each only when the one before has come back. `count` is how many there were."""

    at_a_time: int
    count: int
    role_arn: str

    kind: ClassVar[str] = "replace-stale-pods"
    done: ClassVar[str] = "stale pods replaced"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return f"replace {pluralize(self.count, 'stale pod')} ({self.at_a_time} at a time)"


def without_restart(action: RestartWorkload) -> ReplaceStalePods | None:
    """The replacement in waves that has the effect of a refused restart. None where the action was stored by an older version."""
    if not action.role_arn:
        return None
    return ReplaceStalePods(at_a_time=action.at_a_time, count=action.count, role_arn=action.role_arn)


@dataclass(frozen=True, kw_only=True)
class UpdateAddonRole:
    """Write the role into the add-on record as it was seen, with `old_role_arn`. Only this repair survives the next update.

    `token` makes it one update.
    """

    addon: str
    role_arn: str
    old_role_arn: str | None
    token: str

    kind: ClassVar[str] = "update-addon-role"
    done: ClassVar[str] = "role put into the add-on record"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return "put the role into the add-on record"


@dataclass(frozen=True, kw_only=True)
class RestoreAnnotation:
    """Put the value from before back, once, since pods got worse after ours."""

    value: str | None
    ours: str

    kind: ClassVar[str] = "restore-annotation"
    done: ClassVar[str] = "annotation put back as it was"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        return "put the annotation back as it was"


Action = AnnotateServiceAccount | ReplaceCanaryPod | RestartWorkload | ReplaceStalePods | UpdateAddonRole | RestoreAnnotation

_KINDS: Final[Mapping[str, type[Action]]] = {action.kind: action for action in get_args(Action)}

DONE: Final[Mapping[str, str]] = {kind: action.done for kind, action in _KINDS.items()}
"""What has been done, for people, by the action's kind."""


def to_json(action: Action) -> dict[str, Any]:
    """The action as a JSON object with its kind."""
    return {"kind": action.kind, **vars(action)}


def from_json(value: dict[str, Any]) -> Action:
    """The inverse of `to_json`."""
    fields = dict(value)
    kind = _KINDS[fields.pop("kind")]
    if kind is RestartWorkload:
        fields["workload"] = WorkloadKind(fields["workload"])
    if kind is ReplaceCanaryPod:
        fields["as_new"] = tuple(fields["as_new"])
    action: Action = kind(**fields)
    return action
