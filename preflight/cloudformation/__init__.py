"""CloudFormation, and what CDK makes of it: what a template would do to the role of the vpc-cni add-on."""

from preflight.cloudformation.reader import read

__all__ = ["read"]
