"""How `ipamd`, the process of the network plug-in, starts: what it writes to its log, when it exits, and with which code.

The log is a file on the node. Neither `kubectl logs` nor a termination message contains it.
Sources: https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.23.1/pkg/utils/logger/config.go
https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.23.1/cmd/aws-vpc-cni/main.go
https://github.com/aws/amazon-vpc-cni-k8s/issues/3704 (exit code 2). Exit codes and times were measured with the real program.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.cluster.clock import stamp
from sandbox.controllers.vpc_cni import CONTAINER, Allowed, Denied, NoCredentials, RoleVerdict

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.controllers.client import View

_RELEASE: Final = re.compile(r":(v(\d+)\.(\d+)\.[\w.-]+)\Z")
_WAITS_FOR_IPAMD_SINCE: Final = (1, 13)
_SDK_V2_SINCE: Final = (1, 19)
"""Release v1.19.4 moved to the second version of the AWS SDK, whose errors have other texts. The patch level is ignored here."""


@dataclass(frozen=True)
class Exit:
    """How the container ends when `ipamd` fails to start.

    `at_once` is False where the container waits for `ipamd` until the liveness probe has failed. `writes_configuration` is whether the
    node becomes Ready all the same.
    """

    code: int
    at_once: bool
    writes_configuration: bool


def release(pod: View) -> str:
    """The release of the plug-in, such as `v1.15.1`; empty where its image names none."""
    found = _RELEASE.search(_image(pod))
    return found.group(1) if found else ""


def exit_of(pod: View) -> Exit:
    """How this release ends. Before v1.13.0 its wait for `ipamd` returned at once, and the configuration was written."""
    if _numbers(pod) >= _WAITS_FOR_IPAMD_SINCE:
        return Exit(code=2, at_once=False, writes_configuration=False)
    return Exit(code=1, at_once=True, writes_configuration=True)


def log_lines(pod: View, verdict: RoleVerdict, now: datetime) -> tuple[str, ...]:
    """The records that `ipamd` writes to its log in one start."""
    texts = [("info", f"Starting L-IPAMD {release(pod)}  ...")]
    match verdict:
        case Allowed(reports):
            texts += [("error", _refused(call, _numbers(pod))) for call in reports]
            texts.append(("info", "Setting up the host network"))
        case Denied(api):
            texts += [("error", _refused(api, _numbers(pod))), ("error", "Initialization failure: ipamd init: " + _consequence(api))]
        case NoCredentials():
            failed = _without_credentials(verdict, _numbers(pod))
            texts += [("error", failed), ("error", "Initialization failure: ipamd init: failed to retrieve attached ENIs info")]
    return tuple(json.dumps({"level": level, "ts": stamp(now), "msg": text}) for level, text in texts)


def _image(pod: View) -> str:
    return str(next((each.get("image", "") for each in pod["spec"]["containers"] if each["name"] == CONTAINER), ""))


def _numbers(pod: View) -> tuple[int, int]:
    found = _RELEASE.search(_image(pod))
    return (int(found.group(2)), int(found.group(3))) if found else _WAITS_FOR_IPAMD_SINCE


def _refused(api: str, numbers: tuple[int, int]) -> str:
    call = api.removeprefix("ec2:")
    refused = "UnauthorizedOperation: You are not authorized to perform this operation."
    if call == "DescribeSecurityGroups":
        return f"discoverCustomSecurityGroups: operation error EC2: {call}, api error {refused}"
    answer = f"operation error EC2: {call}, api error {refused}" if numbers >= _SDK_V2_SINCE else f"{refused}\n\tstatus code: 403"
    return f"Failed to call ec2:{call} for [eni-0e4aad6f8000bb8e4]: {answer}"


def _consequence(api: str) -> str:
    return "failed to retrieve attached ENIs info" if api.endswith("DescribeNetworkInterfaces") else f"{api.removeprefix('ec2:')} failed"


def _without_credentials(verdict: NoCredentials, numbers: tuple[int, int]) -> str:
    failed = "Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4aad6f8000bb8e4]: "
    if not verdict.from_sts:
        return failed + verdict.error
    if numbers < _SDK_V2_SINCE:
        return f"{failed}WebIdentityErr: failed to retrieve credentials\ncaused by: {verdict.error}"
    return f"{failed}operation error EC2: DescribeNetworkInterfaces, get identity: get credentials: " + (
        f"failed to refresh cached credentials, {verdict.error}"
    )
