"""The program that declares an association is named by its tags."""

import pytest

from lambdas.domain.snapshot.association_owner import declared_by


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"team": "payments"}, "", id="a person's tag"),
        pytest.param({"aws:cloudformation:stack-name": "eks-demo"}, "CloudFormation (stack eks-demo)", id="CloudFormation"),
        pytest.param({"aws:cloudformation:stack-id": "arn"}, "", id="another tag of CloudFormation"),
        pytest.param({"team": "services.k8s.aws/"}, "", id="a value like a tag"),
        pytest.param({"services.k8s.aws/controller-version": "eks-1.6"}, "ACK", id="ACK"),
        pytest.param({"eks:eks-capability-arn": "arn"}, "ACK", id="the ACK capability"),
        pytest.param({"crossplane-name": "a"}, "Crossplane", id="Crossplane"),
        pytest.param(
            {"aws:cloudformation:stack-name": "s", "alpha.eksctl.io/podidentityassociation-name": "shop/uploader"}, "eksctl", id="eksctl"
        ),
    ],
)
def test_the_tags_name_the_program(tags: dict[str, str], named: str) -> None:
    assert declared_by(tags) == named
