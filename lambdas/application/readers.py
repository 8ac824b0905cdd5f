"""The ports that a snapshot is read through, and the result of a read that fails."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import NO_FLOOR, Floor, Settings
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from lambdas.domain.ports import ClustersPort, EksPort, EventHistoryPort, IamPort, ParametersPort
from lambdas.domain.requests.request import Actor, Refusal
from lambdas.domain.snapshot.bindings import Parameter, cluster_settings, resolve_binding
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Missing, Unknown

Fact = TypeVar("Fact")


@dataclass(frozen=True, kw_only=True)
class Readers:
    """The ports that a snapshot is read through, and the account and region of the deployment. `bound_roles` as in `Snapshot`.

    No parameter makes a setting less strict than `floor`. `event_history` is None where the deployment does not allow to read it.

    `new_executor` makes an executor for that many parallel reads. Each use shuts its executor down, so that no thread outlives a check.
    """

    parameters: ParametersPort
    eks: EksPort
    iam: IamPort
    clusters: ClustersPort
    new_executor: Callable[[int], Executor]
    account: str
    region: str
    partition: str
    may_simulate: bool
    event_history: EventHistoryPort | None = None
    bound_roles: tuple[str, ...] = ("*",)
    floor: Floor = field(default_factory=lambda: NO_FLOOR)

    def binding(self, parameters: Mapping[str, Parameter], target: ServiceAccountRef) -> Binding | InvalidBinding | Missing:
        """The binding of the ServiceAccount, with the placeholders of this deployment replaced."""
        return resolve_binding(parameters, target, account=self.account, partition=self.partition, region=self.region)

    def settings(self, parameters: Mapping[str, Parameter], cluster: str) -> tuple[Settings, dict[str, str]]:
        """The settings of a cluster, limited by the floor, and for each invalid value `path -> what is allowed`."""
        return cluster_settings(parameters, cluster, self.floor)

    def own_bound_roles(self, parameters: Mapping[str, Parameter], targets: Iterable[ServiceAccountRef]) -> list[str]:
        """The roles that the valid bindings name, each once, without roles of other accounts: IAM neither shows nor passes those."""
        bindings = (self.binding(parameters, target) for target in targets)
        roles = dict.fromkeys(found.role_arn for found in bindings if isinstance(found, Binding))
        return [role for role in roles if role.split(":")[4] == self.account]


@dataclass(frozen=True, kw_only=True)
class Hints:
    """Facts from before the snapshot: when a check last found the target healthy, the actor of the event, and calls that AWS refused."""

    known_good_at: datetime | None = None
    actor: Actor | None = None
    refusals: tuple[Refusal, ...] = ()


def read_or_unknown(read: Callable[[], Fact]) -> Fact | Unknown:
    """The fact, or `Unknown` where the read is denied or cannot succeed.

    Raises:
        TransientError: a retry may succeed, so the whole check is to be retried.
    """
    try:
        return read()
    except AccessDenied as error:
        return Unknown(str(error), error.denial)
    except PermanentError as error:
        return Unknown(str(error))


def read_optional(read: Callable[[], Fact]) -> Fact | Unknown:
    """The fact, or `Unknown` for any error. A check can do without IAM, which may have no endpoint in a VPC, and without version advice."""
    try:
        return read_or_unknown(read)
    except TransientError as error:
        return Unknown(str(error), Denial.UNREACHABLE)
