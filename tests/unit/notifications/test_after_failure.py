"""The message after a step of ours failed describes the present state, and advises nothing that makes it worse."""

from dataclasses import replace

import pytest

from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.incidents.details import DeletedPod
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import AddonFacts
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.title import Mark, mark
from tests.unit.notifications.fault_cases import FAULT_CASES, repaired_summary
from tests.unit.notifications.message_cases import write
from tests.unit.notifications.snapshots import NOW, healthy_snapshot, incident, with_pod_identity

NODE = "ip-10-0-0-12.eu-west-1.compute.internal"
DELETED = DeletedPod(name="aws-node-12", node=NODE)


def failed(name: str, *, is_gone: bool = False, deleted: DeletedPod | None = DELETED) -> MessageContext:
    """The message after the first pod was replaced without a successor. With `is_gone`, no link is broken any more."""
    case = FAULT_CASES[name]
    before = case.assess()
    return MessageContext(
        kind=NotificationKind.NEEDS_ACTION,
        incident=incident(),
        current=repaired_summary(case.build(), NOW) if is_gone else before,
        first=before,
        changes=("replace-canary-pod",),
        trouble="pod aws-node-12 was replaced, and no successor was ready within 2 minutes",
        deleted_pod=deleted,
    )


@pytest.mark.parametrize("name", ["annotation-missing", "annotation-missing-latent", "pods-stale", "pods-without-credentials"])
@pytest.mark.parametrize("is_gone", [False, True])
def test_pod_and_node_come_first_and_the_mark_is_urgent(name: str, is_gone: bool) -> None:
    context = failed(name, is_gone=is_gone)
    title, _, text = write(context).text.partition("\n")
    assert f"node {NODE} has no ready aws-node pod" in title
    assert text.strip().startswith(f"The remediator deleted pod aws-node-12 on node {NODE}, and no successor is ready.")
    assert mark(context) is Mark.URGENT
    assert "nothing fails yet" not in text


@pytest.mark.parametrize("name", ["annotation-missing", "annotation-wiped", "addon-role-missing"])
def test_a_fault_that_is_gone_is_told_as_former(name: str) -> None:
    context = failed(name, is_gone=True, deleted=None)
    text = write(context).text
    assert f"What was broken: {context.first.sentence} No link of the identity chain is broken." in text
    for former in ("Running pods keep their network", "Last change", "Evidence", "does not record"):
        assert former not in text, former


def test_no_further_pod_is_to_be_deleted_while_one_has_no_successor() -> None:
    with_successors = write(failed("pods-without-credentials", deleted=None)).text
    assert "kubectl -n kube-system delete pod" in with_successors
    text = write(failed("pods-without-credentials")).text
    assert "delete pod" not in text
    assert "Replacing these pods is the fix" not in text


def test_no_pod_is_to_be_deleted_while_the_release_may_not_start_with_the_role() -> None:
    lacking = with_pod_identity(healthy_snapshot(), bare=15)
    assert isinstance(lacking.addon, AddonFacts)
    snapshot = replace(lacking, addon=replace(lacking.addon, version="v1.22.1-eksbuild.1"))
    diagnosis = diagnose(snapshot)
    summary = summarize(snapshot, diagnosis, plan(snapshot, diagnosis, RepairHistory()))
    text = write(MessageContext(kind=NotificationKind.NEEDS_ACTION, incident=incident(), current=summary, first=summary)).text
    assert "v1.22.1-eksbuild.1 does not start without it" in text
    assert "delete pod" not in text
    assert "Replacing these pods is the fix" not in text


def test_a_part_that_the_repair_does_not_change_is_named_at_once() -> None:
    summary = FAULT_CASES["annotation-missing-and-pods-not-created"].assess()
    context = MessageContext(kind=NotificationKind.REPAIRING, incident=incident(), current=summary, first=summary)
    text = write(context).text
    assert "repair in progress, a part needs a person" in text.splitlines()[0]
    assert 'wants 15 pods and has 0: failed calling webhook "validate.kyverno.svc"' in text
    assert "kubectl -n kube-system describe daemonset aws-node" in text
    others = replace(context, current=FAULT_CASES["annotation-missing"].assess())
    assert "no action needed yet" in write(others).text.splitlines()[0]
