"""State and detail of each trigger source."""

from __future__ import annotations

import pytest

from cli.clients.ports import AuditLog
from cli.queries.trigger_sources import trigger_sources
from lambdas.domain.errors import AccessDenied, Denial
from tests.unit.cli.fake_dependencies import FakeTriggerSources

DENIED = AccessDenied("list the trails: AccessDeniedException", denial=Denial.FORBIDDEN)


def audit_log(**fields: bool | int) -> FakeTriggerSources:
    return FakeTriggerSources(log=AuditLog(**{"is_written": True, **fields}))  # type: ignore[arg-type]  # each row names fields of its type


SOURCES: dict[str, tuple[FakeTriggerSources, str, str, str]] = {
    "a trail": (FakeTriggerSources(), "CloudTrail", "on", "trail management"),
    "no trail": (FakeTriggerSources(logging_trail=None), "CloudTrail", "off", "no trail here logs management events"),
    "trails denied": (FakeTriggerSources(logging_trail=DENIED), "CloudTrail", "unknown", "AccessDeniedException"),
    "audit log written and watched": (audit_log(is_watched=True, other_subscriptions=1), "audit log", "on", "within seconds"),
    "audit log not watched": (audit_log(), "audit log", "off", "does not subscribe to it: set `audit_log: true`"),
    "audit log with two other subscriptions": (audit_log(other_subscriptions=2), "audit log", "off", "2 other subscriptions"),
    "audit log with one other subscription": (audit_log(other_subscriptions=1), "audit log", "off", "does not subscribe"),
    "no audit log": (audit_log(is_written=False), "audit log", "off", "in EKS, then set `audit_log: true`"),
    "audit log watched but not written": (audit_log(is_written=False, is_watched=True), "audit log", "off", "switch it on in EKS"),
    "an alarm": (FakeTriggerSources(alarms={"eks-irsa-remediator-nodes-demo": "OK"}), "alarm on nodes", "on", "nodes-demo"),
    "an alarm in ALARM": (FakeTriggerSources(alarms={"eks-irsa-remediator-nodes-demo": "ALARM"}), "alarm on nodes", "on", "nodes-demo"),
    "an alarm without data": (
        FakeTriggerSources(alarms={"eks-irsa-remediator-nodes-demo": "INSUFFICIENT_DATA"}),
        "alarm on nodes",
        "off",
        "eks-irsa-remediator-nodes-demo has no data: its metric comes from the enhanced Container Insights only",
    ),
    "alarm of another cluster": (
        FakeTriggerSources(alarms={"eks-irsa-remediator-nodes-other": "OK"}),
        "alarm on nodes",
        "off",
        "nodes-demo",
    ),
    "the sweep": (FakeTriggerSources(logging_trail=None), "sweep", "on", "every 5 minutes"),
}


@pytest.mark.parametrize(("port", "name", "state", "detail"), SOURCES.values(), ids=SOURCES)
def test_each_source_has_a_state_and_a_detail(port: FakeTriggerSources, name: str, state: str, detail: str) -> None:
    sources = {source.name: source for source in trigger_sources("demo", port)}
    assert list(sources) == ["CloudTrail", "audit log", "alarm on nodes", "sweep"]
    assert sources[name].state == state
    assert detail in sources[name].detail
