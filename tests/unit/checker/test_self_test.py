"""The self-test of a function over fakes: each check has three answers, and the ladder ends at the first one that is not shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.application.self_test import MAX_TIME_S, CheckAnswer, RuntimeFacts, SelfTestPorts, run_durable_self_test, run_self_test
from lambdas.application.workflow_steps import InProcessSteps
from lambdas.checker import handler
from lambdas.contract.access import CHECKER_GROUP, AccessQuestion, rbac_rules
from lambdas.contract.environment import Function
from lambdas.contract.parameters import binding_path
from lambdas.contract.self_test import MAX_CLUSTERS, MAX_DETAIL, Answer, InvalidSelfTest, SelfTestRequest, is_self_test, parse_self_test
from lambdas.contract.stack_checks import CLUSTER_LADDER, FUNCTION_CHECKS, CheckId
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.errors import AccessDenied, Denial, RemediatorError, TransientError
from lambdas.domain.ports import ClusterIdentity
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.message_context import ApprovalAnswer
from tests.fakes import ENVIRONMENT, FakeIncidents, readers_over
from tests.world import NAME, NAMESPACE, described, role_arn

if TYPE_CHECKING:
    from lambdas.domain.snapshot.snapshot import ClusterFacts
    from tests.world import World

REFUSED = AccessDenied("403 Forbidden", denial=Denial.FORBIDDEN)
NO_ANSWER = TransientError("timed out")
RUNTIME = RuntimeFacts(function=Function.CHECKER, function_version="7", memory_mib=256, is_compiled=True)


@dataclass
class FakeProbe:
    """The way to a cluster. `errors` are raised by the method of this name; `denied` are the calls that the API server refuses."""

    errors: dict[str, RemediatorError] = field(default_factory=dict)
    groups: frozenset[str] = frozenset({CHECKER_GROUP})
    denied: set[str] = field(default_factory=set)
    asked: list[AccessQuestion] = field(default_factory=list)

    def _raise(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def resolve(self, facts: ClusterFacts) -> tuple[str, ...]:
        self._raise("resolve")
        return ("10.0.0.1",)

    def connect(self, facts: ClusterFacts) -> None:
        self._raise("connect")

    def handshake(self, facts: ClusterFacts) -> str:
        self._raise("handshake")
        return "TLSv1.3"

    def identity(self, facts: ClusterFacts) -> ClusterIdentity:
        self._raise("identity")
        return ClusterIdentity(username="checker", groups=self.groups)

    def allows(self, facts: ClusterFacts, question: AccessQuestion) -> bool:
        self._raise("allows")
        self.asked.append(question)
        return question.resource not in self.denied


def ports(world: World, probe: FakeProbe | None = None, **changes: Any) -> SelfTestPorts:
    given: dict[str, Any] = {
        "readers": readers_over(world),
        "incidents": FakeIncidents(world),
        "probe": probe or FakeProbe(),
        "function": Function.CHECKER,
        "runtime": lambda: RUNTIME,
        "environment": ENVIRONMENT,
        "seconds": lambda: 0.0,
    }
    return SelfTestPorts(**{**given, **changes})


def answers(world: World, probe: FakeProbe | None = None, cluster: str = "demo", **changes: Any) -> dict[CheckId, CheckAnswer]:
    report = run_self_test(SelfTestRequest(clusters=(cluster,)), ports(world, probe, **changes))
    return {item.check: item for item in report.answers}


def test_every_check_of_a_function_is_answered_once() -> None:
    report = run_self_test(SelfTestRequest(clusters=("demo",)), ports(described({})))
    assert sorted(item.check for item in report.answers) == sorted(FUNCTION_CHECKS)
    assert {item.answer for item in report.answers} == {Answer.SHOWN}


@pytest.mark.parametrize(
    ("check", "method"),
    [
        (CheckId.CLUSTER_DNS, "resolve"),
        (CheckId.CLUSTER_TCP, "connect"),
        (CheckId.CLUSTER_TLS, "handshake"),
        (CheckId.CLUSTER_LOGIN, "identity"),
        (CheckId.CLUSTER_RBAC, "allows"),
    ],
)
@pytest.mark.parametrize(("error", "answer"), [(REFUSED, Answer.REFUTED), (NO_ANSWER, Answer.UNKNOWN)], ids=["refused", "no answer"])
def test_the_ladder_ends_at_the_first_check_that_is_not_shown(check: CheckId, method: str, error: RemediatorError, answer: Answer) -> None:
    found = answers(described({}), FakeProbe(errors={method: error}))
    position = CLUSTER_LADDER.index(check)
    assert [found[item].answer for item in CLUSTER_LADDER] == [
        *[Answer.SHOWN] * position,
        answer,
        *[Answer.UNKNOWN] * (len(CLUSTER_LADDER) - position - 1),
    ]
    assert found[check].detail == str(error)
    assert all(check in found[item].detail for item in CLUSTER_LADDER[position + 1 :])


@pytest.mark.parametrize(
    ("check", "method"),
    [
        (CheckId.PARAMETERS_READABLE, "parameters.load"),
        (CheckId.TABLE_READABLE, "incidents.get"),
        (CheckId.CLUSTER_DESCRIBED, "eks.cluster"),
        (CheckId.BOUND_ROLES_READABLE, "iam.role"),
    ],
)
@pytest.mark.parametrize(("error", "answer"), [(REFUSED, Answer.REFUTED), (NO_ANSWER, Answer.UNKNOWN)], ids=["refused", "no answer"])
def test_a_failed_read_is_the_answer_of_its_check(check: CheckId, method: str, error: RemediatorError, answer: Answer) -> None:
    world = described({})
    world.fail(method, error, times=None)
    assert answers(world)[check].answer is answer


def test_a_function_without_byte_code_is_refuted() -> None:
    found = answers(described({}), runtime=lambda: RuntimeFacts(**{**vars(RUNTIME), "is_compiled": False}))
    assert found[CheckId.BYTE_CODE].answer is Answer.REFUTED


def test_a_missing_cluster_is_refuted() -> None:
    found = answers(described({}), cluster="gone")
    assert found[CheckId.CLUSTER_DESCRIBED].answer is Answer.REFUTED
    assert found[CheckId.CLUSTER_LOGIN].answer is Answer.UNKNOWN


def test_a_login_without_the_group_is_refuted() -> None:
    found = answers(described({}), FakeProbe(groups=frozenset({"system:authenticated"})))
    assert found[CheckId.CLUSTER_LOGIN].answer is Answer.REFUTED
    assert CHECKER_GROUP in found[CheckId.CLUSTER_LOGIN].detail


def test_each_verb_of_the_contract_is_asked_and_a_denied_one_is_named() -> None:
    probe = FakeProbe(denied={"pods"})
    found = answers(described({}), probe)
    rules = rbac_rules(NAMESPACE, NAME, AWS_NODE.kind, AWS_NODE.name)
    assert set(probe.asked) == {question for rule in rules if Function.CHECKER in rule.by for question in rule.questions(NAMESPACE)}
    assert found[CheckId.CLUSTER_RBAC].answer is Answer.REFUTED
    assert found[CheckId.CLUSTER_RBAC].detail == "it may not: list pods in kube-system"


def test_the_remediator_is_asked_about_writes_too() -> None:
    probe = FakeProbe(groups=frozenset({"eks-irsa-remediator:remediator"}))
    answers(described({}), probe, function=Function.REMEDIATOR)
    assert {"get", "list", "patch", "delete"} == {question.verb for question in probe.asked}


def test_a_role_of_another_account_or_a_missing_one_does_not_refute_the_permission_to_read_roles() -> None:
    world = described({})
    path = binding_path("demo", NAMESPACE, NAME)
    for value in ("arn:aws:iam::999999999999:role/foreign", role_arn("gone"), "nonsense"):
        world.parameters[path] = Parameter(value=value)
        assert answers(world)[CheckId.BOUND_ROLES_READABLE].answer is Answer.SHOWN


def test_iam_out_of_reach_leaves_the_check_open() -> None:
    world = described({})
    world.fail("iam.role", AccessDenied("no route to IAM", denial=Denial.UNREACHABLE), times=None)
    assert answers(world)[CheckId.BOUND_ROLES_READABLE].answer is Answer.UNKNOWN


def test_no_further_cluster_is_tested_after_the_time_is_up() -> None:
    clock = iter([0.0, *[MAX_TIME_S + 1] * 1000])
    found = answers(described({}), seconds=lambda: next(clock))
    assert {found[item].answer for item in CLUSTER_LADDER} == {Answer.UNKNOWN}


def test_a_detail_is_one_visible_line_of_limited_length() -> None:
    error = AccessDenied("\x1b[31m" + "x" * 1000 + "\nmore", denial=Denial.FORBIDDEN)
    detail = answers(described({}), FakeProbe(errors={"identity": error}))[CheckId.CLUSTER_LOGIN].detail
    assert len(detail) <= MAX_DETAIL
    assert detail.isprintable()


def test_the_durable_self_test_reports_resumption_and_callback() -> None:
    versions = iter(["7", "7"])
    given = ports(described({}), runtime=lambda: RuntimeFacts(**{**vars(RUNTIME), "function_version": next(versions)}))
    steps = InProcessSteps(sleep=lambda _: None, answer=lambda _: ApprovalAnswer(approved=True))
    report = run_durable_self_test(SelfTestRequest(), steps, given)
    assert (report.is_resumed, report.is_answered) == (True, True)
    assert [str(step) for step in steps.done] == [
        "self-test checks",
        "self-test wait",
        "self-test resumed",
        "self-test callback",
        "self-test message",
    ]


def test_the_durable_self_test_refutes_another_version_and_an_answer_that_never_came() -> None:
    versions = iter(["7", "8"])
    given = ports(described({}), runtime=lambda: RuntimeFacts(**{**vars(RUNTIME), "function_version": next(versions)}))
    report = run_durable_self_test(SelfTestRequest(), InProcessSteps(sleep=lambda _: None), given)
    assert (report.is_resumed, report.is_answered) == (False, False)


EVENT = {"version": "0", "detail-type": "Check Requested", "source": "eks-irsa-remediator", "detail": {}}


@pytest.mark.parametrize("event", [{**EVENT, **SelfTestRequest().payload}, {"cluster": "demo", "selfTest": {}}, [], "selfTest", None, {}])
def test_no_event_is_a_self_test(event: object) -> None:
    assert not is_self_test(event)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"schemaVersion": "2"},
        {"schemaVersion": "1", "clusters": "demo"},
        {"schemaVersion": "1", "clusters": ["no name"]},
        {"schemaVersion": "1", "clusters": [{}]},
        {"schemaVersion": "1", "clusters": ["demo"] * (MAX_CLUSTERS + 1)},
    ],
    ids=str,
)
def test_a_self_test_with_another_body_is_refused_in_words(body: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSelfTest):
        parse_self_test({"selfTest": body})
    monkeypatch.setattr(handler, "_session", lambda: None)
    monkeypatch.setattr(handler, "_environment", lambda: ENVIRONMENT)
    assert set(handler.lambda_handler({"selfTest": body}, None)) == {"error"}


def test_a_request_reads_back() -> None:
    request = SelfTestRequest(clusters=("demo", "prod-blue"))
    assert is_self_test(request.payload)
    assert parse_self_test(request.payload) == request
