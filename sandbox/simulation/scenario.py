"""Scenarios: one YAML file per failure mode, with the world, what happens in it, and what must come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

T = TypeVar("T")
FOLDER: Final = Path(__file__).resolve().parents[2] / "scenarios"

BOUND: Final = "bound"
"""In a scenario: the role that the world makes for the ServiceAccount."""


class InvalidScenario(ValueError):
    """The file does not say what a scenario has to say; names file and key."""


class TrustPolicyKind(StrEnum):
    """Trust policies that a world's role can have."""

    RIGHT = "right"
    OTHER_ISSUER = "other-issuer"
    OTHER_SUBJECT = "other-subject"
    AUDIENCE_ONLY_WRONG = "audience-wrong"
    AUDIENCE_ALONE = "audience-alone"
    """Without a subject: it works, for every ServiceAccount of the cluster."""
    WILDCARD = "wildcard"
    """Under StringEquals, which takes it for plain text."""
    ARN_IN_KEY = "arn-in-key"

    @property
    def works(self) -> bool:
        """Whether it lets the world's ServiceAccount in."""
        return self in (TrustPolicyKind.RIGHT, TrustPolicyKind.AUDIENCE_ALONE)


@dataclass(frozen=True, kw_only=True)
class World:
    """How everything is before anything happens.

    `role`, `annotation`, `addon_role`, `binding` take `bound`, an ARN, or null. `addon` false is a self-managed plug-in.
    `annotation_key` puts the annotation under another key. `access` is `granted`, `no-entry` or `no-rbac`.
    """

    kubernetes: str = "1.28"
    nodes: int = 12
    service_account: str = "aws-node"
    addon: bool = True
    addon_version: str = "v1.14.1-eksbuild.1"
    addon_role: str | None = BOUND
    addon_installed: bool = True
    binding: str | None = BOUND
    binding_type: str = "String"
    annotation: str | None = BOUND
    annotation_key: str = "eks.amazonaws.com/role-arn"
    role_exists: bool = True
    role_suffices: bool = True
    node_role_suffices: bool = False
    trust: TrustPolicyKind = TrustPolicyKind.RIGHT
    oidc_provider: bool = True
    oidc_client_ids: tuple[str, ...] = ("sts.amazonaws.com",)
    pod_identity: str | None = None
    pod_identity_agent: bool = True
    pod_identity_trusted: bool = True
    node_repair: bool = False
    workload: bool = True
    access: str = "granted"
    settings: Mapping[str, str] = field(default_factory=dict)
    webhook_lag_s: float = 0.0
    issuer: str = ""
    windows_nodes: int = 0

    @property
    def role_works(self) -> bool:
        """Whether the network plug-in can work with the role that the world makes."""
        return self.role_exists and self.role_suffices and self.trust.works and self.oidc_provider

    def cross_account_role(self, account: str) -> str | None:
        """The bound role where it is one of another account, which works as well as the world's own."""
        return self.binding if self.binding and ":role/" in self.binding and account not in self.binding else None


OUTCOMES: Final = ("verified", "recovered", "needs-action", "blocked", "silent", "quiet")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What must come out. `changes` are all writes to cluster and EKS, by action; `says` are texts that the first message contains.

    `outcome` is `verified`, `recovered`, `needs-action`, `blocked`, `silent` where an incident is opened and nobody told, or `quiet` where
    none is opened. `plan_verdict` is set where history changes the verdict; `only_changes` false allows further ones.
    """

    verdict: str
    outcome: str
    plan_verdict: str = ""
    only_changes: bool = True
    also: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One failure mode: `story` is a list of `(what happens, how)`; `event` announces it, beside what EKS sends itself.

    `hurry` lets durable waits pass at once, where a scenario would wait for minutes. `only` is `embedded` or `real` where one
    of them alone can show it, and `fakes` where no local part can.
    """

    name: str
    title: str
    failure_mode: str
    world: World
    story: tuple[tuple[str, Mapping[str, Any]], ...]
    event: str
    expect: Expectation
    seen_in: tuple[str, ...] = ()
    hurry: bool = False
    only: str = ""

    def runs_on(self, cluster: str) -> bool:
        """Whether it can be played on the `embedded` cluster or a `real` control plane; over the fakes each can."""
        return self.only in ("", cluster)


def lookup(word: str, table: Mapping[str, T], what: str) -> T:
    """What a word of a scenario stands for in a table; `what` says of what sort the word is.

    Raises:
        InvalidScenario: the table has no such word.
    """
    if word not in table:
        raise InvalidScenario(f"there is no {what} {word!r}; there are {', '.join(table)}")
    return table[word]


def names() -> list[str]:
    """Every scenario, the original incident first."""
    found = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return sorted(found, key=lambda name: (name != ORIGINAL, name))


ORIGINAL: Final = "addon-role-missing"


@cache
def load(name: str) -> Scenario:
    """Read one scenario, once.

    Raises:
        InvalidScenario: there is no such file, or a key of it is not understood.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        near = get_close_matches(name, names())
        raise InvalidScenario(
            f"there is no scenario {name!r}; " + (f"like it are {', '.join(near)}" if near else "`list` shows those there are")
        )
    text = yaml.safe_load(path.read_text())
    if not isinstance(text, Mapping):
        raise InvalidScenario(f"{path.name}: no scenario, which is a table of title, failure_mode, world, story, event and expect")
    if strange := set(text) - {item.name for item in fields(Scenario)}:
        raise InvalidScenario(f"{path.name}: nothing is called {', '.join(sorted(strange))}")
    try:
        return Scenario(
            name=name,
            title=text["title"],
            failure_mode=str(text["failure_mode"]),
            world=_world(text.get("world") or {}, name),
            story=tuple(_step(step, name) for step in text.get("story") or ()),
            event=text.get("event", "none"),
            expect=_expectation(text["expect"]),
            seen_in=tuple(text.get("seen_in") or ()),
            hurry=bool(text.get("hurry", False)),
            only=str(text.get("only", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InvalidScenario(f"{path.name}: {missing}") from error


def _world(text: Mapping[str, Any], name: str) -> World:
    known = {item.name for item in fields(World)}
    if strange := set(text) - known:
        raise InvalidScenario(f"{name}.yaml: world has no {', '.join(sorted(strange))}; there are {', '.join(sorted(known))}")
    values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in text.items()}
    if "trust" in values:
        values["trust"] = TrustPolicyKind(values["trust"])
    return World(**values)


def _expectation(text: Mapping[str, Any]) -> Expectation:
    values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in text.items()}
    if (outcome := values.get("outcome")) not in OUTCOMES:
        raise ValueError(f"there is no outcome {outcome!r}; there are {', '.join(OUTCOMES)}")
    return Expectation(**values)


def _step(step: Any, name: str) -> tuple[str, Mapping[str, Any]]:
    if isinstance(step, str):
        return step, {}
    if isinstance(step, Mapping) and len(step) == 1:
        ((what, how),) = step.items()
        return str(what), how if isinstance(how, Mapping) else {"value": how}
    raise InvalidScenario(f"{name}.yaml: a step of the story is a word, or one word with parameters: {step!r}")
