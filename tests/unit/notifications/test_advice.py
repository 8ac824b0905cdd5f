"""What a message advises besides: versions, the end of support, who wrote what, and roles that are open to too many."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.assessment.summary_builder import look
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.snapshot import NOT_READ, FieldWriter, RoleFacts, Snapshot, SupportDates, Unknown, VersionAdvice
from lambdas.notifications.body import paragraphs
from lambdas.notifications.message_context import context_from_state
from lambdas.notifications.version_advice import newer_versions, support
from lambdas.notifications.wording import PLAIN
from tests.unit.domain.pictures import judged, seen
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import stories, write
from tests.unit.notifications.snapshots import ISSUER, NOW, ROLE, pods, service_account, trust

CLUSTER = {"version": "1.31"}


def until(standard: datetime | None, extended: datetime | None = None) -> dict[str, str]:
    dates = {"standard_until": standard, "extended_until": extended}
    return CLUSTER | {name: item.isoformat() for name, item in dates.items() if item}


def days(count: float) -> datetime:
    return NOW + timedelta(days=count)


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        pytest.param(until(days(12)), "Standard support of Kubernetes 1.31 ends in 12 days (2026-11-14).", id="soon"),
        pytest.param(until(days(1)), "Standard support of Kubernetes 1.31 ends tomorrow (2026-11-03).", id="tomorrow"),
        pytest.param(until(days(0.1)), "Standard support of Kubernetes 1.31 ends today (2026-11-02).", id="today"),
        pytest.param(until(days(90)), "Standard support of Kubernetes 1.31 ends in 90 days (2027-01-31).", id="the first day of it"),
        pytest.param(until(days(91)), "", id="a day earlier"),
        pytest.param(
            until(days(-3), days(40)),
            "Standard support of Kubernetes 1.31 ended on 2026-10-30; extended support, which costs more, ends in 40 days (2026-12-12).",
            id="extended",
        ),
        pytest.param(until(days(-3)), "Standard support of Kubernetes 1.31 ended on 2026-10-30.", id="over, and no other date"),
        pytest.param(
            until(days(-400), days(-3)),
            "Kubernetes 1.31 is no longer supported: EKS may upgrade the cluster by itself at any time.",
            id="over altogether",
        ),
        pytest.param(CLUSTER, "", id="not read"),
        pytest.param(CLUSTER | {"standard_until": "soon"}, "", id="no date"),
    ],
)
def test_the_end_of_support_is_told_in_days(cluster: dict[str, str], words: str) -> None:
    told = support(cluster, NOW)
    assert (told.render(PLAIN) if told else "") == words


@pytest.mark.parametrize(
    ("installed", "default", "latest", "words"),
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
def test_versions_are_named_as_far_as_they_are_others(installed: str, default: str, latest: str, words: str) -> None:
    told = newer_versions(installed, default, latest, "1.31")
    assert (told.render(PLAIN) if told else "") == words


def proof_of(picture: Snapshot) -> str:
    """The message of the proof, where this was the fault."""
    world = replace(FAULT_CASES["annotation-missing-latent"], build=lambda: picture)
    return next(write(occasion, about, incident).text for name, occasion, about, incident in stories(world) if name == "verified")


def broken(**changes: Any) -> Snapshot:
    return seen(service_account=service_account(None), pods=pods(15, None), **changes)


def test_what_was_read_of_versions_comes_into_the_message() -> None:
    advised = VersionAdvice(default="v1.20.1-eksbuild.1", latest="v1.20.3-eksbuild.1")
    text = proof_of(broken(versions=advised, support=SupportDates(standard_until=days(12), extended_until=days(377))))
    assert "the latest for Kubernetes 1.33 is v1.20.3-eksbuild.1." in text
    assert "Standard support of Kubernetes 1.33 ends in 12 days" in text


@pytest.mark.parametrize("unread", [NOT_READ, Unknown("403")])
def test_what_could_not_be_read_is_not_spoken_of(unread: Any) -> None:
    text = proof_of(broken(versions=unread, support=unread))
    assert "default for Kubernetes" not in text
    assert "upport of Kubernetes" not in text


# --- who did it --------------------------------------------------------------------------------------------------------------------------


def who_words(picture: Snapshot) -> str:
    world = replace(FAULT_CASES["annotation-missing-latent"], build=lambda: picture)
    _, occasion, about, incident = next(iter(stories(world)))
    return "\n".join(paragraph.render(PLAIN) for paragraph in paragraphs(context_from_state(occasion, about, incident)))


def test_the_last_writer_is_not_blamed_for_a_removal() -> None:
    text = who_words(broken())
    assert (
        "tells who removed the annotation, if anyone did; the last known writer of the ServiceAccount is the EKS add-on, 2026-10-23" in text
    )


def test_the_one_who_is_known_is_named_alone() -> None:
    actor = Actor(who="arn:aws:iam::111122223333:user/jane", what="patched the ServiceAccount", agent="kubectl/v1.33", at=NOW)
    text = who_words(broken(actor=actor))
    assert "Last change: patched the ServiceAccount, by user jane with kubectl" in text
    assert "who removed" not in text


def test_who_wrote_a_wrong_annotation_is_told_by_its_field_manager_and_not_by_the_last_writer() -> None:
    other = service_account("arn:aws:iam::111122223333:role/other", manager="eksctl")
    later = FieldWriter(manager="kubectl", at=NOW, owns_annotation=False)
    text = who_words(seen(service_account=replace(other, writers=(*other.writers, later))))
    assert "The annotation was written by eksctl, 2026-10-23 02:14 UTC." in text
    assert "kubectl" not in text


# --- a role that is open to too many, and one that has to be corrected -------------------------------------------------------------------


def audience_alone() -> dict[str, Any]:
    found = trust()
    del found["Statement"][0]["Condition"]["StringEquals"][f"{ISSUER.removeprefix('https://')}:sub"]
    return found


def test_a_role_that_any_service_account_can_take_is_a_note_and_no_verdict() -> None:
    picture = broken(role=RoleFacts(arn=ROLE, trust=audience_alone()))
    found, made = judged(picture)
    warned = look(picture, found, made).warnings
    assert made.actions
    assert "trust-condition-wrong" not in found.verdicts
    assert any("any ServiceAccount of this cluster can take the role prod-blue-vpc-cni" in item for item in warned)
    assert "Note: Any ServiceAccount of this cluster can take the role" in who_words(picture)


@pytest.mark.parametrize("name", ["trust-other-issuer", "trust-condition-wrong"])
def test_the_corrected_policy_is_told_in_full_once(name: str) -> None:
    for _, occasion, about, incident in stories(FAULT_CASES[name]):
        message, corrected = write(occasion, about, incident), about["look"]["corrected_trust"]
        full = occasion == "needs-action"
        assert ("assume_role_policy" in message.text) is full
        assert ("```" in json.loads(message.chat)["content"]["description"]) is full
        if full:
            begin = message.text.index("The corrected trust policy")
            lines = message.text[begin:].split("\n\n")[0].splitlines()[1:]
            assert json.loads("\n".join(lines)) == json.loads(corrected)
