"""A new local AWS is empty."""

from sandbox.aws.local_aws import LocalAws


def test_state_does_not_outlive_its_local_aws() -> None:
    with LocalAws() as first:
        first.client("ssm").put_parameter(Name="/a", Value="v", Type="String")
        assert len(first.client("ssm").describe_parameters()["Parameters"]) == 1
    with LocalAws() as later:
        assert later.client("ssm").describe_parameters()["Parameters"] == []
