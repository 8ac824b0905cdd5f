"""Terraform: what a plan, as JSON, would do to the role of the vpc-cni add-on."""

from preflight.terraform.reader import read

__all__ = ["read"]
