"""Calls that AWS refused, delivered by CloudTrail. Each service names other facts about the caller.

| refused by | ServiceAccount | role | cluster |
|---|---|---|---|
| STS, AssumeRoleWithWebIdentity | `userName` | `requestParameters.roleArn` | by its OIDC provider, `identityProvider` |
| EC2, in a session of IRSA | by its role | `sessionIssuer.arn` | by its OIDC provider, `federatedProvider` |
| EC2, with the user agent of the VPC CNI | aws-node | the role of the node | not named |
| EKS Pod Identity | not named | not named | `requestParameters.clusterName` |

Sources, captures of refused calls: https://github.com/kubernetes-sigs/karpenter/issues/2813
https://github.com/aws/amazon-vpc-cni-k8s/issues/1454
https://github.com/greenpau/argo-workflows-aws-plugin/blob/HEAD/DEVELOPMENT.md
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lambdas.contract.events import CNI_USER_AGENT, REFUSED_TOKEN_CALLS
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import CheckRequest, Ignored, Refusal, Trigger
from lambdas.domain.untrusted_json import cluster_name, inside, label, moment, service_account, text

_CALL: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,127}\Z")
_SUBJECT: Final = re.compile(r"system:serviceaccount:([^:]{1,253}):([^:]{1,253})\Z")
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,128}\Z")


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The refused call, with the cluster and the ServiceAccount where the record names them.

    Raises:
        MalformedEvent: the record names a cluster or a ServiceAccount that is not valid.
    """
    detail = event.detail
    service, name, code = text(detail, "eventSource").removesuffix(".amazonaws.com"), text(detail, "eventName"), text(detail, "errorCode")
    if not code:
        return Ignored(f"{label(name) or 'a call without a name'} was not refused")
    if service not in ("ec2", "sts", "eks-auth") or not _CALL.match(name) or not _CODE.match(code):
        return Ignored(f"{label(name) or 'a call without a name'} is not a call of a supported kind")
    if service != "ec2" and name not in REFUSED_TOKEN_CALLS:
        return Ignored(f"{name} does not request credentials for a pod")
    subject = _SUBJECT.match(text(detail, "userIdentity", "userName")) if service == "sts" else None
    if service == "sts" and subject is None:
        return Ignored(f"{name} was refused to another identity than a ServiceAccount")
    happened = min(moment(detail.get("eventTime")) or event.at, event.arrived_at)
    by_cni = service == "ec2" and CNI_USER_AGENT in text(detail, "userAgent")[:1_024]
    issuer = label(text(detail, "userIdentity", "sessionContext", "sessionIssuer", "arn"))
    role = label(text(detail, "requestParameters", "roleArn")) if service == "sts" else issuer
    session = inside(detail, "userIdentity", "sessionContext", "webIdFederationData")
    provider = text(detail, "userIdentity", "identityProvider") if service == "sts" else text(session, "federatedProvider")
    return CheckRequest(
        trigger=Trigger.REFUSED_CALL,
        occurred_at=happened,
        event_id=event.id,
        cluster=cluster_name(inside(detail, "requestParameters", "clusterName"), "requestParameters.clusterName")
        if service == "eks-auth"
        else None,
        service_account=service_account(*subject.groups()) if subject else None,
        refusal=Refusal(
            call=f"{service}:{name}",
            code=code,
            principal=subject.group() if subject else issuer or label(text(detail, "userIdentity", "arn")) or "unknown",
            at=happened,
            role_arn="" if service == "eks-auth" else role,
            provider_arn=label(provider),
            is_by_cni=by_cni,
        ),
    )


def refusal_in(record: Mapping[str, Any], read_at: datetime) -> Refusal | None:
    """The refused call in a record of CloudTrail that was read, not delivered; None for any other record."""
    read = Envelope(id="", source="", kind="", at=read_at, arrived_at=read_at, account="", region="", resources=None, detail=record)
    try:
        found = parse(read)
    except MalformedEvent:
        return None
    return found.refusal if isinstance(found, CheckRequest) else None
