"""The VPC CNI's log on a node, explained from lines that real nodes wrote. Account numbers and ids are changed."""
# ruff: noqa: E501  # recorded lines stay whole

import json
from collections.abc import Sequence

import pytest

from lambdas.contract.call_needs import ADDON_NEEDS, CallNeed
from lambdas.domain.diagnosis.node_log import CAUSES, LONGEST_EXCERPT, LONGEST_LINE, Area, LogFinding, explain

STARTED = '{"level":"info","ts":"2026-05-14T08:01:00.105Z","caller":"aws-k8s-agent/main.go:48","msg":"Starting L-IPAMD v1.22.1  ..."}'


def record(message: str, level: str = "error") -> str:
    return json.dumps({"level": level, "ts": "2026-05-14T08:01:02.000Z", "caller": "ipamd/ipamd.go:484", "msg": message})


REFUSED_V2 = (
    "Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4aad6f8000bb8e4]: operation error EC2: DescribeNetworkInterfaces, "
    "get identity: get credentials: failed to refresh cached credentials, "
)
REFUSED_V1 = (
    "Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4aad6f8000bb8e4]: WebIdentityErr: failed to retrieve credentials\ncaused by: "
)
EC2_REFUSED = "api error UnauthorizedOperation: You are not authorized to perform this operation."
FULL = "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses to satisfy the request."

LINES = {
    "oidc-provider-missing": [
        record(
            REFUSED_V2
            + "InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/9A1C"
        ),
        record(
            REFUSED_V1
            + "InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/9A"
        ),
    ],
    "identity-token-rejected": [
        record(REFUSED_V1 + "InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"),
        record(REFUSED_V2 + "InvalidIdentityToken: Incorrect token audience"),
    ],
    "identity-token-expired": [
        record(REFUSED_V2 + "ExpiredTokenException: Token expired: current date/time must be before the expiration")
    ],
    "trust-refused": [
        record(REFUSED_V1 + "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity\n\tstatus code: 403"),
        record(
            REFUSED_V2
            + "operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, api error AccessDenied: Not "
        ),
    ],
    "sts-global-endpoint-unreachable": [
        record(REFUSED_V2 + 'Post "https://sts.amazonaws.com/": dial tcp: lookup sts.amazonaws.com on 10.100.0.2:53: no such host'),
        record(
            REFUSED_V1
            + 'RequestError: send request failed caused by: Post "https://sts.amazonaws.com/": dial tcp 54.239.29.25:443: i/o timeout'
        ),
    ],
    "sts-unreachable": [
        record(
            REFUSED_V1
            + 'RequestError: send request failed caused by: Post "https://sts.eu-west-1.amazonaws.com/": dial tcp 10.0.1.9:443: i/o timeout'
        ),
        record(REFUSED_V2 + 'Post "https://sts.eu-west-1.amazonaws.com/": dial tcp: lookup sts.eu-west-1.amazonaws.com: no such host'),
    ],
    "pod-identity-agent-unreachable": [
        record(
            "Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4aad6f8000bb8e4]: operation error EC2: DescribeNetworkInterfaces, get identity: "
            "get credentials: request canceled, context deadline exceeded"
        ),
        record('Get "http://169.254.170.23/v1/credentials": dial tcp 169.254.170.23:80: connect: connection refused'),
    ],
    "no-credentials": [
        record(REFUSED_V2 + "no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error StatusCode: 404"),
        record("Failed to call ec2:DescribeNetworkInterfaces: NoCredentialProviders: no valid providers in chain. Deprecated."),
    ],
    "imds-hop-limit": [
        record("Unable to retrieve instance type: EC2MetadataError: failed to make EC2Metadata request\n\tstatus code: 401, request id: ")
    ],
    "imds-unreachable": [
        record("Failed to retrieve vpc-ipv4-cidr-blocks from instance metadata service"),
        record(
            "Failed to retrieve interfaces data from instance metadata RequestError: send request failed\ncaused by: Get "
            "http://169.254.169.254/latest/meta-data/network/interfaces/macs/: net/http: request canceled while waiting for connection"
        ),
    ],
    "security-groups-refused": [record(f"discoverCustomSecurityGroups: operation error EC2: DescribeSecurityGroups, {EC2_REFUSED}")],
    "subnets-refused": [
        record(f"failed to check subnet exclusion for ENI eni-0e4: operation error EC2: DescribeSubnets, {EC2_REFUSED}"),
        record(f"checking to exclude configured subnet: operation error EC2: DescribeSubnets, {EC2_REFUSED}"),
    ],
    "subnet-fallback": [record("Defaulting to same subnet as the primary interface for the new ENI", "warn")],
    "tags-refused": [record(f"ipamd init: failed to tag managed ENI eni-0e4: operation error EC2: CreateTags, {EC2_REFUSED}")],
    "instance-type-refused": [record(f"Failed calling DescribeInstanceTypes for `m9g.large`: operation error EC2, {EC2_REFUSED}")],
    "security-group-update-refused": [
        record(f"refreshSGIDs: unable to update ENI eni-0e4 with security groups: ModifyNetworkInterfaceAttribute {EC2_REFUSED}", "warn")
    ],
    "ipv6-prefix-refused": [
        record(f"Failed to allocate IPv6 Prefixes to Primary ENI: operation error EC2: AssignIpv6Addresses, {EC2_REFUSED}")
    ],
    "call-refused": [
        record(f"Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4]: operation error EC2: DescribeNetworkInterfaces, {EC2_REFUSED}")
    ],
    "request-expired": [record("operation error EC2: DescribeNetworkInterfaces, api error RequestExpired: Request has expired.")],
    "subnet-full": [
        record(
            f"Failed to allocate a private IP/Prefix addresses on ENI eni-01f879673fc5fd14d: {FULL}\n\tstatus code: 400, request id: aeac321e"
        ),
        record("Failed to CreateNetworkInterface InvalidParameterValue: There aren't sufficient free Ipv4 addresses or prefixes"),
    ],
    "subnet-fragmented": [
        record(
            "Failed to allocate 1 IP addresses on an ENI: InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks"
        )
    ],
    "interface-limit": [record("Failed to attach ENI eni-0e4: AttachmentLimitExceeded: Interface count 4 exceeds the limit for m5.large")],
    "address-limit": [record("PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.")],
    "throttled": [record("Failed to CreateNetworkInterface RequestLimitExceeded: Request limit exceeded.")],
    "no-address-available": [record("AssignPodIPv4Address: no available IP/Prefix addresses", "info")],
    "api-server-unreachable": [
        record('Unable to reach API Server: Get "https://10.100.0.1:443/version?timeout=5s": net/http: request canceled')
    ],
    "ec2-unreachable": [
        record(
            'Failed to call ec2:DescribeNetworkInterfaces: Post "https://ec2.eu-west-1.amazonaws.com/": dial tcp 10.0.0.9:443: i/o timeout'
        )
    ],
    "eni-config-missing": [record('Failed to get pod ENI Config: eniconfigs.crd.k8s.amazonaws.com "eu-west-1a" not found')],
    "iptables-failed": [
        record(
            "Initialization failure: ipamd init: failed to set up host network: host network setup: failed to add chain: running "
            "[/usr/sbin/iptables -t nat -N AWS-SNAT-CHAIN-0 --wait]: exit status 4: iptables: Resource temporarily unavailable.\n"
        )
    ],
    "interface-not-in-metadata": [record("giving up trying to retrieve ENIs from metadata service")],
    "custom-networking-without-interface": [record("Failed to attach any ENIs for custom networking")],
    "interface-not-released": [
        record("Failed to detach ENI eni-0e4aad6f8000bb8e4"),
        record("Not able to delete ENI yet (attempt 1/12)", "debug"),
        record("Failed to deallocate a private IP address"),
    ],
    "pool-does-not-grow": [
        record("error while trying to increase datastore pool"),
        record("failed to allocate one IP addresses on ENI eni-0e4aad6f8000bb8e4"),
        record("Failed to CreateNetworkInterface"),
    ],
    "interface-info-missing": [record("Initialization failure: ipamd init: failed to retrieve attached ENIs info")],
}


@pytest.mark.parametrize("need", [need for need in ADDON_NEEDS["vpc-cni"].calls if need.log], ids=lambda need: f"{need.call} {need.since}")
def test_the_line_of_each_call_that_a_release_needs_is_explained(need: CallNeed) -> None:
    call = need.call.removeprefix("ec2:")
    (found,) = explain([record(f"{need.log}: operation error EC2: {call}, {EC2_REFUSED}")]).findings
    assert (found.detail, found.cause.area) == (call, Area.PERMISSIONS)


def test_every_cause_has_a_recorded_line() -> None:
    assert list(LINES) == [cause.id for cause in CAUSES]
    assert len(CAUSES) >= 20


@pytest.mark.parametrize(("cause", "line"), [(cause, line) for cause, lines in LINES.items() for line in lines])
def test_a_recorded_line_is_explained_by_its_cause(cause: str, line: str) -> None:
    found = explain([STARTED, line]).findings
    assert [finding.cause.id for finding in found] == [cause]
    assert found[0].line == 2


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (STARTED,),
        (
            record("Node IP not found in API server", "debug"),
            record("IP pool stats: Total IPs/Prefixes = 32/2, AssignedIPs/CooldownIPs: 32/0", "debug"),
        ),
        (record("Successful communication with the Cluster! Cluster Version is: v1.33", "info"), "Checking for IPAM connectivity ... "),
        ("{", "[1, 2]", '{"msg": 7}', '{"msg": {"a": 1}}', "\x00\x1b[2J"),
    ],
)
def test_a_line_without_a_cause_explains_nothing(lines: Sequence[str]) -> None:
    assert explain(lines).findings == ()


def test_a_cause_precedes_its_consequences() -> None:
    report = explain([STARTED, LINES["trust-refused"][0], LINES["interface-info-missing"][0], LINES["trust-refused"][0]])
    assert [(finding.cause.id, finding.count, finding.line) for finding in report.findings] == [
        ("trust-refused", 2, 4),
        ("interface-info-missing", 1, 3),
    ]
    assert report.release == "v1.22.1"
    assert report.lines == 4


def test_a_refused_call_is_named() -> None:
    (finding,) = explain(LINES["call-refused"]).findings
    assert finding.detail == "DescribeNetworkInterfaces"
    assert finding.cause.area is Area.PERMISSIONS


def test_a_finding_holds_the_latest_line_and_the_latest_call_that_was_named() -> None:
    refused = 'UnauthorizedOperation: You are not\n  "authorized"'
    (finding,) = explain([f"EC2: CreateTags, {refused}", "  " + record(f"EC2: DescribeInstances, {refused}"), record(refused)]).findings
    assert finding == LogFinding(
        cause=finding.cause, count=3, line=3, excerpt='UnauthorizedOperation: You are not "authorized"', detail="DescribeInstances"
    )
    assert explain([" a  UnauthorizedOperation \n"]).findings[0].excerpt == "a  UnauthorizedOperation"


def test_a_line_of_the_longest_length_is_whole() -> None:
    line = "InvalidIdentityToken".rjust(LONGEST_LINE)
    assert [(report.truncated, len(report.findings)) for report in (explain([line]), explain([" " + line]))] == [(0, 1), (1, 0)]
    assert explain([]).lines == 0


def test_a_long_line_is_truncated_and_counted() -> None:
    report = explain(["x" * LONGEST_LINE + "InvalidIdentityToken", "InvalidIdentityToken " + "y" * LONGEST_LINE])
    assert report.truncated == 2
    assert [finding.line for finding in report.findings] == [2]
    assert len(report.findings[0].excerpt) == LONGEST_EXCERPT
