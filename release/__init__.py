"""Builds the artifacts of a version reproducibly from a commit."""
