"""The summary of an assessment: small enough for a checkpoint, and unchanged by it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambdas.application.codec import decode, encode
from lambdas.contract.settings import AddonRecord
from lambdas.domain.assessment import summary_builder
from lambdas.domain.assessment.history_details import LONGEST_REMEDY, MOST_REMEDIES, history_details
from lambdas.domain.assessment.summary import ActorSummary, AddonSummary, AssessmentSummary, Counts
from lambdas.domain.assessment.summary_builder import LONGEST_TEXT
from lambdas.domain.diagnosis.finding import Link, Remedy
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.details import IncidentDetails
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    Association,
    HealthIssue,
    InvalidBinding,
    Missing,
    NodeRepair,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    VersionAdvice,
)
from tests.unit.domain.snapshot_fixtures import (
    OTHER_ROLE,
    addon,
    binding,
    errors,
    repaired,
    settings,
    snapshot_with,
    some_pods,
    summary_of,
    workload,
)
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.snapshots import EBS, NO_AGENT, NOW, ROLE, agent, healthy_snapshot, nodes, pods, service_account
from tests.unit.notifications.test_golden import assert_golden


def stored(value: AssessmentSummary) -> AssessmentSummary:
    return decode(AssessmentSummary, json.loads(json.dumps(encode(value))))


@pytest.mark.parametrize("world", FAULT_CASES.values(), ids=FAULT_CASES)
def test_a_summary_is_unchanged_by_a_checkpoint(world: Any) -> None:
    value = world.assess()
    assert stored(value) == value


def test_each_summary_is_as_reviewed() -> None:
    """The fields that differ from those of a healthy one, without the links and remedies, which other golden files have.

    After a wanted change: `UPDATE_GOLDEN=1`.
    """
    healthy = _flat(encode(summary_of(snapshot_with())))
    lines = ["healthy", *(f"  {name}: {value}" for name, value in healthy.items())]
    for name, case in FAULT_CASES.items():
        found = _flat(encode(case.assess()))
        changed = [key for key in {**found, **healthy} if found.get(key) != healthy.get(key) and key not in ("links", "remedies")]
        lines += [name, *(f"  {key}: {found.get(key, 'the default')}" for key in changed)]
    assert_golden(Path(__file__).parent / "golden" / "summaries.txt", "\n".join(lines) + "\n")


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by their path."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": json.dumps(value, ensure_ascii=False)}
    return flat


def test_a_blocked_action_keeps_its_time() -> None:
    value = summary_of(snapshot_with(service_account=service_account(None)), RepairHistory(incidents=(repaired(timedelta(minutes=1)),)))
    assert value.blocked[0].until == (NOW + timedelta(minutes=4)).isoformat()
    assert stored(value) == value


def test_five_thousand_stale_pods_and_nodes_fit_into_32_kilobytes() -> None:
    long = "x" * 10_000
    snapshot = snapshot_with(
        pods=pods(5000, None, unready=5000, termination_message=long),
        nodes=nodes(5000, unready=5000, message=long),
        permission_errors=errors(*(f"aws-node-{i:02}" for i in range(5000)), call="ec2:" + "C" * 2000),
        service_account=service_account(OTHER_ROLE + long),
        addon=addon(role_arn=OTHER_ROLE + long),
        workload=workload(desired=5000, updated=5000),
        role=Unknown(long),
        invalid_settings={f"/eks-irsa-remediator/settings/prod-blue/{i}": long for i in range(1000)},
        actor=Actor(who=long, what=long, agent=long),
    )
    assert len(json.dumps(encode(summary_of(snapshot)))) < 32 * 1024


def test_every_sentence_of_a_summary_is_truncated() -> None:
    value = summary_of(snapshot_with(role=Unknown("x" * 10_000)))
    assert max(len(line.sentence) for line in value.links) == LONGEST_TEXT
    assert all(len(warning) <= LONGEST_TEXT for warning in value.warnings)


@pytest.mark.parametrize(("length", "kept"), [(LONGEST_TEXT, "x" * LONGEST_TEXT), (LONGEST_TEXT + 1, "x" * (LONGEST_TEXT - 1) + "…")])
def test_a_text_of_the_longest_length_is_whole(length: int, kept: str) -> None:
    value = summary_of(snapshot_with(role=Unknown("x" * length)))
    assert next(line.sentence for line in value.links if line.link is Link.ROLE) == kept


def test_the_actor_of_a_change_is_cut() -> None:
    long = "x" * 400
    value = summary_of(snapshot_with(actor=Actor(who=long, what=long, agent=long)))
    assert value.actor == ActorSummary(who="x" * 300, what="x" * 300, agent="x" * 200)
    timed = summary_of(snapshot_with(actor=Actor(who="a", what="b", at=NOW)))
    assert timed.actor == ActorSummary(who="a", what="b", at=NOW.isoformat())


@pytest.mark.parametrize(
    ("versions", "default", "latest"),
    [
        (VersionAdvice(default="v1.20.3", latest="v1.21.0"), "v1.20.3", "v1.21.0"),
        (VersionAdvice(default="v1.22.1", latest="v1.23.1"), "", "v1.23.1"),  # the default is known to fail
        (VersionAdvice(default="v1.20.3", latest="v1.22.0"), "v1.20.3", ""),
        (Unknown("x"), "", ""),
    ],
)
def test_only_versions_are_offered_that_are_not_known_to_fail(versions: VersionAdvice | Unknown, default: str, latest: str) -> None:
    value = summary_of(snapshot_with(versions=versions, addon=addon(role_arn=None)))
    assert value.addon == AddonSummary(name="vpc-cni", version="v1.20.1-eksbuild.1", status="ACTIVE", default=default, latest=latest)


@pytest.mark.parametrize(
    ("account", "annotation"), [(service_account(), ROLE), (service_account(None), ""), (Missing("x"), ""), (Unknown("x"), "")]
)
def test_the_annotation_is_empty_where_there_is_none(account: ServiceAccountFacts | Missing | Unknown, annotation: str) -> None:
    assert summary_of(snapshot_with(service_account=account)).annotation == annotation


def test_history_keeps_the_first_assessment() -> None:
    found = history_details(
        summary_of(
            snapshot_with(
                service_account=service_account(None),
                addon=addon(status="UPDATE_FAILED", issues=(HealthIssue(code="ConfigurationConflict", message="m"),)),
                actor=Actor(who="ci", what="UpdateAddon", agent="terraform"),
            )
        )
    )
    assert found == IncidentDetails(
        sentence=found.sentence,
        severity="warning",
        broken=(f"add-on record: {found.sentence}", "annotation: The ServiceAccount has no role annotation."),
        remedies=found.remedies,
        actor="UpdateAddon by ci (terraform)",
        versions=("Kubernetes 1.33", "vpc-cni v1.20.1-eksbuild.1"),
    )
    assert [remedy.partition("\n")[0].split()[0] for remedy in found.remedies] == ["repeat", "to"]
    bare = history_details(summary_of(snapshot_with(cluster=Missing("c"), addon=NOT_READ, actor=Actor(who="ci", what=""))))
    assert (bare.actor, bare.versions) == ("by ci", ())


def test_history_keeps_the_first_remedies_and_their_first_letters() -> None:
    value = summary_of(snapshot_with())
    many = tuple(Remedy(f"{number}{'x' * LONGEST_REMEDY}") for number in range(MOST_REMEDIES + 1))
    assert history_details(replace(value, remedies=many)).remedies == tuple(
        f"{number}{'x' * (LONGEST_REMEDY - 1)}" for number in range(MOST_REMEDIES)
    )


def test_a_command_is_kept_whole_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_with(role=Missing(ROLE), service_account=service_account(None), oidc_provider=Missing("/p"))
    commands = [remedy.command for remedy in summary_of(snapshot).remedies if remedy.command]
    longest = max(map(len, commands))
    monkeypatch.setattr(summary_builder, "LONGEST_COMMAND", longest)
    assert [remedy.command for remedy in summary_of(snapshot).remedies if remedy.command] == commands
    monkeypatch.setattr(summary_builder, "LONGEST_COMMAND", longest - 1)
    assert [remedy.command for remedy in summary_of(snapshot).remedies if remedy.command] == [
        command for command in commands if len(command) < longest
    ]


def counts(snapshot: Snapshot) -> Counts:
    return summary_of(snapshot).counts


def test_pods_and_nodes_are_counted() -> None:
    snapshot = snapshot_with(
        pods=(
            *some_pods(ROLE, None),
            *some_pods(None, None, None, deleting=True)[2:],
            *some_pods(*[ROLE] * 4, ready=False, waiting="CrashLoopBackOff")[3:],
            *some_pods(*[None] * 5, ready=False, waiting="CrashLoopBackOff")[4:],
        ),
        nodes=nodes(15, unready=3),
        permission_errors=errors("aws-node-00", "aws-node-01", "aws-node-03"),
    )
    assert counts(snapshot) == Counts(
        pods=4,
        pods_right=2,
        pods_ready=2,
        pods_deleting=1,
        nodes=15,
        nodes_ready=12,
        nodes_waiting=3,
        errors_with_role=2,
        errors_without_role=1,
        pods_not_starting=1,
        pods_wanted=15,
        rolled_out=True,
    )


def test_no_pod_has_the_role_without_a_desired_role() -> None:
    unbound = snapshot_with(binding=Missing("/p"), addon=addon(role_arn=None), pods=some_pods(None, None))
    assert counts(unbound).pods_right == 0


def test_nodes_are_counted_only_for_the_cni() -> None:
    assert counts(healthy_snapshot()).nodes == 15
    assert counts(snapshot_with(healthy_snapshot(EBS), addon_name="aws-ebs-csi-driver")).nodes == 0


def test_unread_parts_count_as_zero() -> None:
    assert counts(snapshot_with(nodes=NOT_READ, pods=Unknown("x"), workload=Missing("d"))) == Counts()


@pytest.mark.parametrize(
    ("snapshot", "is_sound"),
    [
        pytest.param(snapshot_with(), True, id="healthy"),
        pytest.param(snapshot_with(workload=workload(desired=0)), True, id="not applicable"),
        pytest.param(
            snapshot_with(associations=(Association(id="a", role_arn=ROLE),), role=Unknown("x"), agent=agent()),
            True,
            id="pod identity",
        ),
        pytest.param(
            snapshot_with(associations=(Association(id="a", role_arn=ROLE),), role=Unknown("x"), agent=NO_AGENT),
            False,
            id="pod identity without agent",
        ),
        pytest.param(snapshot_with(service_account=service_account(None)), False, id="annotation gone"),
        pytest.param(snapshot_with(addon=addon(status="UPDATING")), False, id="an update runs"),
    ],
)
def test_a_summary_is_healthy_if_no_link_is_broken(snapshot: Snapshot, is_sound: bool) -> None:
    assert summary_of(snapshot).is_healthy is is_sound
    assert stored(summary_of(snapshot)).is_healthy is is_sound


def test_a_verdict_of_history_precedes_that_of_the_diagnosis() -> None:
    past = RepairHistory(incidents=tuple(repaired(timedelta(hours=n)) for n in (2, 3, 4)))
    value = summary_of(snapshot_with(service_account=service_account(None)), past)
    assert value.verdict is Verdict.FLAPPING
    assert value.verdicts == ("flapping", "annotation-missing")


def test_node_auto_repair_starts_with_the_longest_waiting_node() -> None:
    waiting = nodes(15, unready=2)
    watched = snapshot_with(nodes=waiting, node_repair=NodeRepair(nodegroups=("workers",)))
    assert summary_of(watched).repair_deadline == (NOW + timedelta(minutes=26)).isoformat()
    assert summary_of(snapshot_with(watched, node_repair=NodeRepair(nodegroups=("others",)))).repair_deadline == ""
    assert summary_of(snapshot_with(watched, nodes=nodes(15))).repair_deadline == ""


@pytest.mark.parametrize(
    ("snapshot", "warns"),
    [
        pytest.param(
            snapshot_with(invalid_settings={"/p/mode": "one of a, b"}),
            "the parameter /p/mode must be one of a, b; the default is used",
            id="setting",
        ),
        pytest.param(
            snapshot_with(nodes=nodes(15, unready=1, os="windows")),
            "Windows nodes use the node role: keep AmazonEKS_CNI_Policy on it",
            id="windows",
        ),
    ],
)
def test_a_fault_outside_the_chain_is_a_warning(snapshot: Snapshot, warns: str) -> None:
    assert warns in summary_of(snapshot).warnings


def test_an_invalid_binding_is_named() -> None:
    value = summary_of(snapshot_with(binding=InvalidBinding(path="/p", reason="is no ARN")))
    assert (value.binding_path, value.binding_version, value.desired_role) == ("/p", 0, "")
    assert summary_of(snapshot_with(binding=binding(version=7))).binding_version == 7


def test_a_record_that_its_owner_manages_is_no_broken_link() -> None:
    assert summary_of(snapshot_with(addon=addon(role_arn=None), settings=settings(addon_record=AddonRecord.NOTIFY_ONLY))).is_healthy
