"""No runbook that an incident lists denies what another one of the same incident asks for."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import pytest

from lambdas.domain.diagnosis.verdict import ANNOTATION_VERDICTS, Verdict
from lambdas.domain.snapshot.snapshot import AddonFacts, Snapshot
from tests.unit.domain.test_role_clearance import LINKS_OF_ANY, LINKS_OF_IRSA, Break, assess, generated, scenario_worlds
from tests.unit.notifications.snapshots import refusals

RUNBOOKS: Final = Path(__file__).resolve().parents[3] / "docs" / "runbooks"
OF_THE_ROLE: Final = ANNOTATION_VERDICTS | {
    Verdict.ADDON_ROLE_MISSING,
    Verdict.ASSOCIATION_DIFFERS,
    Verdict.ASSOCIATION_MISSING,
    Verdict.BINDING_INVALID,
    Verdict.OIDC_PROVIDER_MISSING,
    Verdict.PERMISSIONS_MISSING,
    Verdict.POD_IDENTITY_NOT_TRUSTED,
    Verdict.TRUST_CONDITION_WRONG,
    Verdict.TRUST_OTHER_ISSUER,
}
"""Verdicts whose repair changes the role, what may assume it, or which role is used."""
DENIES: Final = {
    "the role": re.compile(r"\b(?:role|identity)\b[^.]{0,40}\bis not (?:the cause|at fault)|chang\w+ the role would not", re.IGNORECASE),
    "new pods": re.compile(r"\b(?:restart|replac)\w*\b[^.]{0,40}\b(?:changes nothing|does not help|would not help)", re.IGNORECASE),
}
ASKS_FOR_NEW_PODS: Final = re.compile(
    r"rollout restart|\breplac(?:e|es|ing) (?:the|one|a|them|that)\b[^.\n]{0,40}(?:pods?|at a time)|identity-repair", re.IGNORECASE
)


def with_addon(**facts: Any) -> Callable[[Snapshot], Snapshot]:
    def change(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, addon=replace(snapshot.addon, **facts)) if isinstance(snapshot.addon, AddonFacts) else snapshot

    return change


def refused(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, permission_errors=refusals("aws-node-00", call="ec2:CreateTags"))


MORE_BREAKS: Final[tuple[Break, ...]] = (
    ("refused with the role", refused),
    ("add-on degraded", with_addon(status="DEGRADED")),
    ("add-on without role", with_addon(role_arn=None)),
)
MIN_COMBINATIONS: Final = 60


def text(verdict: str) -> str:
    return (RUNBOOKS / f"{verdict}.md").read_text(encoding="utf-8")


def denied(verdict: str) -> set[str]:
    """What the runbook says would not help."""
    return {change for change, pattern in DENIES.items() if pattern.search(text(verdict))}


def asked_for(verdict: str) -> set[str]:
    """What the runbook asks for."""
    return ({"the role"} if verdict in OF_THE_ROLE else set()) | ({"new pods"} if ASKS_FOR_NEW_PODS.search(text(verdict)) else set())


def combinations() -> set[tuple[str, ...]]:
    """The verdicts of incidents with several: in each scenario, and in each world with one or two breaks."""
    breaks = (*LINKS_OF_ANY, *LINKS_OF_IRSA, *MORE_BREAKS)
    bases = [world for world in generated() if world.name.startswith("v1.23.1 ipv4  ")]
    found = {assess(world.snapshot).verdicts for world in scenario_worlds()}
    for world in bases:
        for _, first in breaks:
            found.add(assess(first(world.snapshot)).verdicts)
            found |= {assess(second(first(world.snapshot))).verdicts for _, second in MORE_BREAKS}
    return {verdicts for verdicts in found if len(verdicts) > 1}


def contradictions() -> Iterator[str]:
    for verdicts in sorted(combinations()):
        for one, other in permutations(verdicts, 2):
            for change in denied(one) & asked_for(other):
                yield f"{one} says that {change} would not help, and {other} asks for it: {', '.join(verdicts)}"


def test_no_runbook_of_an_incident_contradicts_another() -> None:
    assert len(combinations()) >= MIN_COMBINATIONS, "fewer combinations of verdicts were reached than before"
    assert sorted(set(contradictions())) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("the role", "EKS reports the add-on as degraded, and its role is not the cause."),
        ("the role", "The identity is not at fault."),
        ("new pods", "Restarting the pods changes nothing."),
        ("new pods", "A restart does not help."),
    ],
)
def test_a_denial_is_recognized(change: str, sentence: str) -> None:
    assert DENIES[change].search(sentence)


@pytest.mark.parametrize("verdict", ["pods-stale", "webhook-missed", "pods-without-credentials"])
def test_a_runbook_for_stale_pods_asks_for_new_ones(verdict: str) -> None:
    assert "new pods" in asked_for(verdict)
