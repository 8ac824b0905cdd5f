"""Findings about Terraform plans."""
