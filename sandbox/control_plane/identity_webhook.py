"""Tells the API server to ask the pod identity webhook about every new pod, as EKS does."""

import base64
from typing import Any

NAME = "pod-identity-webhook"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


def configuration(url: str, ca_pem: str) -> dict[str, Any]:
    """The MutatingWebhookConfiguration for a webhook at `url`, whose certificate the authority `ca_pem` signed.

    A webhook that fails lets pods through as they are, which is how a pod can miss its role.

    Source: https://github.com/aws/amazon-eks-pod-identity-webhook/blob/master/deploy/mutatingwebhook.yaml
    """
    webhook = {
        "name": f"{NAME}.amazonaws.com",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(ca_pem.encode()).decode()},
        "failurePolicy": "Ignore",
        "timeoutSeconds": 5,  # of each pod's creation while it hangs; the default of 10 only makes tests slower
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "objectSelector": {"matchExpressions": [{"key": "eks.amazonaws.com/skip-pod-identity-webhook", "operator": "DoesNotExist"}]},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [webhook],
    }
