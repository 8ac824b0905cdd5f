"""Preflight: readers of planned changes, the assessment of a cluster, and the output."""
