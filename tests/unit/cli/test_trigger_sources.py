"""What is said of each source that has to be switched on: on, off with the way to switch it on, or not known."""

from __future__ import annotations

import pytest

from cli.queries.trigger_sources import TriggerSource, sources
from cli.places import AuditLog
from lambdas.domain.errors import AccessDenied, Denial
from tests.unit.cli.fake_dependencies import FakeTriggerSources

DENIED = AccessDenied("list the trails: AccessDeniedException", denial=Denial.FORBIDDEN)

HEARD: dict[str, tuple[FakeTriggerSources, str, str, str]] = {
    "a trail": (FakeTriggerSources(), "CloudTrail", "on", "trail management"),
    "no trail": (FakeTriggerSources(logging=None), "CloudTrail", "off", "no trail here logs management events"),
    "trails that may not be listed": (FakeTriggerSources(logging=DENIED), "CloudTrail", "unknown", "AccessDeniedException"),
    "log written and read": (FakeTriggerSources(log=AuditLog(written=True, watched=True, others=1)), "audit log", "on", "within seconds"),
    "log written for nobody": (FakeTriggerSources(), "audit log", "off", "written, and not read: `audit_log: true`"),
    "log full": (FakeTriggerSources(log=AuditLog(written=True, others=2)), "audit log", "off", "both of others"),
    "log with one other": (FakeTriggerSources(log=AuditLog(written=True, others=1)), "audit log", "off", "not read"),
    "no log": (FakeTriggerSources(log=AuditLog(written=False)), "audit log", "off", "in EKS, then `audit_log: true`"),
    "a watcher of a log that is not written": (
        FakeTriggerSources(log=AuditLog(written=False, watched=True)),
        "audit log",
        "off",
        "the cluster writes none: switch it on in EKS",
    ),
    "an alarm": (FakeTriggerSources(alarms=("eks-irsa-remediator-nodes-demo",)), "alarm on nodes", "on", "nodes-demo"),
    "another cluster's alarm": (FakeTriggerSources(alarms=("eks-irsa-remediator-nodes-other",)), "alarm on nodes", "off", "nodes-demo"),
    "the sweep": (FakeTriggerSources(logging=None), "sweep", "on", "every 5 minutes"),
}


@pytest.mark.parametrize(("announcers", "what", "state", "detail"), HEARD.values(), ids=HEARD)
def test_a_source_is_told(trigger_sources: FakeTriggerSources, what: str, state: str, detail: str) -> None:
    found: dict[str, TriggerSource] = {source.what: source for source in sources("demo", trigger_sources)}
    assert list(found) == ["CloudTrail", "audit log", "alarm on nodes", "sweep"]
    assert found[what].state == state
    assert detail in found[what].detail
