"""The program that declares a pod identity association, by the tags that it leaves. Pure."""

from collections.abc import Mapping
from typing import Final

_STACK: Final = "aws:cloudformation:stack-name"
_TAG_PREFIXES: Final = (
    ("services.k8s.aws/", "ACK"),
    ("eks:eks-capability-arn", "ACK"),
    ("crossplane-", "Crossplane"),
    ("alpha.eksctl.io/", "eksctl"),
)
"""Terraform sets no tag of its own, so it is not recognized here.

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
https://github.com/aws-controllers-k8s/runtime/blob/main/pkg/config/config.go (defaultResourceTags)
https://docs.aws.amazon.com/eks/latest/userguide/ack-considerations.html
https://github.com/crossplane/crossplane-runtime/blob/main/pkg/resource/resource.go (GetExternalTags)
https://github.com/eksctl-io/eksctl/blob/main/pkg/actions/podidentityassociation/iam_role_creator.go
"""


def declared_by(tags: Mapping[str, str]) -> str:
    """The program as text, such as `CloudFormation (stack demo)`; empty where no tag names one."""
    program = next((name for prefix, name in _TAG_PREFIXES if any(key.startswith(prefix) for key in tags)), "")
    stack = f"CloudFormation (stack {tags[_STACK]})" if _STACK in tags else ""
    return program or stack
