"""The command line in separate processes against one sandbox: real TLS, tokens, RBAC, tables and rules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lambdas.contract.access import GROUPS, REMEDIATOR_GROUP
from lambdas.contract.approval import PLAN, decode_plan
from lambdas.contract.environment import Function
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import settings_path
from sandbox.aws.faults import Fault, FaultKind
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.cluster import aws_node
from sandbox.cluster.resources import PODS, ROLES, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR, ROLE, TABLE, role_arn
from sandbox.simulation.cluster_backend import nodes_ready
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import World
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.simulation.cluster_backend import ClusterBackend

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[2]
ONCALL = "oncall"
ADMINS = "platform-admins"
LONGEST_S = 240.0
TARGET = ServiceAccountRef(CLUSTER, NAMESPACE, aws_node.NAME)


class Terminal:
    """Runs commands as one principal, with the endpoint of the local AWS in the environment."""

    def __init__(self, env: SandboxEnvironment, principal: str) -> None:
        self.env = env
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IRSA_"))},
            **env.function_variables(),
            **env.aws.environment(principal),
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }

    def __call__(
        self, *arguments: str, code: int = 0, environment: dict[str, str | None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        env = {name: item for name, item in {**self._environment, **(environment or {})}.items() if item is not None}
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, timeout=400, env=env, cwd=ROOT, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def document(self, *arguments: str, code: int = 0, environment: dict[str, str | None] | None = None) -> Any:
        return json.loads(self(*arguments, "--output", "json", code=code, environment=environment).stdout)


# One test's repair must not hold back the next one's.
WORLD = World(nodes=4, addon_version="v1.15.1-eksbuild.1", settings={"cooldown_s": "0", "max_repairs_per_hour": "60"})


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    with SandboxEnvironment(WORLD) as standing:
        make_ready_for_people(standing)
        yield standing


def make_ready_for_people(env: SandboxEnvironment) -> None:
    """Grant a person access, add the AWS resources that only commands read, and wait for the nodes."""
    let_in(env, ONCALL, ADMINS)
    # The local IAM simulates nothing; a person who may not ask sees a question mark there.
    env.aws.faults.add(Fault(service="iam", operation="SimulatePrincipalPolicy", kind=FaultKind.ACCESS_DENIED, times=1_000_000))
    eventually(lambda: nodes_ready(env.backend), lambda seen: seen == (4, 4), LONGEST_S)


def let_in(env: SandboxEnvironment, principal: str, group: str) -> None:
    """An administrator of the cluster, as an access entry and RBAC make one."""
    env.aws.roles.create(principal)
    grant_all(env, CLUSTER, env.backend, principal, group)


def grant_all(env: SandboxEnvironment, cluster: str, backend: ClusterBackend, principal: str, group: str) -> None:
    """Make an existing principal an administrator of a cluster."""
    env.aws.client("eks").create_access_entry(clusterName=cluster, principalArn=role_arn(principal), kubernetesGroups=[group])
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    rbac = "rbac.authorization.k8s.io"
    backend.apply({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": group}, "rules": [everything]}, "test")
    backend.apply(
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": group},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": group},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
        },
        "test",
    )


@pytest.fixture
def terminal(env: SandboxEnvironment) -> Iterator[Terminal]:
    yield Terminal(env, ONCALL)
    _make_healthy(env)


def _annotate(env: SandboxEnvironment, role: str | None) -> None:
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: role}}}
    env.backend.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "kubectl-annotate")


def _roles_of_pods(env: SandboxEnvironment) -> list[str]:
    pods = [item for item in env.backend.all_of(PODS, NAMESPACE) if "deletionTimestamp" not in item["metadata"]]
    found = [{env["name"]: env.get("value", "") for env in pod["spec"]["containers"][0].get("env", [])} for pod in pods]
    return [item.get("AWS_ROLE_ARN", "") for item in found]


def _break(env: SandboxEnvironment) -> None:
    """The annotation is gone, and every pod was replaced since."""
    _annotate(env, None)
    for pod in env.backend.all_of(PODS, NAMESPACE):
        env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
    eventually(lambda: _roles_of_pods(env), lambda seen: seen == [""] * 4, LONGEST_S)


def _make_healthy(env: SandboxEnvironment) -> None:
    _annotate(env, role_arn(ROLE))
    for pod in env.backend.all_of(PODS, NAMESPACE):
        env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
    healthy = ([role_arn(ROLE)] * 4, (4, 4))
    eventually(lambda: (_roles_of_pods(env), nodes_ready(env.backend)), lambda seen: seen == healthy, LONGEST_S)


def _past_incidents(env: SandboxEnvironment) -> list[str]:
    items = env.aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    return [item["incident_id"]["S"] for item in items if item["sk"]["S"].startswith("past#")]


def test_check_shows_twelve_links_of_a_healthy_cluster(terminal: Terminal) -> None:
    shown = terminal("check", "--cluster", CLUSTER).stdout
    assert "12  nodes              ✓  4 of 4 Ready" in shown
    assert "No fault found: No link of the id" in " ".join(shown.split())
    assert "\x1b" not in shown


def test_check_of_the_only_cluster_needs_no_name(terminal: Terminal) -> None:
    assert terminal.document("check")["checks"][0]["cluster"] == CLUSTER


def test_check_and_plan_of_a_broken_cluster_exit_1_and_write_nothing(terminal: Terminal, env: SandboxEnvironment) -> None:
    _break(env)
    found = terminal.document("check", "--cluster", CLUSTER, code=1)["checks"][0]
    assert found["result"] == "broken"
    assert "annotation-missing" in found["verdicts"]
    planned = terminal.document("plan", "--cluster", CLUSTER, code=1)["plans"][0]["plan"]
    assert [action["kind"] for action in planned["actions"]] == ["annotate-service-account", "replace-canary-pod", "restart-workload"]
    assert _roles_of_pods(env) == [""] * 4


def test_fix_repairs_and_verifies_with_the_same_workflow_and_history_shows_it(
    terminal: Terminal, env: SandboxEnvironment, tmp_path: Path
) -> None:
    _break(env)
    fixed = terminal.document("fix", "--cluster", CLUSTER, "--yes")
    assert fixed["outcome"] == "verified"
    assert fixed["changes"] == ["annotate-service-account", "replace-canary-pod", "restart-workload"]
    assert _roles_of_pods(env) == [role_arn(ROLE)] * 4
    shown = terminal.document("history", fixed["incident"])["incident"]
    assert shown["outcome"] == "verified"
    assert any("approved by" in entry["text"] and ONCALL in entry["text"] for entry in shown["timeline"])
    page = tmp_path / "incident.html"
    terminal("history", fixed["incident"], "--html", str(page))
    assert "<svg" in page.read_text()
    assert any(message["content"]["title"] for message in env.messages())


def test_fix_without_a_stack_repairs_as_well(terminal: Terminal, env: SandboxEnvironment) -> None:
    _break(env)
    before = _past_incidents(env)
    undeployed = dict.fromkeys(env.function_variables(), None)
    fixed = terminal.document("fix", "--cluster", CLUSTER, "--yes", environment=undeployed)
    assert fixed["outcome"] == "verified"
    assert _past_incidents(env) == before


def test_fix_needs_a_terminal_or_yes(terminal: Terminal, env: SandboxEnvironment) -> None:
    _break(env)
    refused = terminal("fix", "--cluster", CLUSTER, code=2)
    assert "no one can approve" in refused.stderr
    assert "--yes" in refused.stderr
    assert _roles_of_pods(env) == [""] * 4


def test_a_role_without_access_to_the_cluster_gets_the_reason(terminal: Terminal, env: SandboxEnvironment) -> None:
    env.aws.roles.create("stranger")
    shown = Terminal(env, "stranger")("check", "--cluster", CLUSTER, code=2).stdout
    assert "no-access" in shown
    assert f"irsa-remediator access --cluster {CLUSTER} --check" in shown


def test_wrong_names_give_one_sentence_and_a_next_step(terminal: Terminal) -> None:
    mistyped = terminal("check", "--cluster", "nowhere", "--output", "json", code=2)
    assert mistyped.stderr.splitlines() == [
        f"error: cluster 'nowhere' does not exist in {ACCOUNT} {REGION}",
        f"next:  use one of {CLUSTER}",
    ]
    assert mistyped.stdout == ""
    refused = terminal("check", "--cluster", "no name", code=2)
    assert refused.stderr.splitlines()[0].startswith("error: 'no name' is not a valid EKS cluster name")
    assert refused.stderr.splitlines()[1].startswith("next:")


def test_adopt_writes_the_current_role_as_the_binding(terminal: Terminal, env: SandboxEnvironment) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    assert terminal.document("bindings", "unset", CLUSTER, f"{NAMESPACE}/{aws_node.NAME}")["removed"]
    proposed = terminal.document("adopt", "--cluster", CLUSTER, "--dry-run")
    assert [(proposal["path"], proposal["roleArn"], proposal["state"]) for proposal in proposed["proposals"]] == [
        (path, role_arn(ROLE), "proposed")
    ]
    assert terminal.document("adopt", "--cluster", CLUSTER, "--yes")["written"] == [path]
    assert env.aws.client("ssm").get_parameter(Name=path)["Parameter"]["Value"] == role_arn(ROLE)
    listed = terminal.document("bindings", "validate")
    assert [(binding["cluster"], binding["problem"]) for binding in listed["bindings"]] == [(CLUSTER, None)]


def test_settings_are_checked_before_they_are_written(terminal: Terminal, env: SandboxEnvironment) -> None:
    assert "one of enforce, approve, observe" in terminal("settings", "set", CLUSTER, "mode", "sometimes", code=2).stderr
    terminal("settings", "set", CLUSTER, "cooldown_s", "60")
    assert env.aws.client("ssm").get_parameter(Name=settings_path(CLUSTER, "cooldown_s"))["Parameter"]["Value"] == "60"
    assert terminal.document("settings", "unset", CLUSTER, "cooldown_s")["removed"]


def test_approve_continues_a_waiting_execution_and_is_rejected_afterwards(terminal: Terminal, env: SandboxEnvironment) -> None:
    terminal("settings", "set", CLUSTER, "mode", "approve")
    try:
        _break(env)
        env.bus.put(_check_request())
        eventually(lambda: _callbacks(env), within_s=LONGEST_S)
        incident = _waiting(terminal)
        refused = terminal("fix", "--cluster", CLUSTER, "--yes", code=2)
        assert f"irsa-remediator approve {incident}" in refused.stderr
        assert "no one can read the plan" in terminal("approve", incident, code=2).stderr
        plan = eventually(lambda: _plans(env), within_s=LONGEST_S)[-1]
        answered = terminal.document("approve", incident[:6], "--plan", plan)
        assert (answered["approved"], answered["plan"]) == (True, plan)
        eventually(lambda: _past_incidents(env), lambda seen: incident in seen, LONGEST_S)
        shown = terminal.document("history", incident)["incident"]
        assert shown["outcome"] == "verified"
        assert any("approved by" in entry["text"] and f"assumed-role/{ONCALL}" in entry["text"] for entry in shown["timeline"])
        assert "is closed" in terminal("approve", incident, code=2).stderr
    finally:
        terminal("settings", "unset", CLUSTER, "mode")


def _check_request() -> dict[str, Any]:
    detail = {"schemaVersion": "1", "cluster": CLUSTER, "trigger": "person", "eventId": "test"}
    return {"source": "eks-irsa-remediator", "detail-type": "Check Requested", "detail": detail}


def _callbacks(env: SandboxEnvironment) -> list[str]:
    """Of questions that wait for an answer."""
    items = env.aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    return [item["callback_id"]["S"] for item in items if "callback_id" in item]


def _plans(env: SandboxEnvironment) -> list[str]:
    """The digests of the plans in new approval requests."""
    contexts = (message["metadata"]["additionalContext"] for message in env.messages())
    return [decode_plan(context[PLAN]) for context in contexts if PLAN in context]


def _waiting(terminal: Terminal) -> str:
    (opened,) = [incident for incident in terminal.document("history")["incidents"] if incident["state"] == "waiting-for-approval"]
    return str(opened["id"])


def test_access_reports_and_grants_missing_access(terminal: Terminal, env: SandboxEnvironment) -> None:
    assert {grant["state"] for grant in terminal.document("access", "--cluster", CLUSTER, "--check")["grants"]} == {
        "granted",
        "not-supported",
    }
    eks = env.aws.client("eks")
    eks.delete_access_entry(clusterName=CLUSTER, principalArn=role_arn(REMEDIATOR))
    env.backend.delete(ROLES, "eks-irsa-remediator-remediator", NAMESPACE)
    missing = [
        grant["name"]
        for grant in terminal.document("access", "--cluster", CLUSTER, "--check", code=1)["grants"]
        if grant["state"] == "missing"
    ]
    assert missing == [f"access entry {REMEDIATOR}", f"Role {NAMESPACE}/eks-irsa-remediator-remediator"]
    terminal("access", "--cluster", CLUSTER, "--apply")
    entry = eks.describe_access_entry(clusterName=CLUSTER, principalArn=role_arn(REMEDIATOR))["accessEntry"]
    assert entry["kubernetesGroups"] == [REMEDIATOR_GROUP]
    assert env.backend.find(ROLES, "eks-irsa-remediator-remediator", NAMESPACE)


def test_access_prints_manifests_and_entries_for_both_functions(terminal: Terminal) -> None:
    text = terminal("access", "--cluster", CLUSTER).stdout
    assert {item["kind"] for item in yaml.safe_load_all(text)} == {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
    for function, principal in ((Function.CHECKER, CHECKER), (Function.REMEDIATOR, REMEDIATOR)):
        assert f"--principal-arn {role_arn(principal)} --kubernetes-groups {GROUPS[function]}" in text


def test_replay_names_the_rules_that_match_and_does_nothing(terminal: Terminal, env: SandboxEnvironment, tmp_path: Path) -> None:
    _break(env)
    event = json.loads((ROOT / "tests/events/call-update-addon-by-role.json").read_text().replace("prod-blue", CLUSTER))
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    replayed = terminal.document("replay", str(file))
    assert replayed["rules"] == ["AddonCalls"]
    assert replayed["request"]["cluster"] == CLUSTER
    assert replayed["checks"][0]["plan"]["actions"]
    assert _roles_of_pods(env) == [""] * 4
    own_call = {
        **event,
        "detail": {**event["detail"], "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": role_arn(REMEDIATOR)}}}},
    }
    file.write_text(json.dumps(own_call))
    assert terminal.document("replay", str(file))["rules"] == []


def test_a_kubeconfig_logs_in_where_aws_credentials_do_not(terminal: Terminal, env: SandboxEnvironment, tmp_path: Path) -> None:
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.adapters.eks_token import Tokens

    env.aws.roles.create("outsider")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.aws.environment(ONCALL).items():
            patch.setenv(name, value)
        token = Tokens(AwsSession(env.aws.region), "aws").get(CLUSTER)
    cluster = {"server": env.backend.url, "certificate-authority-data": env.backend.ca_data}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig))
    outsider = Terminal(env, "outsider")
    outsider("check", "--cluster", CLUSTER, code=2)
    outsider("check", "--cluster", CLUSTER, "--kubeconfig", str(file), "--context", "mine")
    refused = outsider("check", "--cluster", CLUSTER, "--kubeconfig", str(file), "--context", "other", code=2)
    assert "other" in refused.stdout + refused.stderr


def test_a_role_is_assumed_before_anything_else(terminal: Terminal, env: SandboxEnvironment) -> None:
    env.aws.roles.create("visitor")
    document = Terminal(env, "visitor").document("settings", "list", "--role-arn", role_arn(ONCALL))
    assert document["command"] == "settings list"
    assert any(call.action == "sts:AssumeRole" for call in env.aws.calls.all())
