"""Each trigger source alone finds the fault, with every other source disabled."""

import json

import pytest

from lambdas.domain.snapshot.snapshot import ComputeType
from sandbox.simulation.aws_account import CHECKER, CLUSTER
from sandbox.simulation.checker_reads import decision, read_since, request_counts
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, World
from sandbox.simulation.trigger_sources import TRIGGER_SOURCES, enable_only
from tests.waiting import eventually

pytestmark = pytest.mark.sandbox

FOUND = {
    "add-on call": {"update-in-progress", "annotation-missing", "addon-role-missing"},  # the update may have ended before the look
    "pod identity call": {"pod-identity-agent-missing"},
    "parameter changed": {"binding-invalid"},
    "refused call": {"permissions-missing"},
    "refused token": {"sts-error"},  # trust policy and provider are right
    "audit log: webhook failed open": {"webhook-missed", "pods-stale"},  # the pod may be created in the second of the annotation
}


@pytest.mark.parametrize("name", TRIGGER_SOURCES)
def test_the_fault_is_found_with_every_other_source_disabled(name: str) -> None:
    source = TRIGGER_SOURCES[name]
    with SandboxEnvironment(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as env:
        enable_only(env, source)
        before = request_counts(env)
        source.inject_fault(env)
        source.send(env)
        assert eventually(lambda: decision(env)) in FOUND.get(name, {"annotation-missing"})
        # The verdict may be quicker than the delivery by the second rule.
        rules = eventually(lambda: {delivery.rule for delivery in env.bus.deliveries()}, lambda seen: seen >= set(source.rules))
        assert rules == set(source.rules)
        kubernetes, aws = read_since(env, before)
        agent = {"pods": 2} if name == "pod identity call" else {}  # the pods of the Pod Identity agent
        unready = 1 if name == "audit log: webhook failed open" else 0  # the node of the replaced pod is read by name if it is not Ready
        types = len(ComputeType) if name == "pod identity call" else 0  # nodes without the agent: one list for each type
        assert kubernetes.pop("nodes") in {1 + types, 1 + types + unready}
        assert dict(kubernetes) == dict.fromkeys(("serviceaccounts", "daemonsets", "pods", "events"), 1) | agent
        assert aws.total() <= 16, aws


def test_a_warm_checker_reads_a_changed_parameter_again() -> None:
    with SandboxEnvironment(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as env:
        enable_only(env, TRIGGER_SOURCES["parameter changed"])
        warmed = [env.functions.pool(CHECKER).invoke(json.dumps({"cluster": CLUSTER}).encode()) for _ in range(2)]
        assert [item.failed for item in warmed] == [False, False]
        TRIGGER_SOURCES["parameter changed"].inject_fault(env)
        TRIGGER_SOURCES["parameter changed"].send(env)
        assert eventually(lambda: decision(env)) == "binding-invalid"


def test_the_message_names_the_webhook_that_failed_open_and_the_pod() -> None:
    name = "audit log: webhook failed open"
    source = TRIGGER_SOURCES[name]
    with SandboxEnvironment(World(nodes=2, addon_role=BOUND, settings={"mode": "observe"})) as env:
        enable_only(env, source)
        source.inject_fault(env)
        source.send(env)
        text = eventually(lambda: json.dumps(env.messages(), ensure_ascii=False), lambda messages: "webhook" in messages, within_s=60)
        assert "create of aws-node-" in text
        assert "for which webhook iam-for-pods.example.com failed open" in text.replace("․", ".")
