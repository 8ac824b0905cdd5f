"""Give the functions more access than they need, once, and use it later: a leftover rule, a binding of their group, a policy by hand."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import app
from cli.queries.surplus import groups_of_role, surplus_rules, surplus_statements
from lambdas.contract import admission
from lambdas.contract import environment as contract_environment
from lambdas.contract.access import GROUPS, REMEDIATOR_GROUP, BoundWorkload, manifests
from lambdas.contract.environment import Function
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import AccessDenied, Denial, PermanentError
from tests.attacks.threat import Threat
from tests.cli_runner import CliRunner
from tests.infra.templates import function, resolved
from tests.infra.test_contract import role_of
from tests.unit.cli.fake_dependencies import ENVIRONMENT, fake_dependencies
from tests.world import described, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.infra.templates import Template
    from tests.unit.cli.fake_dependencies import Fakes

THREAT = Threat(
    name="surplus access",
    actor="administrator of a cluster or account, or an earlier configuration",
    controls="RBAC objects, access entries and IAM policies of the functions",
    attempt="leave `patch` after `restart_by: deletion`, bind the remediator's group to another role, add a group, an access policy "
    "or an IAM policy, and use it through the functions",
    prevention="`access --check` compares rules, bindings, groups, access policies and IAM policies with the present need, reports the "
    "difference as `surplus` with the next step, and ends with 1; what cannot be read is unknown and ends with 2",
    proof=(
        "test_every_kind_of_surplus_access_is_reported_with_its_next_step",
        "test_the_access_of_the_contract_has_no_surplus",
        "test_what_cannot_be_read_is_not_reported_as_harmless",
        "test_a_policy_beyond_the_contract_is_surplus",
        "test_the_policies_of_the_stack_have_no_surplus",
        "test_a_path_of_bound_roles_allows_no_role_in_the_policy",
    ),
    residual="it reports and removes nothing that `access --apply` does not own; the admission policies deny what a larger role would "
    "allow; grants for a VPC or a customer key count as needed",
)

REMEDIATOR = "arn:aws:iam::111122223333:role/remediator"


def granted(settings: Mapping[str, str] | None = None, version: str = "1.28") -> Fakes:
    fakes = fake_dependencies(described({"settings": dict(settings or {}), "cluster": {"version": version}}))
    for manifest in manifests(restarts=(settings or {}).get("restart_by") != "deletion"):
        fakes.cluster_access.apply("demo", manifest)
    for name, group in GROUPS.items():
        fakes.cluster_access.entries[f"arn:aws:iam::111122223333:role/{name}"] = frozenset({group})
    return fakes


def check(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the grants that are not granted, by name."""
    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    result = CliRunner().invoke(app, ["access", "--check", "--output", "json"])
    grants = {grant["name"]: grant for grant in json.loads(result.stdout)["grants"]}
    return result.exit_code, {name: grant for name, grant in grants.items() if grant["state"] not in ("granted", "not-supported")}


@pytest.mark.parametrize("settings", [{}, {"restart_by": "deletion"}], ids=["restart", "deletion"])
def test_the_access_of_the_contract_has_no_surplus(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(granted(settings), monkeypatch) == (0, {})


def leftover_patch(fakes: Fakes) -> None:
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)


def more_verbs(fakes: Fakes) -> None:
    role = copy.deepcopy(next(item for item in manifests(restarts=False) if item["kind"] == "ClusterRole"))
    role["rules"] += [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]
    fakes.cluster_access.apply("demo", role)


def more_subjects(fakes: Fakes) -> None:
    binding = copy.deepcopy(next(item for item in manifests() if item["kind"] == "RoleBinding"))
    binding["subjects"].append({"kind": "Group", "name": "system:authenticated"})
    fakes.cluster_access.apply("demo", binding)


def other_binding(fakes: Fakes) -> None:
    binding = next(item for item in manifests() if item["kind"] == "RoleBinding" and REMEDIATOR_GROUP in json.dumps(item))
    fakes.cluster_access.apply("demo", {**binding, "metadata": {"name": "admin", "namespace": "shop"}})


def more_groups(fakes: Fakes) -> None:
    fakes.cluster_access.entries[REMEDIATOR] |= {"platform-admins"}


def access_policy(fakes: Fakes) -> None:
    fakes.cluster_access.policies[REMEDIATOR] = ("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",)


def iam_policy(fakes: Fakes) -> None:
    fakes.role_policies.policies[REMEDIATOR] = {"by-hand": allow("sts:AssumeRole")}


@pytest.mark.parametrize(
    ("attack", "name", "next_step"),
    [
        (leftover_patch, "Role kube-system/eks-irsa-remediator-remediator", "irsa-remediator access --cluster demo --apply"),
        (more_verbs, "ClusterRole eks-irsa-remediator-checker", "irsa-remediator access --cluster demo --apply"),
        (more_subjects, "RoleBinding kube-system/eks-irsa-remediator-checker", "irsa-remediator access --cluster demo --apply"),
        (other_binding, "RoleBinding shop/admin", "kubectl delete rolebinding admin -n shop"),
        (more_groups, "access entry remediator", f"--principal-arn {REMEDIATOR} --kubernetes-groups {REMEDIATOR_GROUP}"),
        (access_policy, "access policy of remediator", "cluster-access-policy/AmazonEKSClusterAdminPolicy"),
        (iam_policy, "IAM policies of remediator", "deploy the stack"),
    ],
)
def test_every_kind_of_surplus_access_is_reported_with_its_next_step(
    attack: Callable[[Fakes], None], name: str, next_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = granted({"restart_by": "deletion"})
    attack(fakes)
    code, found = check(fakes, monkeypatch)
    assert (code, list(found)) == (1, [name])
    assert found[name]["state"] == "surplus"
    assert next_step in found[name]["nextStep"]


def test_what_cannot_be_read_is_not_reported_as_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = granted()
    fakes.role_policies.error = AccessDenied("read the policies: AccessDenied", denial=Denial.FORBIDDEN)
    code, found = check(fakes, monkeypatch)
    assert (code, {grant["state"] for grant in found.values()}) == (2, {"unknown"})


def allow(*actions: str, resource: str | list[str] = "*", **fields: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Action": list(actions), "Resource": resource, **fields}}


BOUND = replace(ENVIRONMENT, bound_roles="arn:aws:iam::111122223333:role/eks/*", may_simulate="false")
SURPLUS: dict[str, dict[str, Any]] = {
    "another action": allow("s3:GetObject"),
    "every action": allow("*"),
    "a service": allow("eks:*"),
    "every action but one": {"Statement": [{"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": "*"}]},
    "an action in other letters": allow("IAM:CREATEUSER"),
    "one action as text": {"Statement": [{"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"}]},
    "an action of the checker": allow("lambda:InvokeFunction", resource="arn:aws:lambda:eu-west-1:111122223333:function:f:*"),
    "any role to pass": allow("iam:PassRole", resource="arn:aws:iam::111122223333:role/*"),
    "a role outside bound_roles": allow("iam:PassRole", resource="arn:aws:iam::111122223333:role/admin"),
    "a role of another account": allow("iam:PassRole", resource="arn:aws:iam::666666666666:role/eks/x"),
    "every resource": allow("dynamodb:PutItem"),
    "every resource but one": {
        "Statement": {"Effect": "Allow", "Action": "iam:PassRole", "NotResource": "arn:aws:iam::111122223333:role/x"}
    },
    "another add-on": allow("eks:UpdateAddon", resource="arn:aws:eks:eu-west-1:111122223333:addon/*/coredns/*"),
    "every add-on": allow("eks:UpdateAddon", resource="arn:aws:eks:eu-west-1:111122223333:addon/*/*/*"),
    "a simulation that is off": allow("iam:SimulatePrincipalPolicy", resource="arn:aws:iam::111122223333:role/eks/*"),
}


@pytest.mark.parametrize("document", SURPLUS.values(), ids=SURPLUS)
def test_a_policy_beyond_the_contract_is_surplus(document: dict[str, Any]) -> None:
    (problem,) = surplus_statements(Function.REMEDIATOR, BOUND, {"p": document})
    assert problem.endswith("(policy p)")


@pytest.mark.parametrize(
    "document",
    [
        allow("iam:PassRole", resource=["arn:aws:iam::111122223333:role/eks/*", "arn:aws:iam::111122223333:role/eks/cni"]),
        allow("eks:UpdateAddon", resource="arn:aws:eks:eu-west-1:111122223333:addon/*/vpc-cni/*"),
        allow("eks:describecluster", resource="arn:aws:eks:eu-west-1:111122223333:cluster/*"),
        allow("s3:*", Effect="Deny"),
        {"Version": "2012-10-17"},
    ],
)
def test_a_policy_within_the_contract_is_none(document: dict[str, Any]) -> None:
    assert surplus_statements(Function.REMEDIATOR, BOUND, {"p": document}) == []


def test_without_bound_roles_no_role_may_be_passed() -> None:
    document = allow("iam:PassRole", resource="arn:aws:iam::111122223333:role/eks/cni")
    assert surplus_statements(Function.REMEDIATOR, replace(BOUND, bound_roles=""), {"p": document})


def test_the_policies_of_the_stack_have_no_surplus(minimal: Template, prod: Template) -> None:
    for template in (minimal, prod):
        environment = contract_environment.Environment.read(
            resolved(function(template, Function.CHECKER.handler)["Environment"]["Variables"])
        )
        for item in Function:
            name, role = role_of(template, item.handler)
            documents = {policy["PolicyName"]: resolved(policy["PolicyDocument"]) for policy in role["Policies"]}
            assert documents
            assert surplus_statements(item, environment, documents) == [], name


def test_a_rule_is_compared_verb_by_verb_and_name_by_name() -> None:
    required = [{"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "patch"], "resourceNames": ["aws-node"]}]
    assert surplus_rules(required, required) == []
    wider: dict[str, Any] = {"apiGroups": ["apps"], "resources": ["daemonsets", "deployments"], "verbs": ["get", "*"]}
    assert surplus_rules(required, [wider]) == ["also grants get, * on daemonsets.apps", "also grants get, * on deployments.apps"]
    assert surplus_rules(
        required, [{**wider, "resources": ["daemonsets"], "verbs": ["patch"], "resourceNames": ["aws-node", "kube-proxy"]}]
    ) == ["also grants patch on daemonsets.apps kube-proxy"]


def test_the_groups_of_a_role_are_those_of_its_own_item_in_aws_auth() -> None:
    text = "- rolearn: arn:aws:iam::1:role/r-evil\n  groups: [a]\n- rolearn: arn:aws:iam::1:role/r\n  groups: [b, 'system:masters']\n"
    assert groups_of_role(text, "arn:aws:iam::1:role/r") == {"b", "system:masters"}
    assert groups_of_role("", "arn:aws:iam::1:role/r") == frozenset()


@pytest.mark.parametrize("text", ["a: [", "just text", "- 1", "- rolearn: r\n  groups: 3", "&a [*a]", "[" * 5000])
def test_a_malformed_aws_auth_is_an_error_in_words(text: str) -> None:
    with pytest.raises(PermanentError, match="mapRoles"):
        groups_of_role(text, "r")


def test_a_path_of_bound_roles_allows_no_role_in_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The role of one ServiceAccount is not allowed for another one, although both are under the path."""
    fakes = fake_dependencies(described({"cluster": {"version": "1.33"}}))
    environment = replace(fakes.dependencies.environment, bound_roles="arn:aws:iam::111122223333:role/*")
    fakes.dependencies = replace(fakes.dependencies, environment=environment)
    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    document = json.loads(CliRunner().invoke(app, ["access", "--output", "json"]).stdout)
    policy = next(item for item in document["manifests"] if item["metadata"]["name"].startswith("serviceaccounts.limits"))
    assert admission.allowed_roles(policy) == {"kube-system/aws-node": [role_arn("demo-vpc-cni")]}
    assert "role/*" not in json.dumps(policy)


def test_a_policy_that_allows_a_path_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = granted({}, version="1.33")
    workload = BoundWorkload("kube-system", "aws-node", WorkloadKind.DAEMON_SET, "aws-node")
    path = "arn:aws:iam::111122223333:role/*"
    for manifest in admission.limit_policies({workload: [role_arn("demo-vpc-cni"), path]}):
        fakes.cluster_access.apply("demo", manifest)
    code, found = check(fakes, monkeypatch)
    (grant,) = found.values()
    assert (code, grant["state"], grant["detail"]) == (1, "surplus", f"also allows {path} for kube-system/aws-node")
    CliRunner().invoke(app, ["access", "--apply"])
    assert check(fakes, monkeypatch) == (0, {})
