"""The clean-up after a crashed drill takes the ServiceAccount of the drill out of the admission policies, and changes no other policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cli.errors import CommandError
from cli.interactive.drill import MARKER, NAME, clean_up_leftovers
from cli.interactive.drill import NAMESPACE as NAMESPACE_OF_DRILL
from lambdas.contract.access import BoundWorkload
from lambdas.contract.admission import limit_policies
from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import TransientError
from lambdas.domain.snapshot.bindings import Parameter
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.world import NAME as AWS_NODE
from tests.world import NAMESPACE, described, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = {BoundWorkload(NAMESPACE, AWS_NODE, WorkloadKind.DAEMON_SET, AWS_NODE): [role_arn("demo-vpc-cni")]}
DRILL = {BoundWorkload(NAMESPACE_OF_DRILL, NAME, WorkloadKind.DEPLOYMENT, NAME): [role_arn("drill")]}


@pytest.fixture
def fakes() -> Fakes:
    """A cluster in which a drill crashed after it had extended the policies."""
    found = fake_dependencies(described({"cluster": {"version": "1.33"}}))
    for manifest in limit_policies(OWN | DRILL):
        found.cluster_access.apply("demo", manifest)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE_OF_DRILL, "labels": MARKER}}
    found.cluster_access.create("demo", namespace, "test")
    found.world.parameters[binding_path("demo", NAMESPACE_OF_DRILL, NAME)] = Parameter(value=role_arn("drill"))
    return found


def policies_without_drill() -> Mapping[tuple[str, str, str], Any]:
    clean = fake_dependencies(described({"cluster": {"version": "1.33"}}))
    for manifest in limit_policies(OWN):
        clean.cluster_access.apply("demo", manifest)
    return clean.cluster_access.objects


def test_the_policies_are_those_that_the_bindings_need(fakes: Fakes) -> None:
    removed = clean_up_leftovers("demo", fakes.dependencies)
    assert len(removed) == 3
    assert fakes.cluster_access.objects == policies_without_drill()
    assert clean_up_leftovers("demo", fakes.dependencies) == []


def test_policies_without_the_drill_are_not_written(fakes: Fakes) -> None:
    fakes.cluster_access.objects = dict(policies_without_drill())
    fakes.cluster_access.failing_apply = "ValidatingAdmissionPolicy"
    assert clean_up_leftovers("demo", fakes.dependencies) == [f"parameter {binding_path('demo', NAMESPACE_OF_DRILL, NAME)}"]


def test_a_policy_of_another_owner_is_left_alone(fakes: Fakes) -> None:
    key = ("ValidatingAdmissionPolicy", "", "serviceaccounts.limits.eks-irsa-remediator")
    foreign = {**fakes.cluster_access.objects[key]}
    foreign["metadata"] = {**foreign["metadata"], "labels": {}}
    fakes.cluster_access.objects[key] = foreign
    assert len(clean_up_leftovers("demo", fakes.dependencies)) == 2
    assert fakes.cluster_access.objects[key] == foreign


def test_policies_that_cannot_be_written_are_named_and_the_rest_is_deleted(fakes: Fakes) -> None:
    fakes.cluster_access.failing_apply = "ValidatingAdmissionPolicy"
    with pytest.raises(CommandError, match="could not clean up"):
        clean_up_leftovers("demo", fakes.dependencies)
    assert ("Namespace", "", NAMESPACE_OF_DRILL) not in fakes.cluster_access.objects
    assert binding_path("demo", NAMESPACE_OF_DRILL, NAME) not in fakes.world.parameters
    fakes.cluster_access.failing_apply = ""
    assert len(clean_up_leftovers("demo", fakes.dependencies)) == 1
    assert fakes.cluster_access.objects == policies_without_drill()


def test_a_binding_that_cannot_be_deleted_does_not_bring_its_role_back(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> bool:
        raise TransientError("delete parameter: ThrottlingException")

    monkeypatch.setattr(fakes.dependencies.parameters, "delete", refuse)
    with pytest.raises(CommandError, match="ThrottlingException"):
        clean_up_leftovers("demo", fakes.dependencies)
    assert fakes.cluster_access.objects == policies_without_drill()
