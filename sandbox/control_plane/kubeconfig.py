"""Kubeconfig files, as kubectl and the cluster's own programs read them."""

import base64
import json
from pathlib import Path


def write(path: Path, *, url: str, ca_pem: str, token: str) -> Path:
    """Write a kubeconfig with one context and a bearer token, readable for this user alone."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))  # JSON is YAML
    return path
