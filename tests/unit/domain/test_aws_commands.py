"""AWS commands for people name their region."""

import pytest

from lambdas.domain.assessment.aws_commands import in_region


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("aws eks list-updates --name a", "aws eks list-updates --region eu-west-1 --name a"),
        (
            "aws ssm get-parameter --name /a && aws eks wait x",
            "aws ssm get-parameter --region eu-west-1 --name /a && aws eks wait --region eu-west-1 x",
        ),
        ("aws iam get-role --role-name a", "aws iam get-role --role-name a"),
        ("aws eks list-updates --region us-east-1", "aws eks list-updates --region us-east-1"),
        ("kubectl get pods", "kubectl get pods"),
    ],
)
def test_commands_of_regional_services_get_the_region(command: str, expected: str) -> None:
    assert in_region(command, "eu-west-1") == expected


def test_an_unknown_region_changes_nothing() -> None:
    assert in_region("aws eks list-updates --name a", "") == "aws eks list-updates --name a"
