"""Pods that were created while a mutating webhook did not answer, so that they may lack their credentials."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from lambdas.contract.audit import FAILED_OPEN
from lambdas.domain.audit.identity import WatchedServiceAccount
from lambdas.domain.audit.record import Write
from lambdas.domain.plurals import pluralize
from lambdas.domain.requests.request import Actor
from lambdas.domain.untrusted_json import inside, label, text

MOST_NAMES: Final = 3
"""Pods and webhooks that an event names."""
_MOST_ANNOTATIONS: Final = 64


def skipped_webhooks(write: Write) -> tuple[str, ...]:
    """The webhooks that failed open for a created pod, sorted; empty for any other write."""
    if write.resource != "pods" or write.subresource or write.verb != "create":
        return ()
    annotations = write.record.get("annotations")
    if not isinstance(annotations, dict):
        return ()
    names = (value for key, value in list(annotations.items())[:_MOST_ANNOTATIONS] if str(key).startswith(FAILED_OPEN))
    return tuple(sorted({name for value in names if isinstance(value, str) and (name := label(value))}))


def owner_of(write: Write, watching: Collection[WatchedServiceAccount]) -> WatchedServiceAccount | None:
    """The watched ServiceAccount that a created pod runs under; None where the record has no body, or for another one."""
    name = text(write.request, "spec", "serviceAccountName") or text(inside(write.response, "spec"), "serviceAccountName")
    return next((one for one in watching if (one.namespace, one.service_account) == (write.namespace, name)), None)


@dataclass
class SkippedPods:
    """The pods of one ServiceAccount for which webhooks failed open in one batch."""

    watched: WatchedServiceAccount
    last: Write
    pods: set[str] = field(default_factory=set)
    webhooks: set[str] = field(default_factory=set)
    count: int = 0

    def add(self, write: Write, webhooks: tuple[str, ...]) -> None:
        """Count one more created pod."""
        self.count += 1
        self.pods |= {label(write.name)} - {""}
        self.webhooks |= set(webhooks)
        if (write.at, write.name) > (self.last.at, self.last.name):
            self.last = write

    @property
    def actor(self) -> Actor:
        """The creator of the pods, with a text that names the webhooks and the pods."""
        named = ", ".join(_first(self.pods)) or pluralize(self.count, "pod")
        more = f" and {len(self.pods) - MOST_NAMES} more" if len(self.pods) > MOST_NAMES else ""
        webhooks = ", ".join(_first(self.webhooks))
        return Actor(
            who=label(self.last.username) or "unknown",
            what=f"create of {named}{more}, for which webhook {webhooks} failed open",
            agent=self.last.agent,
            at=self.last.at,
            address=self.last.address,
        )


def _first(names: Collection[str]) -> Iterator[str]:
    yield from sorted(names)[:MOST_NAMES]
