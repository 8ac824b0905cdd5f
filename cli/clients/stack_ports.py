"""Ports on the deployed stack, which `verify` reads. Errors are those of `lambdas.domain.ports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class DeployedFunction:
    """One function of the stack. `dead_letters` is the ARN of its queue, `environment_bytes` the size of its variables."""

    name: str
    arn: str
    role_arn: str
    modified_at: datetime | None
    environment_bytes: int = 0
    dead_letters: str = ""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A durable execution. `result` and `error` are set when it has ended."""

    is_ended: bool
    result: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """Concurrent executions of the account: the quota, and the part that no function reserves."""

    quota: int
    unreserved: int


class DeployedFunctions(Protocol):
    """The functions of the stack."""

    def of_roles(self, role_arns: Sequence[str]) -> Mapping[str, DeployedFunction]:
        """Return the functions that run with these roles, by role ARN."""
        ...

    def invoke(self, function_arn: str, payload: Mapping[str, Any]) -> Any:
        """Invoke a function, and return its answer as parsed JSON.

        Raises:
            PermanentError: the function failed; the text is its error.
        """
        ...

    def start(self, function_arn: str, name: str, payload: Mapping[str, Any]) -> str:
        """Start a durable execution of this name, and return its ARN."""
        ...

    def callback_id(self, execution_arn: str) -> str:
        """Return the id of the callback that the execution waits for. Empty while it waits for none."""
        ...

    def execution(self, execution_arn: str) -> Execution:
        """Return the state of an execution."""
        ...

    def concurrency(self) -> Concurrency:
        """Return the concurrency of the account."""
        ...


@dataclass(frozen=True, kw_only=True)
class DeployedRule:
    """One rule with a function as its target. It has a pattern or a schedule. `dead_letters` is the ARN of its queue."""

    name: str
    state: str
    pattern: Mapping[str, Any] | None = None
    schedule: str = ""
    dead_letters: str = ""


class DeployedEvents(Protocol):
    """The rules of the stack, and the way of an event."""

    def rules(self, function_arn: str) -> tuple[DeployedRule, ...]:
        """Return the rules whose target is the function."""
        ...

    def matches(self, pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
        """Return whether EventBridge's own matcher accepts the event."""
        ...

    def send_delivery_test(self, nonce: str) -> None:
        """Put a `Delivery Test` on the bus."""
        ...

    def delivered_at(self, nonce: str) -> datetime | None:
        """Return when the checker recorded the arrival, or None."""
        ...


@dataclass(frozen=True, kw_only=True)
class TopicSubscription:
    """One subscription of a topic."""

    protocol: str
    endpoint: str
    is_confirmed: bool

    @property
    def label(self) -> str:
        """The endpoint, of an address only its host: the path of a webhook is often a credential."""
        address = urlsplit(self.endpoint)
        return f"{address.scheme}://{address.hostname}/…" if address.scheme in ("http", "https") else self.endpoint


@dataclass(frozen=True, kw_only=True)
class TopicKey:
    """The key of a topic, and its state, such as `Enabled`."""

    id: str
    state: str


class DeployedNotifications(Protocol):
    """The topics of the stack."""

    def subscriptions(self, topic_arn: str) -> tuple[TopicSubscription, ...]:
        """Return all subscriptions of a topic."""
        ...

    def key(self, topic_arn: str) -> TopicKey | None:
        """Return the key that encrypts the topic, or None where it has none."""
        ...

    def publish(self, topic_arn: str, subject: str, text: str) -> None:
        """Publish a text to a topic."""
        ...


@dataclass(frozen=True, kw_only=True)
class DeployedAlarm:
    """One alarm and its state: `OK`, `ALARM` or `INSUFFICIENT_DATA`. `queue` is the name of the queue whose messages it counts."""

    name: str
    state: str
    queue: str = ""


class StackOperation(Protocol):
    """The signs of trouble that the stack leaves behind."""

    def alarms(self, topic_arn: str) -> tuple[DeployedAlarm, ...]:
        """Return the alarms that notify the topic."""
        ...

    def sweeps(self, since: datetime, until: datetime) -> int:
        """Return the number of sweeps that ended in this time."""
        ...

    def messages(self, queue_arn: str) -> int:
        """Return the number of messages in a queue, approximately."""
        ...


class PolicySimulator(Protocol):
    """The policy simulator of IAM."""

    def refused(self, role_arn: str, action: str, resources: Sequence[str], context: Mapping[str, str]) -> tuple[str, ...]:
        """Return the resources on which the role may not make the call. `context` holds condition keys."""
        ...


@dataclass(frozen=True, kw_only=True)
class StackClients:
    """The ports on the deployed stack."""

    functions: DeployedFunctions
    events: DeployedEvents
    notifications: DeployedNotifications
    operation: StackOperation
    policies: PolicySimulator
