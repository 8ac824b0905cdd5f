"""Findings about Pulumi previews."""
