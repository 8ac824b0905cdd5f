"""`irsa-remediator verify` against the deployed functions of one sandbox: a green run, and every fault named by one failing check."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trustme

from cli.clients import connection
from cli.options import GlobalOptions
from cli.queries.stack_verification.results import CheckResult, Verification
from cli.queries.stack_verification.run import run_checks, served_clusters
from lambdas.contract.access import CHECKER_GROUP, REMEDIATOR_GROUP, VERIFY_ACTIONS
from lambdas.contract.environment import Function
from lambdas.contract.metrics import SWEEPS
from lambdas.contract.names import METRIC_NAMESPACE, PROJECT
from lambdas.contract.parameters import binding_path
from lambdas.contract.self_test import SelfTestRequest
from lambdas.contract.settings import settings_path
from lambdas.contract.stack_checks import STACK_CHECKS, CheckId
from sandbox.cluster import aws_node
from sandbox.cluster.resources import ROLE_BINDINGS
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR, role_arn
from sandbox.simulation.environment import SWEEP_RULE, SandboxEnvironment
from sandbox.simulation.scenario import BOUND, World
from tests.sandbox.test_cli import ADMINS, ONCALL, Terminal, let_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sandbox.aws.http_messages import Request, Response

pytestmark = pytest.mark.sandbox

MAIL = "oncall@example.com"
WORLD = World(nodes=1, addon_role=BOUND, settings={"mode": "observe"})
OFF = {CheckId.ADMISSION_POLICIES, CheckId.AUDIT_LOG, CheckId.NODE_ALARM}


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    with SandboxEnvironment(WORLD, preloaded=True, skip_time=True) as standing:
        let_in(standing, ONCALL, ADMINS)
        _finish_deployment(standing)
        yield standing


def _finish_deployment(env: SandboxEnvironment) -> None:
    """Add what the stack has and the scenarios do not need: alarm, trail, key and the metric of a sweep."""
    cloudwatch, cloudtrail = env.aws.client("cloudwatch"), env.aws.client("cloudtrail")
    cloudwatch.put_metric_data(
        Namespace=METRIC_NAMESPACE, MetricData=[{"MetricName": SWEEPS.name, "Value": 1, "Timestamp": datetime.now(UTC)}]
    )
    cloudwatch.put_metric_alarm(
        AlarmName="CheckerThrottles",
        AlarmActions=[env.topics.people],
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Throttles",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    cloudwatch.set_alarm_state(AlarmName="CheckerThrottles", StateValue="OK", StateReason="none")
    env.aws.client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloudtrail.create_trail(Name="management", S3BucketName="trail")
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": True}
    cloudtrail.put_event_selectors(TrailName="management", EventSelectors=[selector])
    cloudtrail.start_logging(Name="management")
    key = env.aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    for topic in (env.topics.people, env.topics.chat):
        env.aws.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue=key)


@pytest.fixture(scope="module")
def verified(env: SandboxEnvironment) -> Iterator[Callable[[], list[CheckResult]]]:
    """Run all checks with the rights of a person, in this process, with the clients of the former run."""

    def run() -> list[CheckResult]:
        clusters = served_clusters(dependencies, ())
        verification = Verification(dependencies=dependencies, clusters=clusters, seconds=time.monotonic)
        run_checks(verification, lambda _: None)
        return verification.results

    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**env.function_variables(), **env.aws.environment(ONCALL)}.items():
            patched.setenv(name, value)
        dependencies = connection.connect(GlobalOptions())
        yield run


def test_a_sound_stack_has_no_check_that_is_refuted_or_not_known(verified: Callable[[], list[CheckResult]]) -> None:
    results = verified()
    assert {result.check: result.detail for result in results if result.answer != "shown" and not result.is_off} == {}
    assert {result.check for result in results if result.is_off} == OFF
    assert {result.check for result in results} == set(STACK_CHECKS) - {CheckId.TEST_MESSAGE}


def test_verify_writes_a_document_and_makes_the_calls_that_access_lists(env: SandboxEnvironment) -> None:
    env.aws.calls.clear()
    document = Terminal(env, ONCALL).document("verify", "--notify", code=0)
    assert document["isComplete"]
    assert {check["answer"] for check in document["checks"] if not check["isOptional"]} == {"shown"}
    assert any(check["check"] == "event-round-trip" and check["tookMs"] > 0 for check in document["checks"])
    made = {call.action for call in env.aws.calls.all() if call.principal == ONCALL} - {"sts:GetCallerIdentity"}
    # The shell has the variables of the functions, and the cluster writes no audit log that has subscriptions.
    assert made | {"lambda:GetFunctionConfiguration"} == set(VERIFY_ACTIONS)


def test_the_answer_of_a_function_is_small_and_holds_no_credentials(env: SandboxEnvironment) -> None:
    payload = json.dumps(SelfTestRequest(clusters=(CLUSTER,)).payload).encode()
    answer = env.functions.pool(CHECKER).invoke(payload).payload.decode()
    secrets = env.aws.roles.credentials(CHECKER)
    assert "k8s-aws-v1" not in answer
    assert secrets.secret_access_key not in answer
    assert not secrets.session_token or secrets.session_token not in answer
    assert len(answer) < 16_384


Fault = Callable[[SandboxEnvironment], "AbstractContextManager[None]"]


@contextmanager
def _no_access_entry(env: SandboxEnvironment) -> Iterator[None]:
    eks, role = env.aws.client("eks"), role_arn(CHECKER)
    eks.delete_access_entry(clusterName=CLUSTER, principalArn=role)
    yield
    eks.create_access_entry(clusterName=CLUSTER, principalArn=role, kubernetesGroups=[CHECKER_GROUP])


@contextmanager
def _no_group(env: SandboxEnvironment) -> Iterator[None]:
    eks, role = env.aws.client("eks"), role_arn(REMEDIATOR)
    eks.update_access_entry(clusterName=CLUSTER, principalArn=role, kubernetesGroups=["other"])
    yield
    eks.update_access_entry(clusterName=CLUSTER, principalArn=role, kubernetesGroups=[REMEDIATOR_GROUP])


@contextmanager
def _no_rbac_rule(env: SandboxEnvironment) -> Iterator[None]:
    env.backend.delete(ROLE_BINDINGS, f"{PROJECT}-{Function.REMEDIATOR}", NAMESPACE)
    yield
    env.grant_rbac()


@contextmanager
def _wrong_authority(env: SandboxEnvironment) -> Iterator[None]:
    authority = env.aws.eks.state.clusters[CLUSTER].record["certificateAuthority"]
    former = authority["data"]
    authority["data"] = base64.b64encode(trustme.CA().cert_pem.bytes()).decode()
    yield
    authority["data"] = former


@contextmanager
def _rule_disabled(env: SandboxEnvironment) -> Iterator[None]:
    env.aws.client("events").disable_rule(Name="AddonCalls")
    yield
    env.aws.client("events").enable_rule(Name="AddonCalls")


@contextmanager
def _schedule_disabled(env: SandboxEnvironment) -> Iterator[None]:
    env.aws.client("events").disable_rule(Name=SWEEP_RULE)
    yield
    env.aws.client("events").enable_rule(Name=SWEEP_RULE)


@contextmanager
def _subscription_pending(env: SandboxEnvironment) -> Iterator[None]:
    """A mail address is subscribed, and its owner has not confirmed. moto confirms every subscription."""
    sns, moto = env.aws.client("sns"), env.aws.gateway.backend_of("sns")
    arn = sns.subscribe(TopicArn=env.topics.people, Protocol="email", Endpoint=MAIL)["SubscriptionArn"]

    def answer(request: Request) -> Response:
        response = moto(request)
        return replace(response, body=response.body.replace(arn.encode(), b"PendingConfirmation"))

    env.aws.route("sns", answer)
    yield
    env.aws.route("sns", moto)
    sns.unsubscribe(SubscriptionArn=arn)


@contextmanager
def _pass_role_revoked(env: SandboxEnvironment) -> Iterator[None]:
    env.refused_actions.add((role_arn(REMEDIATOR), "iam:PassRole"))
    yield
    env.refused_actions.clear()


@contextmanager
def _key_disabled(env: SandboxEnvironment) -> Iterator[None]:
    key = env.aws.client("sns").get_topic_attributes(TopicArn=env.topics.people)["Attributes"]["KmsMasterKeyId"]
    env.aws.client("kms").disable_key(KeyId=key)
    yield
    env.aws.client("kms").enable_key(KeyId=key)


@contextmanager
def _dead_letter(env: SandboxEnvironment) -> Iterator[None]:
    sqs, queue = env.aws.client("sqs"), env.bus.dead_letters
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    yield
    sqs.purge_queue(QueueUrl=queue)


@contextmanager
def _binding_invalid(env: SandboxEnvironment) -> Iterator[None]:
    ssm, path = env.aws.client("ssm"), binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    former = ssm.get_parameter(Name=path)["Parameter"]["Value"]
    ssm.put_parameter(Name=path, Value="no-arn", Type="String", Overwrite=True)
    yield
    ssm.put_parameter(Name=path, Value=former, Type="String", Overwrite=True)


@contextmanager
def _setting_invalid(env: SandboxEnvironment) -> Iterator[None]:
    ssm, path = env.aws.client("ssm"), settings_path(CLUSTER, "cooldown_s")
    ssm.put_parameter(Name=path, Value="soon", Type="String", Overwrite=True)
    yield
    ssm.delete_parameter(Name=path)


@contextmanager
def _alarm_on(env: SandboxEnvironment) -> Iterator[None]:
    cloudwatch = env.aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="CheckerThrottles", StateValue="ALARM", StateReason="throttles")
    yield
    cloudwatch.set_alarm_state(AlarmName="CheckerThrottles", StateValue="OK", StateReason="none")


FAULTS: dict[str, dict[Fault, CheckId]] = {
    "no access entry": {_no_access_entry: CheckId.CLUSTER_LOGIN},
    "no group, no event rule": {_no_group: CheckId.CLUSTER_LOGIN, _rule_disabled: CheckId.EVENT_RULES},
    "no RBAC rule, no schedule": {_no_rbac_rule: CheckId.CLUSTER_RBAC, _schedule_disabled: CheckId.SWEEP_SCHEDULE},
    "wrong authority, dead letter": {_wrong_authority: CheckId.CLUSTER_TLS, _dead_letter: CheckId.DEAD_LETTERS},
    "pending subscription, key disabled, PassRole revoked": {
        _subscription_pending: CheckId.SUBSCRIPTIONS,
        _key_disabled: CheckId.NOTIFICATION_KEY,
        _pass_role_revoked: CheckId.PASS_ROLE,
    },
    "invalid parameters, alarm": {
        _binding_invalid: CheckId.BINDINGS,
        _setting_invalid: CheckId.SETTINGS,
        _alarm_on: CheckId.ALARMS,
    },
}
"""Faults without influence on each other are injected together, so that each of them names one check and hides no other."""


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_by_exactly_one_failing_check(
    env: SandboxEnvironment, verified: Callable[[], list[CheckResult]], name: str
) -> None:
    with ExitStack() as stack:
        for inject in FAULTS[name]:
            stack.enter_context(inject(env))
        results = verified()
    failed = [result for result in results if result.is_failed]
    assert {result.check for result in failed} == set(FAULTS[name].values()), [(result.check, result.detail) for result in failed]
    assert all(result.advice for result in failed)
