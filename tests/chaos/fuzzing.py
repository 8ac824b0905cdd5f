"""Fuzzing of every parser with damaged copies of valid inputs; fast enough for a hundred thousand cases each.

A damaged copy has some of its values replaced, removed, doubled or nested; its seed makes it reproducible. Hypothesis searches
better but is a hundred times slower; the tests of each parser use it as well.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import NAMES, read_settings, settings_path
from lambdas.domain.audit import findings
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.snapshot.bindings import Parameter, resolve_binding
from lambdas.domain.snapshot.snapshot import Binding
from lambdas.domain.trust import document
from lambdas.node_watcher.audit_events import events_of
from lambdas.node_watcher.log_batch import open_batch
from tests.events import INDEX
from tests.events import event as recorded
from tests.unit.node_watcher.audit_records import OUR_ROLE
from tests.unit.node_watcher.test_filter_pattern import IRRELEVANT, RELEVANT
from tests.unit.node_watcher.test_findings import WATCHING
from tests.unit.requests.test_hostile_events import _answer

if TYPE_CHECKING:
    from collections.abc import Callable


WORDS: Final = (
    *("", " ", "demo", "../demo", "demo/*", "_default", "-1", "0", "1e999", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00"),
    *("\x00", "\x1b[31m", "\u202e", "\ud800", "<!channel>", "*", "${aws:username}", "{cluster}", "x" * 5000),
    *("StringEquals", "StringLike", "Allow", "Deny", "always", "mon-fri 22:00-04:00 UTC"),
    *("arn:aws:iam::111122223333:role/x", "arn:aws:eks:eu-west-1:111122223333:cluster/demo"),
)
VALUES: Final = (None, True, False, 0, -1, 2**63, 1e308, [], {}, [[]], {"": ""}, *WORDS)
POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "a",
            "Effect": "Allow",
            "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"oidc.eks.eu-west-1.amazonaws.com/id/A:sub": ["system:serviceaccount:kube-system:aws-node"]}},
        }
    ],
}
TARGET: Final = ServiceAccountRef("demo", "kube-system", "aws-node")
HERE: Final = {"account": "111122223333", "partition": "aws", "region": "eu-west-1"}


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy of a JSON value with up to four places changed."""
    copy = json.loads(json.dumps(value))
    for _ in range(chance.randint(0, 4)):
        copy = _hurt(copy, chance)
    return copy


def _hurt(value: Any, chance: random.Random) -> Any:
    """The value with one place below it changed."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return chance.choice((chance.choice(VALUES), _text(value, chance), [value], {"x": value}))
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if chance.random() < 0.1:
        del value[key]
    else:
        value[key] = _hurt(value[key], chance)
    return value


def _text(value: Any, chance: random.Random) -> str:
    """The text of the value with a word inserted."""
    text = value if isinstance(value, str) else json.dumps(value)
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(WORDS) + text[at:]


def _says(error: Exception) -> None:
    assert str(error)
    assert str(error).isprintable()


def events_of_the_bus(chance: random.Random) -> None:
    """A request, an ignored event, or `MalformedEvent` with printable text; names follow the grammar of EKS and Kubernetes."""
    _answer(damaged(chance.choice(EVENTS), chance))


def audit_records(chance: random.Random) -> None:
    """A few JSON events."""
    sent = events_of(
        findings([damaged(choice, chance) for choice in chance.choices(RECORDS, k=2)], watching=WATCHING, our_roles=(OUR_ROLE,)), "demo"
    )
    json.dumps(sent)


def log_batches(chance: random.Random) -> None:
    """Records, or `MalformedEvent`, for any bytes."""
    lines = ",".join(json.dumps({"id": "1", "message": json.dumps(damaged(choice, chance))}) for choice in chance.choices(RECORDS, k=2))
    head = '{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s"'
    packed = bytearray(gzip.compress(f'{head},"logEvents":[{lines}]}}'.encode(), 1))
    for _ in range(chance.randint(0, 2)):
        packed[chance.randrange(len(packed))] = chance.randrange(256)
    try:
        batch = open_batch({"awslogs": {"data": base64.b64encode(packed).decode()}}, json.loads)
        list(batch.records(lambda _: True, json.loads))
    except MalformedEvent as error:
        _says(error)


def trust_policies(chance: random.Random) -> None:
    """A document, or `MalformedPolicyError`."""
    try:
        document.read(damaged(POLICY, chance))
    except document.MalformedPolicyError:
        return


def bindings(chance: random.Random) -> None:
    """A role of this partition, or the reason why the binding is invalid."""
    value = damaged(chance.choice(("arn:aws:iam::111122223333:role/a/b", "arn:{partition}:iam::{account}:role/{cluster}")), chance)
    parameter = Parameter(value=str(value), type=chance.choice(("String", "String", "StringList", "SecureString")))
    found = resolve_binding({binding_path("demo", "kube-system", "aws-node"): parameter}, TARGET, **HERE)
    assert not isinstance(found, Binding) or (found.role_arn.startswith("arn:aws:iam::") and found.role_arn.isprintable())


def settings(chance: random.Random) -> None:
    """Settings within their bounds; each invalid value is reported with the allowed values."""
    name = chance.choice((*NAMES, str(chance.choice(WORDS))))
    path = settings_path(chance.choice(("demo", "_default")), name)
    _, wrong = read_settings({path: str(damaged(chance.choice(("60", "approve", "mon-fri 22:00-04:00 Europe/Berlin")), chance))}, "demo")
    assert all(wrong.values())


EVENTS: Final = tuple(recorded(name) for name in INDEX)
RECORDS: Final = tuple({**RELEVANT, **IRRELEVANT}.values())
PARSERS: Final[dict[str, Callable[[random.Random], None]]] = {
    "events": events_of_the_bus,
    "audit records": audit_records,
    "log batches": log_batches,
    "trust policies": trust_policies,
    "bindings": bindings,
    "settings": settings,
}


class ParserFailed(AssertionError):
    """A parser failed; the message names the seed."""


def fuzzed(name: str, cases: int, seed: int = 0) -> None:
    """Run this many cases for one parser.

    Raises:
        Fell: one of them made it fail.
    """
    for number in range(seed, seed + cases):
        try:
            PARSERS[name](random.Random(number))  # repeatable on purpose
        except Exception as error:
            raise ParserFailed(f"{name}, seed {number}: {type(error).__name__}: {error}") from error
