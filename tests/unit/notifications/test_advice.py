"""Additional texts of a message: versions, the end of support, the last writer, and roles that trust every ServiceAccount."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.assessment.summary import ClusterSummary
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import NOT_READ, FieldWriter, RoleFacts, Snapshot, SupportDates, Unknown, VersionAdvice
from lambdas.notifications.body import paragraphs
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.version_advice import newer_versions, support
from lambdas.notifications.wording import PLAIN
from tests.unit.domain.snapshot_fixtures import snapshot_with
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import message_cases, write
from tests.unit.notifications.snapshots import ISSUER, NOW, ROLE, pods, service_account, trust

CLUSTER = ClusterSummary(name="prod-blue", version="1.31")


def until(standard: datetime, extended: datetime | None = None) -> ClusterSummary:
    return replace(CLUSTER, standard_until=standard.isoformat(), extended_until=extended.isoformat() if extended else "")


def days(count: float) -> datetime:
    return NOW + timedelta(days=count)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param(until(days(12)), "Standard support of Kubernetes 1.31 ends in 12 days (2026-11-14).", id="soon"),
        pytest.param(until(days(1)), "Standard support of Kubernetes 1.31 ends tomorrow (2026-11-03).", id="tomorrow"),
        pytest.param(until(days(0.1)), "Standard support of Kubernetes 1.31 ends today (2026-11-02).", id="today"),
        pytest.param(until(days(90)), "Standard support of Kubernetes 1.31 ends in 90 days (2027-01-31).", id="first day of the notice"),
        pytest.param(until(days(91)), "", id="one day before the notice"),
        pytest.param(
            until(days(-3), days(40)),
            "Standard support of Kubernetes 1.31 ended on 2026-10-30. Extended support, which costs more, ends in 40 days (2026-12-12).",
            id="extended",
        ),
        pytest.param(until(days(-3)), "Standard support of Kubernetes 1.31 ended on 2026-10-30.", id="ended, without extended support"),
        pytest.param(
            until(days(-400), days(-3)),
            "Kubernetes 1.31 is no longer supported. EKS may upgrade the cluster at any time.",
            id="extended support ended",
        ),
        pytest.param(CLUSTER, "", id="not read"),
        pytest.param(replace(CLUSTER, standard_until="soon"), "", id="not a date"),
    ],
)
def test_the_end_of_support_is_announced_in_days(cluster: ClusterSummary, expected: str) -> None:
    text = support(cluster, NOW)
    assert (text.render(PLAIN) if text else "") == expected


@pytest.mark.parametrize(
    ("installed", "default", "latest", "expected"),
    [
        ("v1", "v2", "v3", "the default for Kubernetes 1.31 is v2, the latest v3"),
        ("v1", "v2", "v2", "the default for Kubernetes 1.31 is v2"),
        ("v1", "v2", "", "the default for Kubernetes 1.31 is v2"),
        ("v1", "v1", "v3", "the latest for Kubernetes 1.31 is v3"),
        ("v1", "", "v3", "the latest for Kubernetes 1.31 is v3"),
        ("v3", "v2", "v3", "the default for Kubernetes 1.31 is v2"),
        ("v1", "v1", "v1", ""),
        ("v1", "", "", ""),
    ],
)
def test_only_versions_that_differ_are_named(installed: str, default: str, latest: str, expected: str) -> None:
    text = newer_versions(installed, default, latest, "1.31")
    assert (text.render(PLAIN) if text else "") == expected


def contexts(snapshot: Snapshot) -> dict[str, MessageContext]:
    """The context of every notification about this fault."""
    return dict(message_cases(replace(FAULT_CASES["annotation-missing-latent"], build=lambda: snapshot)))


def broken(**changes: Any) -> Snapshot:
    return snapshot_with(service_account=service_account(None), pods=pods(15, None), **changes)


def test_versions_that_were_read_are_in_the_message() -> None:
    advised = VersionAdvice(default="v1.20.1-eksbuild.1", latest="v1.20.3-eksbuild.1")
    snapshot = broken(versions=advised, support=SupportDates(standard_until=days(12), extended_until=days(377)))
    text = write(contexts(snapshot)["verified"]).text
    assert "the latest for Kubernetes 1.33 is v1.20.3-eksbuild.1." in text
    assert "Standard support of Kubernetes 1.33 ends in 12 days" in text


@pytest.mark.parametrize("unread", [NOT_READ, Unknown("403")])
def test_versions_that_were_not_read_are_not_mentioned(unread: Any) -> None:
    text = write(contexts(broken(versions=unread, support=unread))["verified"]).text
    assert "default for Kubernetes" not in text
    assert "upport of Kubernetes" not in text


# --- the last writer ---------------------------------------------------------------------------------------------------------------------


def body(snapshot: Snapshot) -> str:
    """The paragraphs of the first message about this fault."""
    return "\n".join(paragraph.render(PLAIN) for paragraph in paragraphs(contexts(snapshot)["repairing"]))


def test_the_last_writer_is_not_blamed_for_a_removal() -> None:
    expected = "does not record who removed an annotation. The last known writer of the ServiceAccount is the EKS add-on, 2026-10-23"
    assert expected in body(broken())


def test_a_known_actor_is_named_alone() -> None:
    actor = Actor(who="arn:aws:iam::111122223333:user/jane", what="patched the ServiceAccount", agent="kubectl/v1.33", at=NOW)
    text = body(broken(actor=actor))
    assert "Last change: patched the ServiceAccount, by user jane with kubectl" in text
    assert "who removed" not in text


def test_a_wrong_annotation_is_attributed_by_its_field_manager_and_not_to_the_last_writer() -> None:
    other = service_account("arn:aws:iam::111122223333:role/other", manager="eksctl")
    later = FieldWriter(manager="kubectl", at=NOW, owns_annotation=False)
    text = body(snapshot_with(service_account=replace(other, writers=(*other.writers, later))))
    assert "The annotation was last written by eksctl, 2026-10-23 02:14 UTC." in text
    assert "kubectl" not in text


# --- roles that trust too much, and trust policies to correct ----------------------------------------------------------------------------


def audience_alone() -> dict[str, Any]:
    policy = trust()
    del policy["Statement"][0]["Condition"]["StringEquals"][f"{ISSUER.removeprefix('https://')}:sub"]
    return policy


def test_a_role_that_trusts_every_service_account_is_a_note_and_no_verdict_and_is_not_written() -> None:
    snapshot = broken(role=RoleFacts(arn=ROLE, trust=audience_alone()))
    summary = contexts(snapshot)["needs-action"].current
    assert not summary.actions
    assert "trust-condition-wrong" not in summary.verdicts
    assert (
        "ny ServiceAccount of this cluster can "
        in "\n".join(paragraph.render(PLAIN) for paragraph in paragraphs(contexts(snapshot)["needs-action"])).split("Note: ")[1]
    )


@pytest.mark.parametrize("name", ["trust-other-issuer", "trust-condition-wrong"])
def test_only_the_first_message_has_the_complete_corrected_policy(name: str) -> None:
    for _, context in message_cases(FAULT_CASES[name]):
        message, is_first = write(context), context.kind == "needs-action"
        assert ("assume_role_policy" in message.text) is is_first
        assert ("```" in json.loads(message.chat)["content"]["description"]) is is_first
        if is_first:
            policy = message.text[message.text.index("Corrected trust policy") :].split("\n\n")[0].splitlines()[1:]
            assert json.loads("\n".join(policy)) == json.loads(context.current.corrected_trust)
