"""Pass a strong role, or change a foreign add-on, with a stolen role of the remediator outside the clusters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lambdas.contract.access import IAM, SERVICE_IAM, Target
from lambdas.contract.environment import Function
from tests.attacks.threat import Threat
from tests.infra.templates import ACCOUNT, statements
from tests.infra.test_contract import SERVED_ADDONS, policies, regional, role_of

if TYPE_CHECKING:
    from tests.infra.templates import Template

THREAT = Threat(
    name="stolen remediator role in AWS",
    actor="holder of the remediator's credentials",
    controls="every AWS call that the remediator may make",
    attempt="pass an administrator's role to a service, update a foreign add-on, or use a wildcard of a policy",
    prevention=(
        "no IAM write; `UpdateAddon` on the served add-ons only, associations in listed clusters only and never deleted, "
        "`PassRole` of `bound_roles` to EKS and its Pod Identity only"
    ),
    proof=(
        "test_a_role_may_be_passed_to_eks_only_and_only_if_configured",
        "test_the_record_of_no_other_addon_and_of_no_unlisted_cluster_may_be_updated",
        "test_associations_are_written_in_listed_clusters_only_and_never_deleted",
    ),
    residual=(
        "it can write any role of `bound_roles` into the record of a served add-on, and associate one that trusts EKS Pod Identity with "
        "any ServiceAccount of a listed cluster"
    ),
)


def test_a_role_may_be_passed_to_eks_only_and_only_if_configured(minimal: Template, prod: Template) -> None:
    def passed(template: Template) -> set[tuple[str, str, str, str]]:
        _, role = role_of(template, Function.REMEDIATOR.handler)
        return {
            statement for policy in role["Policies"] for statement in statements(policy["PolicyDocument"]) if statement[1] == "iam:PassRole"
        }

    assert passed(minimal) == set()
    services = ("eks.amazonaws.com", "pods.eks.amazonaws.com")
    conditions = [json.dumps({"StringEquals": {"iam:PassedToService": service}}) for service in services]
    configured = (f"arn:aws:iam::{ACCOUNT}:role/eks/*", f"arn:aws:iam::{ACCOUNT}:role/blue-vpc-cni")
    assert {item[2:] for item in passed(prod)} == {(role, condition) for role in configured for condition in conditions}


def test_the_record_of_no_other_addon_and_of_no_unlisted_cluster_may_be_updated(minimal: Template, prod: Template) -> None:
    def updated(template: Template) -> set[str]:
        found = (s for policy in policies(template) for s in statements(policy) if s[1] == "eks:UpdateAddon")
        return {resource for _, _, resource, _ in found}

    assert updated(minimal) == {regional("eks", f"addon/*/{addon}/*") for addon in SERVED_ADDONS}
    assert {resource.split("/")[1] for resource in updated(prod)} == {"blue", "green_2", "old", "by-terraform"}


def test_associations_are_written_in_listed_clusters_only_and_never_deleted(prod: Template) -> None:
    found = [s for policy in policies(prod) for s in statements(policy) if "PodIdentityAssociation" in s[1]]
    written = {
        (action, resource) for _, action, resource, _ in found if action.removeprefix("eks:").startswith(("Create", "Update", "Delete"))
    }
    assert {action for action, _ in written} == {"eks:CreatePodIdentityAssociation", "eks:UpdatePodIdentityAssociation"}
    assert {resource.split("/")[1] for _, resource in written} == {"blue", "green_2", "old", "by-terraform"}


def test_no_action_is_a_wildcard_and_resource_wildcards_are_in_the_contract(maximal: dict[str, Template]) -> None:
    unbounded = {item.action for item in (*IAM, *SERVICE_IAM) if item.on is Target.EVERYTHING}
    for template in maximal.values():
        for policy in policies(template):
            for effect, action, resource, _ in statements(policy):
                assert "*" not in action
                assert effect == "Deny" or resource != "*" or action in unbounded
