"""Kubeconfig files for kubectl and the programs of the control plane."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from sandbox.control_plane.certificates import CertificateFiles


def write(path: Path, *, url: str, ca_pem: str, user: Mapping[str, str]) -> Path:
    """Write a kubeconfig with one context and one user, readable only by the current user."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority-data": _base64(ca_pem)}}],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))  # JSON is YAML
    return path


def by_token(token: str) -> dict[str, str]:
    """A user with a bearer token."""
    return {"token": token}


def by_certificate(files: CertificateFiles) -> dict[str, str]:
    """A user with a client certificate, in the form of kind and kubeadm."""
    return {"client-certificate-data": _base64(files.certificate.read_text()), "client-key-data": _base64(files.key.read_text())}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
