"""Whole runs follow the contract: calls made are calls granted, and emitted metrics are declared."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from lambdas.contract.access import IAM, SIMULATION, Target
from lambdas.contract.environment import Function
from lambdas.contract.metrics import ALL
from lambdas.contract.names import ANY_CLUSTER, EVENT_SOURCE, METRIC_NAMESPACE, PARAMETER_ROOT
from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import KNOWN_ADDONS
from sandbox.aws.call_log import Call
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.faults import Fault, FaultKind
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR, TABLE, resolve_role, role_arn
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, Scenario, load
from sandbox.simulation.scenario_run import ScenarioRun
from sandbox.simulation.trigger_events import announce
from tests.sandbox.expectations import TIMEOUT_S
from tests.waiting import eventually

pytestmark = pytest.mark.sandbox

PASSED_TO = {grant.condition["StringEquals"]["iam:PassedToService"] for grant in IAM if grant.condition and grant.action == "iam:PassRole"}
Used = tuple[Function, str, Target]
FUNCTIONS = {CHECKER: Function.CHECKER, REMEDIATOR: Function.REMEDIATOR}


def invoked_remediator(arn: str) -> Target | None:
    """The remediator, where the ARN names its alias."""
    return Target.REMEDIATOR if re.search(rf":function:{REMEDIATOR}:\w+$", arn) else None


ON = {
    "ssm:GetParametersByPath": lambda item: Target.PARAMETERS if item["Path"].startswith(PARAMETER_ROOT) else None,
    "ssm:GetCalendarState": lambda item: Target.CHANGE_CALENDARS if item["CalendarNames"] else None,
    "eks:DescribeAddon": lambda item: Target.ADDONS if item["clusterName"] else None,
    "eks:UpdateAddon": lambda item: Target.KNOWN_ADDONS if item["addonName"] in KNOWN_ADDONS else None,
    "eks:DescribeNodegroup": lambda item: Target.NODEGROUPS if item["nodegroupName"] else None,
    "eks:DescribePodIdentityAssociation": lambda item: Target.ASSOCIATIONS if item["associationId"] else None,
    "eks:ListClusters": lambda item: Target.EVERYTHING,
    "eks:DescribeAddonVersions": lambda item: Target.EVERYTHING,
    "eks:DescribeClusterVersions": lambda item: Target.EVERYTHING,
    "iam:GetRole": lambda item: Target.BOUND_ROLES if role_arn(item["RoleName"]) == resolve_role(BOUND) else None,
    "iam:GetOpenIDConnectProvider": lambda item: Target.OIDC_PROVIDERS if ":oidc-provider/" in item["OpenIDConnectProviderArn"] else None,
    "iam:SimulatePrincipalPolicy": lambda item: Target.BOUND_ROLES if item["PolicySourceArn"] == resolve_role(BOUND) else None,
    "iam:PassRole": lambda item: Target.PASSABLE_ROLES if item["PassedToService"] in PASSED_TO else None,
    "eks:CreatePodIdentityAssociation": lambda item: Target.NAMED_CLUSTERS if item["clusterName"] == CLUSTER else None,
    "eks:UpdatePodIdentityAssociation": lambda item: Target.NAMED_ASSOCIATIONS if item["clusterName"] == CLUSTER else None,
    "lambda:InvokeFunction": lambda item: Target.CHECKER if item["FunctionName"] == CHECKER else invoked_remediator(item["FunctionName"]),
    "events:PutEvents": lambda item: Target.EVENT_BUS if {entry["Source"] for entry in item["Entries"]} == {EVENT_SOURCE} else None,
    "dynamodb:BatchGetItem": lambda item: Target.INCIDENTS if set(item["RequestItems"]) == {TABLE} else None,
    "sns:Publish": lambda item: Target.CHAT_TOPIC if item["TopicArn"].endswith("-chat") else Target.PEOPLE_TOPIC,
}
"""Action -> what its parameters make it a call on; None where that is nothing of ours."""


NOT_SEEN_HERE: set[Used] = {
    (Function.REMEDIATOR, "lambda:GetDurableExecutionState", Target.REMEDIATOR),  # the SDK, for a history longer than one page
    (Function.CHECKER, "events:PutEvents", Target.EVENT_BUS),  # a check that hands over, since signals arrive for longer than its lease
}


def target_of(call: Call) -> Target | None:
    if call.action in ON:
        return ON[call.action](call.params)
    service = call.action.partition(":")[0]
    if service == "dynamodb":
        return Target.INCIDENTS if call.params["TableName"] == TABLE else None
    if service == "lambda":
        return Target.REMEDIATOR
    return Target.CLUSTERS if service == "eks" and call.params.get("clusterName", call.params.get("name")) else None


@dataclass
class Runs:
    """The calls and writes of both functions in several runs."""

    calls: list[Call] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def play(self, scenario: Scenario, *, default_binding: bool = False, sweep_again: bool = False, faulty: bool = False) -> None:
        """Run a scenario, with a binding for every cluster or beside an unbound cluster.

        With `faulty`, SNS fails for a while, and an event without a valid body arrives.
        """
        with SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits, preloaded=True) as env:
            if default_binding:
                path = binding_path(ANY_CLUSTER, NAMESPACE, scenario.world.service_account)
                env.aws.client("ssm").put_parameter(Name=path, Value=role_arn("{cluster}-vpc-cni"), Type="String")
            else:
                unbound = ClusterSpec(name="nobodys", version="1.33", endpoint=env.backend.url, ca_data=env.backend.ca_data)
                env.aws.eks.add_cluster(unbound)
            if faulty:
                env.aws.faults.add(Fault(service="sns", operation="Publish", kind=FaultKind.SERVER_ERROR, times=25))
                env.bus.put({"source": EVENT_SOURCE, "detail-type": "Check Requested", "detail": {"schemaVersion": 1}})
            ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run()
            if sweep_again:
                announce(env, "sweep")
                eventually(lambda: env.aws.calls.of(CHECKER, "lambda:GetDurableExecution"))
            # The API server asks STS whose token it is, with the URL that the function signed; that call needs no permission.
            self.calls += (call for call in env.aws.calls.all() if call.principal in FUNCTIONS and call.action != "sts:GetCallerIdentity")
            self.lines += (line for _, line in env.lines)


def variant(name: str, outcome: str, **world: Any) -> Scenario:
    """A scenario with another world, and the end to which that brings it."""
    scenario = load(name)
    return replace(scenario, world=replace(scenario.world, **world), expect=replace(scenario.expect, outcome=outcome))


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Scenario runs that together need every grant and emit every metric."""
    seen = Runs()
    seen.play(load("repair-clock"))
    seen.play(load("pod-identity-agent-missing"))
    seen.play(load("association-wanted"))
    seen.play(load("association-differs"))
    # The local AWS has no change calendars, and a calendar that cannot be read holds back what can wait.
    seen.play(variant("latent", "needs-action", settings={"maintenance_window": "calendar:nightly"}))
    seen.play(variant("found-by-sweep", "verified", binding=None), default_binding=True)
    seen.play(load("trust-condition-wrong"), sweep_again=True)
    seen.play(load("no-access"), faulty=True)
    return seen


def test_every_call_is_on_a_resource_of_the_deployment(runs: Runs) -> None:
    foreign = {(call.action, json.dumps(call.params, default=str)[:200]) for call in runs.calls if target_of(call) is None}
    assert foreign == set()


def test_calls_made_are_calls_granted(runs: Runs) -> None:
    made = {(FUNCTIONS[call.principal], call.action, on) for call in runs.calls if (on := target_of(call)) is not None}
    granted = {(function, grant.action, grant.on) for grant in IAM if grant.optional in (None, SIMULATION) for function in grant.by}
    ours = {item for item in granted if item[0] in FUNCTIONS.values()}
    assert made | NOT_SEEN_HERE == ours


def test_no_call_was_refused_for_a_missing_grant(runs: Runs) -> None:
    assert [call.action for call in runs.calls if call.error.startswith("AccessDenied")] == []


def test_metrics_emitted_are_those_of_the_contract(runs: Runs) -> None:
    """The dashboard draws just these, which the tests of the template say."""
    assert {item for line in runs.lines for item in metrics_in(line)} == {(item.name, item.dimensions, item.unit.value) for item in ALL}


def metrics_in(line: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Name, dimensions and unit of each metric, as CloudWatch reads them.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if '"_aws"' not in line:
        return
    read = json.loads(line)
    for directive in read["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == METRIC_NAMESPACE
        for metric in directive["Metrics"]:
            assert isinstance(read[metric["Name"]], int | float | list)
            for dimensions in directive["Dimensions"]:
                assert all(read[name] for name in dimensions)
                yield metric["Name"], tuple(dimensions), metric["Unit"]
