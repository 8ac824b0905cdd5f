"""Delivers events to a function: put on moto's bus, matched there, read from a queue and delivered."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.cloudtrail import zulu
from sandbox.event_bus.bus_api import bus_api
from sandbox.event_bus.delivery import EventDelivery
from sandbox.event_bus.rules import make_queue, put_rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.aws.call_log import Call
    from sandbox.aws.local_aws import LocalAws
    from sandbox.event_bus.delivery import Delivery

_log = logging.getLogger(__name__)
# Fields that moto replaces: id, account and region by its own, and the time by a number. All others are unchanged.
_RESTORED = ("version", "id", "account", "time", "region", "resources")
# Most entries in one PutEvents call.
_ENTRIES = 10


class EventBus:
    """Rules by name with one function as the target; a context manager. A rule without a state is `ENABLED`.

    `attempts` and `pause_s` are the retry policy of the rules; Lambda retries the function itself.
    """

    def __init__(
        self,
        aws: LocalAws,
        *,
        function: str,
        rules: Mapping[str, Mapping[str, Any]],
        states: Mapping[str, str] = MappingProxyType({}),
        attempts: int = 4,
        pause_s: float = 0.2,
    ) -> None:
        self._aws = aws
        self._function = function
        self._rules = dict(rules)
        self._states = dict(states)
        self._originals: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pump = threading.Thread(target=self._run, name="event-bus", daemon=True)
        self._later = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event-put")
        self._flowing = threading.Event()
        self._flowing.set()
        self._to_function = EventDelivery(aws, function, attempts=attempts, pause_s=pause_s)
        self._queue_url = ""

    def __enter__(self) -> Self:
        sqs = self._aws.client("sqs")
        self._queue_url, queue_arn = make_queue(sqs, f"bus-{self._function}")
        self._to_function.__enter__()
        events = self._aws.client("events")
        for name, pattern in self._rules.items():
            put_rule(events, name, pattern, queue_arn, self._states.get(name, "ENABLED"))
        self._aws.route(
            "events",
            bus_api(
                self._aws.gateway.backend_of("events"),
                function=f"arn:aws:lambda:{self._aws.region}:{self._aws.account}:function:{self._function}",
                rules=lambda: [rule["Name"] for rule in events.list_rules()["Rules"]],
                dead_letters=self._to_function.dead_letters_arn,
            ),
        )
        self._aws.calls.on_call(self._noticed)
        self._aws.eks.hook(on_event=self.put_soon)
        self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wake.set()
        self.release()
        self._later.shutdown(wait=True, cancel_futures=True)
        self._pump.join(timeout=10)
        self._to_function.__exit__()

    def put(self, event: Mapping[str, Any]) -> str:
        """Put one event in the shape in which a function receives it; returns its id.

        Raises:
            ValueError: the bus rejected the entry.
        """
        return self.put_all([event])[0]

    def put_all(self, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Put many events, ten per call; returns their ids in order.

        Raises:
            ValueError: the bus rejected an entry; the entries of earlier calls are on the bus.
        """
        return [event_id for start in range(0, len(events), _ENTRIES) for event_id in self._put_ten(events[start : start + _ENTRIES])]

    def _put_ten(self, events: Sequence[Mapping[str, Any]]) -> list[str]:
        with self._lock:  # the reader of the queue may be faster than the answer
            answers = self._aws.client("events").put_events(Entries=[_entry(event) for event in events])["Entries"]
            refused = [answer.get("ErrorMessage") for answer in answers if "EventId" not in answer]
            if refused:
                raise ValueError(f"the bus refused an event: {refused[0]}")
            self._originals.update((answer["EventId"], dict(event)) for answer, event in zip(answers, events, strict=True))
        return [str(event.get("id") or answer["EventId"]) for answer, event in zip(answers, events, strict=True)]

    def put_soon(self, event: Mapping[str, Any]) -> None:
        """Put an event later, in order, without blocking the caller."""
        if not self._stopping.is_set():
            self._later.submit(self._put_or_log, event)

    def hold(self) -> None:
        """Hold the events of `put_soon` until `release`, as CloudTrail may delay events for minutes."""
        self._flowing.clear()

    def release(self) -> None:
        """Put the events that were held, and later ones at once."""
        self._flowing.set()

    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries so far, in order."""
        return self._to_function.deliveries()

    @property
    def dead_letters(self) -> str:
        """URL of the queue of undelivered events."""
        return self._to_function.dead_letters

    def _put_or_log(self, event: Mapping[str, Any]) -> None:
        self._flowing.wait()
        try:
            self.put(event)
        except (BotoCoreError, ClientError, ValueError):
            _log.exception("an event of %s is lost: the bus rejected it", event.get("source"))

    def _noticed(self, call: Call) -> None:
        if call.action == "events:PutEvents":
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(timeout=1.0)
            self._wake.clear()
            try:
                while self._drain():
                    pass
            except (BotoCoreError, ClientError):
                _log.exception("the queue of the bus could not be read; it is read again after the next event")

    def _drain(self) -> bool:
        sqs = self._aws.client("sqs")
        messages = sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            matched = json.loads(message["Body"])
            self._to_function.submit(matched["rule"], self._restored(matched["event"]))
        taken = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)]
        if taken:
            sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=taken)
        return bool(messages) and not self._stopping.is_set()

    def _restored(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event as it was put. An event from a function has only what PutEvents accepts, so moto's values remain."""
        with self._lock:
            original = self._originals.get(event["id"], {})
        event.pop("ingestion-time", None)
        event["time"] = zulu(datetime.fromtimestamp(float(event["time"]), UTC))
        return event | {name: original[name] for name in _RESTORED if name in original}


def _entry(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event.get("resources", []),
    }
