"""Scenarios: one YAML file per failure mode with the initial world, the steps, the triggering event and the expected result."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from lambdas.contract.call_needs import CallNeed, Feature
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.parameters import Mechanism
from lambdas.domain.diagnosis.call_needs import needs_of
from lambdas.domain.snapshot.bindings import BindingValue
from sandbox.simulation.scenario_steps import ScenarioStep, parse_step

T = TypeVar("T")
FOLDER: Final = Path(__file__).resolve().parents[2] / "scenarios"
DEFAULT_SCENARIO: Final = "addon-role-missing"

BOUND: Final = "bound"
"""In a scenario: the role that the world creates for the ServiceAccount."""

OUTCOMES: Final = ("verified", "recovered", "needs-action", "blocked", "no-message", "no-incident")


class InvalidScenario(ValueError):
    """The file is not a valid scenario; the message names the file and the key."""


class TrustPolicyKind(StrEnum):
    """Trust policies that the role of a world can have."""

    VALID = "valid"
    OTHER_ISSUER = "other-issuer"
    OTHER_SUBJECT = "other-subject"
    WRONG_AUDIENCE = "wrong-audience"
    AUDIENCE_ONLY = "audience-only"
    """Without a subject condition: every ServiceAccount of the cluster can assume the role."""
    WILDCARD = "wildcard"
    """A wildcard under StringEquals, which compares it literally."""
    ARN_IN_KEY = "arn-in-key"
    EC2_ONLY = "ec2-only"
    """Trusts instances, and no OIDC provider."""
    POD_IDENTITY_ONLY = "pod-identity-only"
    """Trusts EKS Pod Identity, and no longer the OIDC provider."""
    OTHER_PARTITION = "other-partition"
    """The provider's ARN is of another partition."""
    SHARED_STATEMENT = "shared-statement"
    """One statement for two clusters: it requires the subject of both issuers at once."""

    @property
    def is_valid(self) -> bool:
        """Whether the ServiceAccount of the world can assume the role."""
        return self in (TrustPolicyKind.VALID, TrustPolicyKind.AUDIENCE_ONLY, TrustPolicyKind.POD_IDENTITY_ONLY)


@dataclass(frozen=True, kw_only=True)
class World:
    """The state before the first step.

    `annotation`, `addon_role`, `binding` and `pod_identity` take `bound`, a role ARN or null. `addon: false` is a self-managed plug-in.
    `role_lacks` and `node_role_lacks` are IAM actions that the bound role and the node role do not allow. The version of the plug-in
    decides what a refusal does. `annotation_key` sets the annotation under another key. `access` is `granted`, `no-entry` or `no-rbac`.
    The Pod Identity agent runs where an association or the binding needs it: on every node except the first `pod_identity_agent_absent`,
    and not ready on the next `pod_identity_agent_unready`. `pod_identity_owner` is `addon` or `cloudformation` for an association that a
    person did not make, and `pod_identity_condition` is the condition of the statement that trusts EKS Pod Identity.

    A `service_account` that is not known by name belongs to a Deployment of the same name. `other_nodes` are nodes without the network
    plug-in and the agent, `type -> number`, for the types `auto`, `fargate`, `hybrid` and `windows`. Only the fakes know `image_tag` of
    a workload without an add-on, `template_role`, the role that the pod template sets, and `refused_call`, a call that AWS refuses to
    the bound role although no pod fails.
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
    binding_mechanism: str | None = None
    annotation: str | None = BOUND
    annotation_key: str = "eks.amazonaws.com/role-arn"
    role_exists: bool = True
    role_has_permissions: bool = True
    role_lacks: tuple[str, ...] = ()
    node_role_lacks: tuple[str, ...] = ()
    ip_family: str = "ipv4"
    node_role_has_permissions: bool = False
    trust: TrustPolicyKind = TrustPolicyKind.VALID
    oidc_provider: bool = True
    oidc_client_ids: tuple[str, ...] = ("sts.amazonaws.com",)
    pod_identity: str | None = None
    pod_identity_owner: str = ""
    pod_identity_agent: bool = True
    pod_identity_agent_absent: int = 0
    pod_identity_agent_unready: int = 0
    pod_identity_trusted: bool = True
    pod_identity_condition: Mapping[str, Any] = field(default_factory=dict)
    node_repair: bool = False
    workload: bool = True
    access: str = "granted"
    settings: Mapping[str, str] = field(default_factory=dict)
    webhook_lag_s: float = 0.0
    issuer: str = ""
    windows_nodes: int = 0
    other_nodes: Mapping[str, int] = field(default_factory=dict)
    image_tag: str = ""
    template_role: str | None = None
    refused_call: str = ""

    @property
    def uses_pod_identity(self) -> bool:
        """Whether an association exists, or the binding asks for one."""
        return self.pod_identity is not None or self.binding_mechanism == Mechanism.POD_IDENTITY

    @property
    def has_pod_identity_agent(self) -> bool:
        """Whether the agent is installed."""
        return self.pod_identity_agent and self.uses_pod_identity

    @property
    def role_works(self) -> bool:
        """Whether the network plug-in works with the role of this world."""
        return self.role_exists and self.role_has_permissions and self.trust.is_valid and self.oidc_provider

    def refused_calls(self, version: str, *, of_node_role: bool) -> tuple[CallNeed, ...]:
        """The calls of this version of the network plug-in that a role does not allow."""
        needs = needs_of(CNI_ADDON, version, {Feature(self.ip_family)})
        lacks = self.node_role_lacks if of_node_role else self.role_lacks
        return tuple(need for need in needs.calls if need.call in lacks) if needs else ()

    def binding_value(self, role: str | None) -> str | None:
        """The text of the binding for this role, with the mechanism of the world; None without a binding."""
        if role is None or self.binding_mechanism is None:
            return role
        return BindingValue(role=role, mechanism=Mechanism(self.binding_mechanism)).text

    def cross_account_role(self, account: str) -> str | None:
        """The bound role if another account owns it; it works like the role of this world."""
        return self.binding if self.binding and ":role/" in self.binding and account not in self.binding else None


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The expected result.

    Attributes:
        verdict: verdict that the remediator acts on.
        outcome: `verified`, `recovered`, `needs-action` or `blocked`; `no-message` if an incident is opened and no message is sent;
            `no-incident` if no incident is opened.
        plan_verdict: verdict of the plan, where history changes the verdict.
        also: other verdicts of the diagnosis.
        actions: kinds of the writes to cluster and EKS, in order.
        exact_actions: false allows further actions after `actions`.
        message_contains: texts that the messages contain.
        node_log: causes that `explain-log` names in the logs on the nodes; the fakes have no such files.
    """

    verdict: str
    outcome: str
    plan_verdict: str = ""
    also: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    exact_actions: bool = True
    message_contains: tuple[str, ...] = ()
    node_log: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One failure mode.

    Attributes:
        failure_mode: rows of the table in docs/failure-modes.md.
        steps: executed in order before the event.
        event: the event that triggers the checker, in addition to the events that EKS sends itself.
        references: public reports of this failure.
        skip_waits: durable waits end at once; for scenarios that would wait for minutes.
        only_on: `embedded` or `real` if only that cluster can run the scenario, `fakes` if neither can.
    """

    name: str
    title: str
    failure_mode: str
    world: World
    steps: tuple[ScenarioStep, ...]
    event: str
    expect: Expectation
    references: tuple[str, ...] = ()
    skip_waits: bool = False
    only_on: str = ""

    def runs_on(self, cluster: str) -> bool:
        """Whether the `embedded` cluster or a `real` control plane can run the scenario; the fakes can run every scenario."""
        return self.only_on in ("", cluster)


def lookup(word: str, table: Mapping[str, T], kind: str) -> T:
    """The entry for a word of a scenario; `kind` names the sort of word in the error.

    Raises:
        InvalidScenario: the table has no such word.
    """
    if word not in table:
        raise InvalidScenario(f"unknown {kind} {word!r}; known are {', '.join(table)}")
    return table[word]


def names() -> list[str]:
    """Names of all scenarios, the default scenario first."""
    return sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda name: (name != DEFAULT_SCENARIO, name))


@cache
def load(name: str) -> Scenario:
    """Read one scenario.

    Raises:
        InvalidScenario: the file does not exist, or a key is unknown or missing.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.exists():
        similar = get_close_matches(name, names())
        hint = f"similar names: {', '.join(similar)}" if similar else "`list` shows all scenarios"
        raise InvalidScenario(f"there is no scenario {name!r}; {hint}")
    return parse_scenario(name, yaml.safe_load(path.read_text()))


def parse_scenario(name: str, document: object) -> Scenario:
    """The scenario of a document.

    Raises:
        InvalidScenario: a key is unknown or missing.
    """
    if not isinstance(document, Mapping):
        raise InvalidScenario(f"{name}.yaml: a scenario is a mapping with title, failure_mode, world, steps, event and expect")
    try:
        _check_keys(Scenario, document, "")
        return Scenario(
            name=name,
            title=document["title"],
            failure_mode=str(document["failure_mode"]),
            world=_world(document.get("world") or {}),
            steps=tuple(map(parse_step, document.get("steps") or ())),
            event=document.get("event", "none"),
            expect=_expectation(document["expect"]),
            references=tuple(document.get("references") or ()),
            skip_waits=bool(document.get("skip_waits", False)),
            only_on=str(document.get("only_on", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise InvalidScenario(f"{name}.yaml: {reason}") from error


def _check_keys(kind: type, document: Mapping[str, Any], where: str) -> None:
    known = {item.name for item in fields(kind)}
    if unknown := set(document) - known:
        raise ValueError(f"unknown key {where}{', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")


def _values(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _world(document: Mapping[str, Any]) -> World:
    _check_keys(World, document, "world.")
    values = _values(document)
    if "trust" in values:
        values["trust"] = TrustPolicyKind(values["trust"])
    return World(**values)


def _expectation(document: Mapping[str, Any]) -> Expectation:
    _check_keys(Expectation, document, "expect.")
    if (outcome := document.get("outcome")) not in OUTCOMES:
        raise ValueError(f"unknown outcome {outcome!r}; known are {', '.join(OUTCOMES)}")
    return Expectation(**_values(document))
