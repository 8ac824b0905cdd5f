"""Each way the trouble announces itself, alone: seconds from the fault to the decision, and what was read."""

import base64
import gzip
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks import stages
from benchmarks.row import Row
from benchmarks.run import Run
from infra.asset import Target, build
from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.parameters import binding_path
from sandbox.aws.local import ACCOUNT, REGION
from sandbox.cluster import aws_node
from sandbox.functions.emulator import Function as LocalFunction
from sandbox.play import story
from sandbox.play.accounts import CHECKER, CLUSTER, NAMESPACE, OPERATOR
from sandbox.play.stage import Stage

NAME: Final = "detection, one source alone"
WATCHER: Final = "eks-irsa-remediator-node-watcher"
_OTHER: Final = f"arn:aws:iam::{ACCOUNT}:role/{CLUSTER}-other"

Fault = Callable[[Stage], None]


def _addon_call(stage: Stage) -> None:
    stage.aws.client("eks", principal=OPERATOR).update_addon(clusterName=CLUSTER, addonName="vpc-cni", addonVersion="v1.15.1-eksbuild.1")


def _native(stage: Stage) -> None:
    stages.annotate(stage, None)
    stage.bus.put(story.announcement("addon-event") or {})


def _alarm(stage: Stage) -> None:
    stages.break_it(stage)
    stage.bus.put(story.announcement("alarm") or {})


def _audited(stage: Stage) -> None:
    stages.annotate(stage, None)
    _logged(stage, "serviceaccounts", aws_node.NAME, {"namespace": NAMESPACE}, {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}})


def _not_ready(stage: Stage) -> None:
    stages.annotate(stage, None)
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "NetworkPluginNotReady: cni not initialized"}
    _logged(stage, "nodes", "ip-10-0-0-4.eu-west-1.compute.internal", {"subresource": "status"}, {"status": {"conditions": [ready]}})


def _parameter(stage: Stage) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    stage.aws.client("ssm").put_parameter(Name=path, Value=_OTHER, Type="String", Overwrite=True)
    detail = {"operation": "Update", "name": path, "type": "String"}
    stage.bus.put({**_envelope(), "source": "aws.ssm", "detail-type": "Parameter Store Change", "detail": detail})


def _sweep(stage: Stage) -> None:
    stages.annotate(stage, None)
    story.announce(stage, "sweep")


SOURCES: Final[Mapping[str, tuple[Fault, tuple[str, ...], str]]] = {
    "UpdateAddon call (CloudTrail)": (_addon_call, ("AddonCalls",), "CloudTrail itself takes a few seconds to a few minutes"),
    "native add-on event": (_native, ("AddonEvents",), "EKS sends it at the end of the update"),
    "CloudWatch alarm": (
        _alarm,
        ("NodeAlarms",),
        "the alarm itself waits for its period of 60 s; pods are replaced first, which is counted",
    ),
    "audit log: identity changed": (_audited, ("OwnEvents",), "CloudWatch Logs delivers within seconds"),
    "audit log: node not ready": (_not_ready, ("OwnEvents",), "a kubelet reports within 10 s of the change"),
    "parameter changed": (_parameter, ("ParameterChanges",), "to a role that does not exist"),
    "sweep": (_sweep, ("OwnEvents",), "plus up to 5 minutes until the sweep's turn"),
}
"""What is broken and how it is told, the only rules that are switched on, and what comes on top outside of this machine."""


def run(run: Run) -> list[Row]:
    """A stage of its own for each, so that no other source can have told; the functions are warm, but for the node watcher."""
    names = list(SOURCES) if not run.quick else ["UpdateAddon call (CloudTrail)", "audit log: identity changed", "sweep"]
    return [_row(name, run) for name in names]


def _row(name: str, run: Run) -> Row:
    fault, rules, note = SOURCES[name]
    with Stage(stages.WORLD) as stage:
        stages.until("the world to stand", lambda: stages.calm(stage))
        _warm(stage)
        _only(stage, rules)
        if name.startswith("audit log"):
            _add_watcher(stage)
        requests, calls = len(stages.requests(stage)), len(stage.aws.calls.of(CHECKER))
        began = time.monotonic()
        fault(stage)
        found = stages.until(f"a decision after {name}", lambda: _decision(stage))
        kubernetes, aws = len(stages.requests(stage)) - requests, len(stage.aws.calls.of(CHECKER)) - calls
        told = f"{_decision(stage)}; {kubernetes} Kubernetes and {aws} AWS requests; {note}"
    run.say(f"{name}: {found - began:.2f} s")
    return Row(promise=NAME, name=name, value=found - began, unit="s", note=told)


def _warm(stage: Stage) -> None:
    """One check that finds all well, asked of the function itself."""
    event = story.announcement("check-requested")
    assert not stage.functions.pool(CHECKER).invoke(json.dumps(event).encode()).failed
    stages.until("the check's line", lambda: any('"diagnosis"' in line for _, line in list(stage.lines)))
    time.sleep(1.1)  # an event of the same second would be answered by this check
    stage.lines.clear()


def _only(stage: Stage, rules: tuple[str, ...]) -> None:
    events = stage.aws.client("events")
    for name in SUBSCRIPTIONS:
        if name not in rules:
            events.disable_rule(Name=name)


def _decision(stage: Stage) -> str:
    """The first verdict that is not that all is well."""
    for function, line in list(stage.lines):
        if function == CHECKER and '"title":"diagnosis"' in line:
            said = json.loads(line)
            if said.get("broken"):
                return str(said["message"])
    return ""


def _add_watcher(stage: Stage) -> None:
    environment = {**stage.environment(), **stage.aws.environment(CHECKER)}
    asset = build(Target.this_machine())
    stage.functions.add(LocalFunction(name=WATCHER, asset=asset, handler=Function.NODE_WATCHER.handler, environment=environment))


def _logged(stage: Stage, resource: str, name: str, where: dict[str, str], body: dict[str, Any]) -> None:
    """The API server's record of a patch, as CloudWatch Logs hands it to the watcher."""
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/{resource}/{name}",
        "verb": "patch",
        "user": {"username": f"arn:aws:sts::{ACCOUNT}:assumed-role/ci-deploy/run-42", "groups": ["system:authenticated"]},
        "sourceIPs": ["203.0.113.7"],
        "userAgent": "terraform",
        "objectRef": {"resource": resource, "name": name, "apiVersion": "v1", **where},
        "responseStatus": {"code": 200},
        "requestObject": body,
        "requestReceivedTimestamp": at,
    }
    batch = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": f"/aws/eks/{CLUSTER}/cluster",
        "logStream": "kube-apiserver-audit-1",
        "subscriptionFilters": ["audit"],
        "logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(record, separators=(",", ":"))}],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(batch, separators=(",", ":")).encode())).decode()
    ended = stage.functions.pool(WATCHER).invoke(json.dumps({"awslogs": {"data": packed}}).encode())
    assert not ended.failed, ended.payload[:500]
    assert ended.json()["sent"] == 1, ended.json()


def _envelope() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"version": "0", "id": str(time.monotonic_ns()), "account": ACCOUNT, "time": now, "region": REGION, "resources": []}
