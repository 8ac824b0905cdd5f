"""Findings about Kubernetes manifests of ACK and Crossplane."""
