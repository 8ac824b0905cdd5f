"""The self-test of a deployed function: what it is, what it reaches, and what each cluster allows to it.

Every failed call is the answer to one check. Nothing is written, and the report holds no credentials.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from lambdas.application.readers import Readers
from lambdas.application.snapshot_collection import workload_name
from lambdas.application.workflow_steps import StepId, StepPurpose, Steps
from lambdas.contract.access import GROUPS, AccessQuestion, rbac_rules
from lambdas.contract.environment import Environment, Function
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.self_test import MAX_BOUND, MAX_DETAIL, SELF_TEST_SCHEMA_VERSION, Answer, SelfTestRequest
from lambdas.contract.settings import RestartBy
from lambdas.contract.stack_checks import CLUSTER_LADDER, CheckId
from lambdas.contract.version import VERSION
from lambdas.contract.workloads import AWS_NODE, WorkloadKind
from lambdas.domain.errors import AccessDenied, Denial, RemediatorError, TransientError
from lambdas.domain.ports import ClusterProbePort, IncidentsPort
from lambdas.domain.snapshot.bindings import Parameter, bound_targets
from lambdas.domain.snapshot.snapshot import ClusterFacts, Missing
from lambdas.notifications.escape import plain

MAX_TIME_S: Final = 40.0
"""The time after which no further call begins: two thirds of the checker's time-out."""
WAIT_S: Final = 1
CALLBACK_TIMEOUT_S: Final = 120
"""How long the self-test of the remediator waits for its callback."""
_NO_INCIDENT: Final = ServiceAccountRef("self-test", "self-test", "self-test")
"""A row that no incident has."""


@dataclass(frozen=True, kw_only=True)
class RuntimeFacts:
    """What the function knows about itself. `endpoints` maps the AWS services that it calls to their addresses."""

    function: Function
    function_version: str
    memory_mib: int
    is_compiled: bool
    endpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckAnswer:
    """The answer to one check. `cluster` is empty where the check is about the function itself."""

    check: CheckId
    answer: Answer
    detail: str = ""
    cluster: str = ""
    took_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class SelfTestReport:
    """The answers of one function. `is_resumed` and `is_answered` are set by a durable execution."""

    schema_version: str
    version: str
    region: str
    runtime: RuntimeFacts
    settings_floor: str
    answers: tuple[CheckAnswer, ...]
    is_resumed: bool = False
    is_answered: bool = False


@dataclass(frozen=True, kw_only=True)
class SelfTestPorts:
    """Ports of the self-test. `readers` do not cache, and `seconds` is a clock that only goes forward."""

    readers: Readers
    incidents: IncidentsPort
    probe: ClusterProbePort
    function: Function
    runtime: Callable[[], RuntimeFacts]
    environment: Environment
    seconds: Callable[[], float]


class _Refuted(Exception):
    """A check is refuted although no call failed. The text is the detail."""


def run_self_test(request: SelfTestRequest, ports: SelfTestPorts) -> SelfTestReport:
    """Return the answers about the function, then those about each cluster of the request."""
    ends_at, runtime = ports.seconds() + MAX_TIME_S, ports.runtime()
    answers = [*_function_answers(ports, runtime)]
    for cluster in request.clusters:
        answers += _ClusterTest(cluster, ports, ends_at).answers()
    return SelfTestReport(
        schema_version=SELF_TEST_SCHEMA_VERSION,
        version=VERSION,
        region=ports.environment.region,
        runtime=runtime,
        settings_floor=ports.environment.settings_floor,
        answers=tuple(answers),
    )


def run_durable_self_test(request: SelfTestRequest, steps: Steps, ports: SelfTestPorts) -> SelfTestReport:
    """The self-test as a durable execution: it stores the answers, ends for a second, resumes, and takes a callback."""
    report = steps.once(StepId(StepPurpose.SELF_TEST, part="checks"), lambda: run_self_test(request, ports), SelfTestReport)
    steps.pause(StepId(StepPurpose.SELF_TEST, part="wait"), WAIT_S)
    resumed = steps.once(StepId(StepPurpose.SELF_TEST, part="resumed"), ports.runtime, RuntimeFacts)
    answer = steps.ask(StepId(StepPurpose.SELF_TEST, part="callback"), lambda _: True, CALLBACK_TIMEOUT_S)
    is_resumed = resumed.function_version == report.runtime.function_version
    return replace(report, is_resumed=is_resumed, is_answered=answer.approved)


def _function_answers(ports: SelfTestPorts, runtime: RuntimeFacts) -> Iterator[CheckAnswer]:
    compiled = runtime.is_compiled
    yield CheckAnswer(
        check=CheckId.BYTE_CODE,
        answer=Answer.SHOWN if compiled else Answer.REFUTED,
        detail="" if compiled else "the modules have no byte code, so each cold start compiles them",
    )

    def parameters() -> str:
        return f"{len(ports.readers.parameters.load())} parameters"

    def table() -> str:
        ports.incidents.get(_NO_INCIDENT)
        return ports.environment.incidents_table

    yield _answer(CheckId.PARAMETERS_READABLE, parameters, ports)
    yield _answer(CheckId.TABLE_READABLE, table, ports)


def _answer(check: CheckId, read: Callable[[], str], ports: SelfTestPorts, cluster: str = "") -> CheckAnswer:
    """The answer of a call: its text where it succeeds. A refusal refutes the check; any other failure leaves it open."""
    began = ports.seconds()
    try:
        answer, detail = Answer.SHOWN, read()
    except (_Refuted, AccessDenied) as error:
        answer, detail = Answer.REFUTED, str(error)
    except RemediatorError as error:
        answer, detail = Answer.UNKNOWN, str(error)
    took_ms = round((ports.seconds() - began) * 1000)
    return CheckAnswer(check=check, answer=answer, detail=plain(detail)[:MAX_DETAIL], cluster=cluster, took_ms=took_ms)


class _ClusterTest:
    """The checks of one cluster, each of which rests on the one before."""

    def __init__(self, cluster: str, ports: SelfTestPorts, ends_at: float) -> None:
        self._cluster = cluster
        self._ports = ports
        self._ends_at = ends_at
        self._facts: ClusterFacts | None = None

    def answers(self) -> list[CheckAnswer]:
        """The ladder up to the first check that is not shown, the rest as not known, and the bound roles."""
        steps = {
            CheckId.CLUSTER_DESCRIBED: self._describe,
            CheckId.CLUSTER_DNS: lambda: ", ".join(self._ports.probe.resolve(self._described)),
            CheckId.CLUSTER_TCP: self._connect,
            CheckId.CLUSTER_TLS: lambda: self._ports.probe.handshake(self._described),
            CheckId.CLUSTER_LOGIN: self._log_in,
            CheckId.CLUSTER_RBAC: self._permissions,
        }
        found: list[CheckAnswer] = []
        for check in CLUSTER_LADDER:
            reason = self._reason_to_stop(found)
            if reason:
                found.append(CheckAnswer(check=check, answer=Answer.UNKNOWN, detail=reason, cluster=self._cluster))
            else:
                found.append(_answer(check, steps[check], self._ports, self._cluster))
        return [*found, _answer(CheckId.BOUND_ROLES_READABLE, self._bound_roles, self._ports, self._cluster)]

    def _reason_to_stop(self, found: list[CheckAnswer]) -> str:
        if self._ports.seconds() > self._ends_at:
            return f"not tested: the clusters before took {MAX_TIME_S:.0f} seconds"
        failed = next((answer.check for answer in found if answer.answer is not Answer.SHOWN), None)
        return f"not tested, since {failed} is not shown" if failed else ""

    @cached_property
    def _parameters(self) -> Mapping[str, Parameter]:
        return self._ports.readers.parameters.load(self._cluster)

    @property
    def _described(self) -> ClusterFacts:
        if self._facts is None:
            raise TransientError("the cluster is not described")
        return self._facts

    def _describe(self) -> str:
        facts = self._ports.readers.eks.cluster(self._cluster)
        if isinstance(facts, Missing):
            raise _Refuted(f"there is no {facts.what}")
        self._facts = facts
        return f"Kubernetes {facts.version}, {facts.endpoint}"

    def _connect(self) -> str:
        self._ports.probe.connect(self._described)
        return ""

    def _log_in(self) -> str:
        identity = self._ports.probe.identity(self._described)
        group = GROUPS[self._ports.function]
        if group not in identity.groups:
            raise _Refuted(f"the access entry of {identity.username} lacks the group {group}")
        return identity.username

    def _permissions(self) -> str:
        questions = self._questions()
        missing = [str(question) for question in questions if not self._ports.probe.allows(self._described, question)]
        if missing:
            raise _Refuted(f"it may not: {'; '.join(missing)}")
        return f"{len(questions)} verbs allowed"

    def _questions(self) -> list[AccessQuestion]:
        """Each verb of the contract on each object that it names."""
        return list(dict.fromkeys(question for target in self._targets() for question in self._questions_about(target)))

    def _questions_about(self, target: ServiceAccountRef) -> Iterator[AccessQuestion]:
        kind, workload = workload_name(self._ports.readers, self._described, target) or (WorkloadKind.DEPLOYMENT, "")
        for rule in rbac_rules(target.namespace, target.name, kind, workload, restarts=self._restarts()):
            is_of_unknown_workload = not workload and rule.group == "apps"
            if self._ports.function in rule.by and not is_of_unknown_workload:
                yield from rule.questions(target.namespace)

    def _targets(self) -> list[ServiceAccountRef]:
        """The bound ServiceAccounts; aws-node where there is none, since the checker looks at it in every cluster."""
        bound = bound_targets(self._parameters, [self._cluster])
        aws_node = ServiceAccountRef(self._cluster, AWS_NODE.namespace, AWS_NODE.service_account)
        return list(bound or (aws_node,))[:MAX_BOUND]

    def _restarts(self) -> bool:
        settings, _ = self._ports.readers.settings(self._parameters, self._cluster)
        return settings.restart_by is RestartBy.RESTART

    def _bound_roles(self) -> str:
        """Read the role of each valid binding in the own account. IAM lets no one read roles of another account.

        Whether a role exists is a matter of the bindings, not of the permission to read it.
        """
        readers = self._ports.readers
        roles = readers.own_bound_roles(self._parameters, self._targets())
        for role in roles:
            try:
                readers.iam.role(role)
            except AccessDenied as error:
                if error.denial is not Denial.FORBIDDEN:
                    raise TransientError(str(error)) from error
                raise
        return ", ".join(roles) if roles else "no binding names a role of this account"
