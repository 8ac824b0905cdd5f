"""What a remediation does, step by step: every result that a checkpoint stores, every log line, write, metric, message, event and record.

After a wanted change, set `UPDATE_GOLDEN=1` for this test and read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lambdas.application.codec import encode
from lambdas.application.workflow_steps import Meter
from lambdas.contract.durable_quotas import MAX_OPERATIONS
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Conflict, Denial, Rejected, TransientError
from lambdas.domain.incidents.incident import FORMER_REPAIR, FormerRepair
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import Association
from lambdas.notifications.message_context import ApprovalAnswer
from sandbox.simulation.scenario import BOUND
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.notifications.test_golden import assert_golden
from tests.unit.workflow.test_association_repair import OWNED, WANTED
from tests.unit.workflow.test_conflicts import LACKING, associate, two_lose_their_credentials
from tests.unit.workflow.test_failed_repairs import WORKS_WITHOUT_ROLE, hold_successors, lack_permissions, miss_a_pod
from tests.unit.workflow.test_lost_nodes import QUICKLY, lose, lose_canary
from tests.unit.workflow.test_poll_schedule import by_hand, repaired_ago
from tests.unit.workflow.traces import Trace, TracedSteps, history_lines
from tests.unit.workflow.workflow_run import (
    APPROVE,
    KEY,
    OTHER,
    SHOWN,
    WorkflowRun,
    count_signal,
    keep_waiting,
    run_workflow,
    set_annotation,
    together,
    update_ends,
    update_runs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.domain.incidents.incident import Incident
    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import InterruptedSteps

GOLDEN: Final = Path(__file__).parent / "golden"
YES: Final = ApprovalAnswer(approved=True, plan=SHOWN, by="dana")
Change = Callable[["ScenarioRun"], None]
TRUST: Final[dict[str, Any]] = {"trust": "other-subject"}
"""The role trusts another ServiceAccount, so that only a person can repair the fault."""


def fails(method: str, error: Exception | None = None, *, times: int | None = None, after: bool = False) -> Change:
    """Calls of a port fail from now on."""
    return lambda run: run.world.fail(method, error or TransientError(f"{method}: 503"), times=times, after=after)


def works(run: ScenarioRun) -> None:
    """Every call answers again."""
    run.world.call_faults.clear()


def put_setting(name: str, value: str) -> Change:
    """A person changes a setting of the cluster."""
    return lambda run: run.world.parameters.update({settings_path(CLUSTER, name): Parameter(value=value, changed_at=run.world.now)})


def unbind(run: ScenarioRun) -> None:
    """A person deletes the binding."""
    del run.world.parameters[binding_path(CLUSTER, *KEY)]


def set_addon_role(role: str) -> Change:
    """Another program sets the role of the add-on record."""

    def change(run: ScenarioRun) -> None:
        addons = run.world.cluster.addons
        addons["vpc-cni"] = replace(addons["vpc-cni"], role_arn=role)

    return change


def is_taken_over(run: ScenarioRun) -> None:
    """Another execution takes the incident over."""
    (incident,) = run.opened
    run.incidents.take_over(run.incidents.get(incident.target) or incident, replace(incident, id="successor"))


def repair_has_failed(run: ScenarioRun) -> None:
    """The incident is opened after one whose repair had failed."""
    claim = run.incidents.claim

    def claim_after(incident: Incident) -> Incident:
        return claim(replace(incident, request={**incident.request, FORMER_REPAIR: FormerRepair.FAILED}))

    run.incidents.claim = claim_after  # type: ignore[method-assign]


def nears_its_quota(run: ScenarioRun, steps: InterruptedSteps) -> None:
    """The first execution uses up its operations."""
    steps.meter = Meter(operations=MAX_OPERATIONS) if len(run.remediator.executions) == 1 else None


def crash_successors(run: ScenarioRun) -> None:
    """Pods that start from now on do not become ready."""
    run.world.cluster.successors_crash = True


def some_have_the_role(run: ScenarioRun) -> None:
    """The annotation was set by hand, and most pods were replaced."""
    set_annotation(BOUND_ROLE)(run)
    for name in list(run.world.cluster.pods)[:5]:
        run.world.replace_pod(run.world.cluster, name)


BRIEFLY: Final[dict[str, Any]] = {"settings": {"verification_timeout_s": "60"}}
RESTART_REFUSED: Final = AccessDenied("restart DaemonSet: 403 denied request", denial=Denial.FORBIDDEN)

CLAIM: Final = {"annotation": BOUND, "settings": {"claim": "always"}}
STORIES: Final[dict[str, dict[str, Any]]] = {
    "repair": {},
    "repair-of-record-and-annotation": {"world": {"addon_role": None, "annotation": OTHER}},
    "addon-deleted-before-update": {
        "world": {"addon_role": None, "annotation": BOUND},
        "before": {"1.1 apply update-addon-role": lambda run: run.world.cluster.addons.clear()},
    },
    "record-changed-before-update": {
        "world": {"addon_role": None, "annotation": BOUND},
        "before": {"1.1 apply update-addon-role": set_addon_role(OTHER)},
    },
    "record-set-by-another": {
        "world": {"addon_role": None, "annotation": BOUND},
        "before": {"1.1 apply update-addon-role": set_addon_role(BOUND_ROLE)},
    },
    "repair-of-a-deployment": {"world": {"service_account": "ebs-csi-controller-sa"}},
    "repair-after-cool-down": {"first": lambda run: run.incidents.remember(repaired_ago(timedelta(seconds=60)))},
    "repair-after-update": {"first": update_runs, "before": {"1 await-update": update_ends}},
    "update-without-end": {"first": together(update_runs, put_setting("update_timeout_s", "120"))},
    "approved": {"world": APPROVE, "answer": lambda _: YES},
    "approved-another-plan": {"world": APPROVE, "answer": lambda _: replace(YES, plan="another")},
    "approved-no-plan": {"world": APPROVE, "answer": lambda _: replace(YES, plan="")},
    "approved-and-changed": {"world": APPROVE, "answer": lambda _: YES, "before": {"1 assess approved": unbind}},
    "rejected": {"world": APPROVE, "answer": lambda _: replace(YES, approved=False)},
    "not-answered": {"world": APPROVE},
    "conflict": {"before": {"1.1 apply annotate-service-account": set_annotation(OTHER)}},
    "binding-deleted-before-write": {"before": {"1.1 apply annotate-service-account": unbind}},
    "observe-mode-before-write": {"before": {"1.1 apply annotate-service-account": put_setting("mode", "observe")}},
    "annotation-changed-before-restart": {"before": {"1.3 apply restart-workload": set_annotation(OTHER)}},
    "second-fault-before-close": {"before": {"2 close": together(count_signal, set_annotation(None))}},
    "annotation-set-by-another": {"before": {"1.1 apply annotate-service-account": set_annotation(BOUND_ROLE)}},
    "below-the-notified-severity": {"world": {"settings": {"notify_from": "critical"}, "node_role_has_permissions": True}},
    "failed-before-take-over": {"first": repair_has_failed},
    "signal-before-close": {"before": {"2 close": count_signal}},
    "signal-before-close-and-reads-fail": {"before": {"2 close": together(count_signal, fails("cluster.pods", times=5))}},
    "rolled-back": {"world": {"node_role_has_permissions": True}, "before": {"1 verify": lack_permissions}},
    "canary-not-ready": {"world": {"node_role_has_permissions": True, "role_has_permissions": False}},
    "canary-without-successor": {"world": WORKS_WITHOUT_ROLE, "first": lambda run: hold_successors(run, [])},
    "canary-missed-by-webhook": {"first": lambda run: setattr(run.world.cluster.webhook, "misses", 99)},
    "canary-on-lost-node": {"world": {"settings": QUICKLY}, "before": {"1.2 check-canary": lose_canary}},
    "pods-not-starting": {"before": {"1 verify": keep_waiting("ImagePullBackOff")}},
    "pods-starting-slowly": {"world": BRIEFLY, "before": {"1 verify": keep_waiting("ContainerCreating")}},
    "batches": {"first": fails("cluster.restart", RESTART_REFUSED)},
    "batches-beside-lost-node": {"world": {"nodes": 5, "settings": QUICKLY}, "first": lose(0)},
    "batches-stuck": {"world": {"nodes": 12, **WORKS_WITHOUT_ROLE}, "first": together(some_have_the_role, crash_successors)},
    "batches-outdated": {"first": fails("cluster.restart", RESTART_REFUSED), "before": {"1.3 replace-pods": set_annotation(OTHER)}},
    "batches-unread": {
        "first": fails("cluster.restart", RESTART_REFUSED),
        "before": {"1.3 replace-pods": fails("cluster.nodes", times=6)},
    },
    "annotation-rejected": {"first": fails("cluster.apply_annotation", Rejected("422 invalid"))},
    "annotation-unanswered": {"first": fails("cluster.apply_annotation", times=5, after=True)},
    "restart-conflicts-once": {"before": {"1.3 apply restart-workload": fails("cluster.restart", Conflict("it has changed"), times=1)}},
    "association-gone-before-update": {
        "world": {"pod_identity": OTHER},
        "before": {"1.1 apply update-association": lambda run: run.world.cluster.associations.update({KEY: ()})},
    },
    "association-created": {"world": WANTED},
    "association-updated": {"world": {"pod_identity": OTHER}},
    "association-of-addon-updated": {"world": OWNED},
    "association-made-by-another": {
        "world": WANTED,
        "before": {
            "1.1 apply create-association": lambda run: run.world.cluster.associations.update(
                {KEY: (Association(id="a-9", role_arn=OTHER),)}
            )
        },
    },
    "association-changed-before-pods": {
        "world": LACKING,
        "first": two_lose_their_credentials,
        "before": {"1.2 replace-pods": associate(OTHER)},
    },
    "association-rolled-back": {"world": {"pod_identity": OTHER}, "before": {"1 verify": lack_permissions}},
    "reminder": {"world": TRUST, "watches": 1},
    "observe-mode": {"world": {"settings": {"mode": "observe"}}},
    "repaired-by-hand": {"world": {"settings": {"mode": "observe"}}, "before": {"1 watch 1": by_hand}, "watches": 1},
    "claimed": {"world": CLAIM},
    "claimed-by-another": {"world": CLAIM, "before": {"1.1 apply annotate-service-account": set_annotation(BOUND_ROLE)}},
    "claim-unanswered": {"world": CLAIM, "first": fails("cluster.apply_annotation", times=1, after=True)},
    "reads-fail": {"before": {"1 assess": fails("cluster.pods", times=9), "1 verify": fails("eks.cluster", times=9)}},
    "login-denied": {"first": fails("cluster.service_account", AccessDenied("401", denial=Denial.UNAUTHENTICATED))},
    "notifications-fail": {"first": fails("notifier.send"), "before": {"2 notify-again": works}},
    "events-fail": {"first": fails("events.put"), "before": {"2 notify-again": works}},
    "table-fails": {"before": {"1 claim": fails("incidents.mark_repairing", times=5), "2 close": fails("incidents.close", times=5)}},
    "callback-not-stored": {"world": APPROVE, "answer": lambda _: YES, "first": fails("incidents.mark_approval_requested")},
    "cluster-unread-before-canary": {"before": {"1.2 check-canary": fails("cluster.pods", times=5)}},
    "handed-over": {
        "world": BRIEFLY,
        "first": fails("incidents.hand_over", times=5),
        "before": {"1 verify": miss_a_pod},
        "prepare": nears_its_quota,
    },
    "taken-over": {"before": {"1.1 apply annotate-service-account": is_taken_over}},
    "taken-over-at-close": {"before": {"2 close": is_taken_over}},
}
"""Arguments of `run_workflow`."""


def lines_of(story: dict[str, Any]) -> Iterator[str]:
    """The trace of a story, and the record of its incident."""
    traces: list[Trace] = []

    def prepare(run: ScenarioRun, steps: InterruptedSteps) -> None:
        assert isinstance(steps, TracedSteps)
        traces.append(traces[-1] if traces else Trace(run))
        traces[-1].skip()
        steps.trace = traces[-1]
        story.get("prepare", lambda *_: None)(run, steps)

    world = {"nodes": 3, **story.get("world", {})}
    done: WorkflowRun = run_workflow(**{**story, "world": world, "prepare": prepare, "kind": TracedSteps})
    yield from traces[-1].lines()
    for ended in done.run.ended:
        yield f"ended: {json.dumps(encode(ended))}".replace(done.run.opened[0].id, "<incident>")
    for past in done.run.incidents.closed:
        yield from history_lines(past)


@pytest.mark.parametrize("name", STORIES)
def test_the_trace_is_as_reviewed(name: str) -> None:
    assert_golden(GOLDEN / f"{name}.txt", "\n".join(lines_of(STORIES[name])) + "\n")


def test_every_trace_has_a_story() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(STORIES)
