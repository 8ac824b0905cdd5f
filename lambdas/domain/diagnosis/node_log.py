"""Causes named by the VPC CNI's log on a node, `/var/log/aws-routed-eni/ipamd.log`. Pure.

The plug-in writes this file on the node alone: neither `kubectl logs` nor a pod event shows what it says about STS.
Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/utils/logger/config.go
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lambdas.contract.partitions import REGION

LONGEST_LINE: Final = 2048
"""Characters of one line that are examined. The plug-in's longest recorded line has about 1,500."""
LONGEST_EXCERPT: Final = 300


class Area(StrEnum):
    """Where the cause is repaired."""

    CREDENTIALS = "credentials"  # the pod gets no credentials, or STS refuses them
    PERMISSIONS = "permissions"  # the credentials work, and the role may not make a call
    NETWORK = "network"  # an endpoint does not answer
    CAPACITY = "capacity"  # addresses, interfaces or quotas are used up
    NODE = "node"  # the node itself: kernel, metadata service, instance type
    CONFIGURATION = "configuration"


@dataclass(frozen=True, kw_only=True)
class LogCause:
    """One cause that a log line shows. `decisive` is False where the plug-in continues, so that the line alone explains no failure."""

    id: str
    area: Area
    pattern: re.Pattern[str]
    meaning: str
    next_step: str
    source: str
    decisive: bool = True


@dataclass(frozen=True, kw_only=True)
class LogFinding:
    """A cause found in a log: how many lines show it, and the last of them. `line` counts from 1. `detail` is the call or object named."""

    cause: LogCause
    count: int
    line: int
    excerpt: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LogReport:
    """What a log shows, decisive causes first, then in the order of their last line.

    `lines` counts what was read, `truncated` the lines that were longer than `LONGEST_LINE`. An empty `findings` shows nothing about the
    node: the cause may be in an older, rotated file.
    """

    findings: tuple[LogFinding, ...]
    lines: int
    truncated: int
    release: str = ""


_CNI: Final = "https://github.com/aws/amazon-vpc-cni-k8s"
_EC2_HOST: Final = rf"(?:ec2[.\w-]*amazonaws\.|\bec2\.{REGION}\.)"
_STS_HOST: Final = rf"(?:sts[.\w-]*amazonaws\.|\bsts\.{REGION}\.)"


def _cause(  # noqa: PLR0917  # a row of the table below reads as one line of columns
    id_: str, area: Area, pattern: str, meaning: str, next_step: str, source: str, *, decisive: bool = True
) -> LogCause:
    return LogCause(
        id=id_,
        area=area,
        pattern=re.compile(pattern),
        meaning=meaning,
        next_step=next_step,
        source=source,
        decisive=decisive,
    )


CAUSES: Final = (
    _cause(
        "oidc-provider-missing",
        Area.CREDENTIALS,
        r"InvalidIdentityToken.*No OpenIDConnect provider found",
        "STS knows no IAM OIDC provider for this cluster's issuer.",
        "Create the IAM OIDC provider of the cluster, with the audience sts.amazonaws.com.",
        "https://github.com/awsdocs/amazon-eks-user-guide/issues/482",
    ),
    _cause(
        "identity-token-rejected",
        Area.CREDENTIALS,
        r"InvalidIdentityToken",
        "STS rejected the ServiceAccount token. The OIDC provider is missing, or its audience or thumbprint is wrong.",
        "Compare the provider's URL, audience and thumbprint with the cluster's issuer.",
        "https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2542",
    ),
    _cause(
        "identity-token-expired",
        Area.CREDENTIALS,
        r"ExpiredTokenException",
        "STS rejected the ServiceAccount token because it has expired.",
        "Check the clock of the node, then replace the pod so that the kubelet mounts a new token.",
        "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html",
    ),
    _cause(
        "trust-refused",
        Area.CREDENTIALS,
        r"(?:AccessDenied.*sts:AssumeRoleWithWebIdentity|AssumeRoleWithWebIdentity.*AccessDenied)",
        "STS refused the role: its trust policy does not allow this ServiceAccount, or the role does not exist.",
        "Check the role's ARN, and compare its trust policy with the cluster's issuer, the audience and the subject.",
        f"{_CNI}/issues/1454",
    ),
    _cause(
        "sts-global-endpoint-unreachable",
        Area.NETWORK,
        r"(?:https://sts\.amazonaws\.com\S*.*(?:i/o timeout|no such host|connection refused|deadline exceeded|Client\.Timeout)"
        r"|(?:lookup|dial tcp).*\bsts\.amazonaws\.com\b)",
        "The node does not reach the global host of STS, which no interface endpoint serves.",
        "Annotate the ServiceAccount with eks.amazonaws.com/sts-regional-endpoints=true, then replace the pods.",
        "https://github.com/aws/containers-roadmap/issues/586",
    ),
    _cause(
        "sts-unreachable",
        Area.NETWORK,
        rf"(?:{_STS_HOST}\S*.*(?:i/o timeout|no such host|connection refused|deadline exceeded|Client\.Timeout)"
        rf"|(?:lookup|dial tcp).*{_STS_HOST})",
        "The node does not reach STS.",
        "Add a route or an interface endpoint for STS to the subnets of the nodes.",
        f"{_CNI}/issues/647",
    ),
    _cause(
        "pod-identity-agent-unreachable",
        Area.CREDENTIALS,
        r"(?:169\.254\.170\.23|fd00:ec2::23|get credentials: request canceled, context ?deadline ?exceeded)",
        "The pod is to take its credentials from the EKS Pod Identity agent, and the agent on this node does not answer.",
        "Check that the eks-pod-identity-agent add-on is installed and that its pod on this node is ready.",
        f"{_CNI}/pull/3644",
    ),
    _cause(
        "no-credentials",
        Area.CREDENTIALS,
        r"(?:no EC2 IMDS role found|NoCredentialProviders|EC2RoleRequestError: no EC2 instance role found)",
        "The pod has no credentials: no role in its environment and no role on the node.",
        "Set the role annotation of the ServiceAccount and replace the pod, or attach an instance profile to the node.",
        f"{_CNI}/issues/1051",
    ),
    _cause(
        "imds-hop-limit",
        Area.NODE,
        r"(?:EC2MetadataError|failed to make EC2Metadata request|ec2imds).*(?:401|403|40[0-9])",
        "The instance metadata service refused the request. The hop limit may be too low, or the service is disabled.",
        "Set HttpPutResponseHopLimit to 2 or run the pod in the host network; check HttpEndpoint and HttpTokens.",
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html",
    ),
    _cause(
        "imds-unreachable",
        Area.NODE,
        r"(?:169\.254\.169\.254\S*.*(?:Client\.Timeout|request canceled|connection refused|i/o timeout)"
        r"|Failed to retrieve .* from instance metadata)",
        "The instance metadata service does not answer.",
        "Check firewall rules on the node for 169.254.169.254 and the instance's metadata options.",
        f"{_CNI}/issues/1038",
    ),
    _cause(
        "security-groups-refused",
        Area.PERMISSIONS,
        r"(?:discoverCustomSecurityGroups|DescribeSecurityGroups).*(?:UnauthorizedOperation|not authorized|AccessDenied)"
        r"|Unable to discover custom security groups",
        "The role may not call ec2:DescribeSecurityGroups. vpc-cni v1.22.0 and v1.22.1 exit at start without it.",
        "Update the add-on to v1.22.2 or later, or allow ec2:DescribeSecurityGroups to the role.",
        f"{_CNI}/issues/3705",
    ),
    _cause(
        "subnets-refused",
        Area.PERMISSIONS,
        r"(?:checking to exclude configured subnet|failed to check subnet exclusion|Failed to check if primary subnet is excluded"
        r"|DescribeSubnets.*UnauthorizedOperation)",
        "The role may not call ec2:DescribeSubnets. From v1.22.0 on the plug-in needs it: on IPv6 and custom networking it exits at start.",
        "Allow ec2:DescribeSubnets to the role (AmazonEKS_CNI_Policy v5 grants it on IPv4).",
        f"{_CNI}/issues/3704",
    ),
    _cause(
        "subnet-fallback",
        Area.PERMISSIONS,
        r"Defaulting to same subnet as the primary interface",
        "The role may not call ec2:DescribeSubnets. This release continues in the node's own subnet.",
        "Allow ec2:DescribeSubnets before an update to v1.22 or later.",
        f"{_CNI}/blob/v1.18.0/pkg/awsutils/awsutils.go",
        decisive=False,
    ),
    _cause(
        "tags-refused",
        Area.PERMISSIONS,
        r"failed to tag managed ENI",
        "The role may not call ec2:CreateTags on network interfaces, so the plug-in exits at start.",
        "Allow ec2:CreateTags on network-interface/* to the role.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
    ),
    _cause(
        "instance-type-refused",
        Area.PERMISSIONS,
        r"Failed calling DescribeInstanceTypes",
        "The plug-in does not know this instance type, and the role may not call ec2:DescribeInstanceTypes.",
        "Allow ec2:DescribeInstanceTypes, or update the add-on to a release that lists the instance type.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
    ),
    _cause(
        "security-group-update-refused",
        Area.PERMISSIONS,
        r"unable to update ENI .*security groups",
        "The role may not call ec2:ModifyNetworkInterfaceAttribute. The plug-in continues with the groups of the interface.",
        "Allow the call if pods must follow changes of the node's security groups.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
        decisive=False,
    ),
    _cause(
        "ipv6-prefix-refused",
        Area.PERMISSIONS,
        r"Failed to allocate IPv6 Prefixes",
        "The node got no IPv6 prefix. The plug-in reports ready without it, and pods get no address.",
        "Allow ec2:AssignIpv6Addresses, then replace the pod: this release does not retry.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/ipamd/ipamd.go",
    ),
    _cause(
        "call-refused",
        Area.PERMISSIONS,
        r"(?:UnauthorizedOperation|is not authorized to perform)",
        "The role that this pod runs with may not make the call.",
        "Check which role the pod carries; allow the call to that role.",
        "https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html",
    ),
    _cause(
        "request-expired",
        Area.NODE,
        r"(?:RequestExpired|AuthFailure|SignatureDoesNotMatch)",
        "AWS rejected the signature of the request. The clock of the node is probably wrong.",
        "Check time synchronization (chronyd) on the node.",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    ),
    _cause(
        "subnet-full",
        Area.CAPACITY,
        r"(?:InsufficientFreeAddressesInSubnet|There aren't sufficient free Ipv4 addresses)",
        "The subnet has no free address left.",
        "Add subnets or a secondary CIDR; the role is not the cause of this line.",
        f"{_CNI}/pull/1773",
    ),
    _cause(
        "subnet-fragmented",
        Area.CAPACITY,
        r"InsufficientCidrBlocks",
        "The subnet has no contiguous /28 block left for a prefix.",
        "Reserve a CIDR for prefixes in the subnet, or use a new subnet.",
        f"{_CNI}/pull/1585",
    ),
    _cause(
        "interface-limit",
        Area.CAPACITY,
        r"(?:AttachmentLimitExceeded|NetworkInterfaceLimitExceeded|ENILimitExceeded)",
        "The instance or the account has reached its limit of network interfaces.",
        "Use a larger instance type, prefix delegation, or raise the quota.",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    ),
    _cause(
        "address-limit",
        Area.CAPACITY,
        r"PrivateIpAddressLimitExceeded",
        "The interface has reached its limit of addresses.",
        "Nothing needs repair where pods still get addresses from another interface; else use a larger instance type.",
        f"{_CNI}/issues/989",
        decisive=False,
    ),
    _cause(
        "throttled",
        Area.CAPACITY,
        r"(?:RequestLimitExceeded|Throttling)",
        "EC2 throttles the account's requests.",
        "Raise the quota, or slow down scaling; many nodes that start at once cause this.",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html",
        decisive=False,
    ),
    _cause(
        "no-address-available",
        Area.CAPACITY,
        r"(?:no available IP/Prefix addresses|DataStore has no available IP)",
        "The pool of addresses on this node is empty.",
        "Find the line that says why the pool does not grow.",
        f"{_CNI}/issues/1204",
        decisive=False,
    ),
    _cause(
        "api-server-unreachable",
        Area.NETWORK,
        r"(?:Unable to reach API Server|Failed to (?:communicate with|connect to) (?:the )?(?:K8S|API) Server)",
        "The node does not reach the cluster's API server through its service address.",
        "Check kube-proxy on the node and the security groups between nodes and control plane.",
        f"{_CNI}/pull/3243",
    ),
    _cause(
        "ec2-unreachable",
        Area.NETWORK,
        rf"{_EC2_HOST}\S*.*(?:i/o timeout|no such host|connection refused|deadline exceeded|Client\.Timeout)",
        "The node does not reach EC2.",
        "Add a route or an interface endpoint for EC2, and check the VPC's DNS.",
        f"{_CNI}/issues/1558",
    ),
    _cause(
        "eni-config-missing",
        Area.CONFIGURATION,
        r"(?:eniconfig|ENIConfig)\S*.*(?:not found|no ENIConfig)|Failed to get pod ENI Config",
        "Custom networking is on, and the ENIConfig of this node does not exist.",
        "Create an ENIConfig for the node's zone, or correct the node's label or annotation.",
        "https://docs.aws.amazon.com/eks/latest/userguide/cni-custom-network-tutorial.html",
    ),
    _cause(
        "iptables-failed",
        Area.NODE,
        r"(?:iptables: Resource temporarily unavailable|failed to set up host network|iptables: No chain/target/match)",
        "The plug-in could not write its iptables rules.",
        "Check which iptables back end the node uses, and what else writes rules.",
        f"{_CNI}/issues/989",
    ),
    _cause(
        "interface-not-in-metadata",
        Area.PERMISSIONS,
        r"giving up trying to retrieve ENIs from metadata service",
        "A new interface was deleted before the plug-in could use it. A refused ec2:ModifyNetworkInterfaceAttribute has this effect, and"
        " the log does not name the call.",
        "Check that the role may call ec2:ModifyNetworkInterfaceAttribute.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
        decisive=False,
    ),
    _cause(
        "custom-networking-without-interface",
        Area.PERMISSIONS,
        r"Failed to attach any ENIs for custom networking",
        "Custom networking is on, no interface could be attached, and the plug-in exits.",
        "The line before this one names the reason: a refused ec2:DescribeSubnets or ec2:CreateNetworkInterface, or a full subnet.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/ipamd/ipamd.go",
        decisive=False,
    ),
    _cause(
        "interface-not-released",
        Area.PERMISSIONS,
        r"(?:Failed to detach ENI|Not able to delete ENI|Failed to deallocate a private IP|Failed to deallocate IPv6 Prefixes)",
        "The plug-in could not give an interface or an address back. It tries again, and pods are not affected.",
        "Check that the role may call ec2:DetachNetworkInterface, ec2:DeleteNetworkInterface and ec2:UnassignPrivateIpAddresses. A refused"
        " DetachNetworkInterface sends no event.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/awsutils/awsutils.go",
        decisive=False,
    ),
    _cause(
        "pool-does-not-grow",
        Area.CAPACITY,
        r"(?:error while trying to increase datastore pool|[Ff]ailed to allocate one IP(?:v4)? (?:addresses|prefix)|awsGetFreeDeviceNumber"
        r"|Failed to attach ENI|Failed to CreateNetworkInterface)",
        "The node could not get more addresses. Pods that run keep theirs.",
        "The end of the line, or the line before it, names the reason: a refused call, a full subnet or a limit of the instance.",
        f"{_CNI}/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/ipamd/ipamd.go",
        decisive=False,
    ),
    _cause(
        "interface-info-missing",
        Area.PERMISSIONS,
        r"failed to retrieve attached ENIs info",
        "The plug-in could not read its network interfaces and exits.",
        "The line before this one names the reason: a refused call, missing credentials or an endpoint that does not answer.",
        f"{_CNI}/issues/1008",
        decisive=False,
    ),
)
"""In the order in which they are tried: the first pattern that matches a line explains the line."""

_CALL: Final = re.compile(r"\b(?:ec2:|EC2: |sts:|STS: )([A-Z][A-Za-z0-9]{3,60})")
_RELEASE: Final = re.compile(r"Starting L-IPAMD (v[\w.-]{1,40})")


def explain(lines: Iterable[str]) -> LogReport:
    """Find the causes that a log shows.

    Args:
        lines: of `ipamd.log`, oldest first: JSON records or plain text.
    """
    last: dict[str, LogFinding] = {}
    number = truncated = 0
    release = ""
    for number, raw in enumerate(lines, start=1):  # the last number is the count
        truncated += len(raw) > LONGEST_LINE
        text = _message(raw[:LONGEST_LINE])
        if started := _RELEASE.search(text):
            release = started.group(1)
        cause = next((cause for cause in CAUSES if cause.pattern.search(text)), None)
        if cause:
            called = _CALL.search(text)
            detail = called.group(1) if called else (last[cause.id].detail if cause.id in last else "")
            count = last[cause.id].count + 1 if cause.id in last else 1
            excerpt = text.strip()[:LONGEST_EXCERPT]
            last[cause.id] = LogFinding(cause=cause, count=count, line=number, excerpt=excerpt, detail=detail)
    findings = sorted(last.values(), key=lambda finding: (not finding.cause.decisive, -finding.line))
    return LogReport(findings=tuple(findings), lines=number, truncated=truncated, release=release)


def _message(line: str) -> str:
    """The message of a JSON record on one line; the line itself where it is none."""
    if not line.lstrip().startswith("{"):
        return line
    try:
        message = json.loads(line).get("msg")  # what starts with a brace is an object
    except (ValueError, RecursionError):
        return line
    return " ".join(message.split()) if isinstance(message, str) else line
