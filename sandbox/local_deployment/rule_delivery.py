"""Delivers events of AWS services to the targets of the deployed rules, as EventBridge would."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)


class RuleDelivery:
    """The bus of the emulator; a context manager. `client` returns a client of the emulator by service name.

    PutEvents rejects the source of a service, so for such an event the deployed patterns are tested, and the targets invoked.
    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._events, self._lambda = client("events"), client("lambda")
        self._later = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rule-delivery")
        self._flowing = threading.Event()
        self._flowing.set()
        self.delivered: list[tuple[str, str]] = []
        """Rule and event name of each delivery."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._later.shutdown(wait=True, cancel_futures=True)

    def put(self, event: Mapping[str, Any]) -> None:
        """Deliver one event in the shape in which a function receives it."""
        if not str(event["source"]).startswith("aws."):
            entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
            self._events.put_events(Entries=[entry])
            return
        text = json.dumps(event)
        for rule in self._events.list_rules()["Rules"]:
            pattern = rule.get("EventPattern")
            if pattern and rule["State"] == "ENABLED" and self._events.test_event_pattern(EventPattern=pattern, Event=text)["Result"]:
                self.delivered.append((rule["Name"], str(event["detail"].get("eventName", event["detail-type"]))))
                for target in self._events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                    self._lambda.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text)

    def put_soon(self, event: Mapping[str, Any]) -> None:
        """Deliver an event later, in order, without blocking the caller."""
        self._later.submit(self._put_or_log, event)

    def hold(self) -> None:
        """Hold the events of `put_soon` until `release`, as CloudTrail may delay events for minutes."""
        self._flowing.clear()

    def release(self) -> None:
        """Deliver the events that were held, and later ones at once."""
        self._flowing.set()

    def _put_or_log(self, event: Mapping[str, Any]) -> None:
        self._flowing.wait()
        try:
            self.put(event)
        except (BotoCoreError, ClientError):
            _log.exception("an event of %s is lost", event.get("source"))
