"""Preflight: readers of what is about to be applied, the answer for a cluster, and how both are written."""
