"""`irsa-remediator replay`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored, Sweep

Json = dict[str, Any]


def replay(
    options: GlobalOptions,
    *,
    event: Annotated[Path, typer.Argument(metavar="EVENT.json", help="File with one event as EventBridge delivers it.")],
) -> int:
    """Show how the deployed configuration handles an event, without doing anything.

    Shows the matching rules, the request, and the current diagnosis and plan.

    Example: irsa-remediator replay event.json
    """
    from rich.text import Text

    from cli.clients import connection
    from cli.queries.assessment import assess_target
    from cli.views.documents import assessment_document, plan_document
    from cli.views.plan_steps import plan_view
    from lambdas.domain.requests.parser import parse

    content = _read(event)
    dependencies = connection.connect(options)
    environment = dependencies.environment
    with progress("testing the event against the rules"):
        rules = _matching_rules(content, dependencies)
    request = parse(content, account=environment.account, region=environment.region, now=dependencies.now())
    with progress("assessing the targets of the event"):
        assessments = [assess_target(target, dependencies) for target in _targets(request, dependencies)]
    documents = [
        assessment_document(assessment) | {"plan": plan_document(assessment.summary) if assessment.summary else None}
        for assessment in assessments
    ]
    document = {"command": "replay", "exitCode": ExitCode.OK, "rules": rules, "request": _request_document(request, dependencies)}
    write(
        options.output,
        document | {"checks": documents},
        _rules_line(rules),
        *_request_lines(request, dependencies),
        Text(),
        *map(plan_view, assessments),
        Text("Nothing was changed.", style="dim"),
    )
    return ExitCode.OK


def _read(file: Path) -> Json:
    """Return the event.

    Raises:
        CommandError: the file does not contain a JSON object.
    """
    next_step = "give one event as EventBridge delivers it"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{file} is not JSON: {error}", next_step=next_step) from error
    if not isinstance(content, dict):
        raise CommandError(f"{file} does not contain a JSON object", next_step=next_step)
    return content


def _matching_rules(event: Mapping[str, Any], dependencies: Dependencies) -> list[str] | None:
    """Return the names of the matching rules. None where no rule is involved, or where the caller may not test patterns."""
    from cli.clients.deployed_stack import roles
    from lambdas.contract.events import SUBSCRIPTIONS, OwnEvent
    from lambdas.domain.errors import RemediatorError

    if "detail-type" not in event or event["detail-type"] in (OwnEvent.SWEEP, OwnEvent.DIGEST):  # the input of a schedule, or of a person
        return None
    role_arns = list(roles(dependencies.environment).values())
    patterns = {name: subscription.pattern(role_arns) for name, subscription in SUBSCRIPTIONS.items()}
    defaults = {"id": "0", "account": "", "source": "", "time": "1970-01-01T00:00:00Z", "region": "", "resources": [], "detail": {}}
    try:
        return list(dependencies.pattern_tester.matching({**defaults, **event}, patterns))  # EventBridge requires all fields
    except RemediatorError:
        return None


def _targets(request: CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest, dependencies: Dependencies) -> list[ServiceAccountRef]:
    """Return the ServiceAccounts that the checker would check, itself or through the events that it would send."""
    from cli.queries.targets import TargetSelection, targets
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored
    from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets, has_default

    if isinstance(request, Ignored | DigestDue | DeliveryTest):
        return []
    if isinstance(request, CheckRequest) and request.cluster:
        if request.service_account:
            return [ServiceAccountRef(request.cluster, *request.service_account)]
        return targets(TargetSelection(clusters=(request.cluster,)), dependencies)
    paths = list(dependencies.readers.parameters.load())
    existing = dependencies.readers.eks.clusters() if has_default(paths) else ()
    return list(bound_targets(paths, sorted({*bound_clusters(paths), *existing})))


def _request_document(request: CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest, dependencies: Dependencies) -> Json:
    from lambdas.domain.requests.request import DeliveryTest, DigestDue, Ignored, Sweep

    match request:
        case Ignored(reason=reason):
            return {"kind": "ignored", "reason": reason}
        case Sweep():
            return {"kind": "sweep"}
        case DeliveryTest():
            return {"kind": "delivery-test"}
        case DigestDue(occurred_at=at):
            return {"kind": "digest", "until": at.isoformat(), "clusters": _digest_clusters(dependencies)}
    namespace_and_name = dict(zip(("namespace", "name"), request.service_account, strict=True)) if request.service_account else None
    return {
        "kind": "check",
        "trigger": request.trigger.value,
        "occurredAt": request.occurred_at.isoformat(),
        "cluster": request.cluster,
        "serviceAccount": namespace_and_name,
        "node": request.node,
        "actor": {"who": request.actor.who, "what": request.actor.what} if request.actor else None,
    }


def _digest_clusters(dependencies: Dependencies) -> list[str]:
    from lambdas.domain.incidents.daily_digest import clusters_with_digest

    clusters = clusters_with_digest(dependencies.readers.parameters.load(), dependencies.readers.eks.clusters(), dependencies.readers.floor)
    return [cluster for cluster in clusters if dependencies.environment.serves(cluster)]


def _rules_line(rules: list[str] | None) -> Text:
    from rich.text import Text

    if rules is None:
        return Text("rules    not tested: no rule delivers a request of this form, or the rules could not be tested", style="dim")
    if not rules:
        return Text("rules    none matches: EventBridge would not deliver the event to the checker", style="yellow")
    return Text("rules    ").append(", ".join(rules), style="bold")


def _request_lines(request: CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest, dependencies: Dependencies) -> list[Text]:
    from rich.text import Text

    from lambdas.domain.requests.request import DeliveryTest, DigestDue, Ignored, Sweep
    from lambdas.notifications.escape import plain
    from lambdas.notifications.time_text import clock

    match request:
        case Ignored(reason=reason):
            return [Text("request  ").append(f"ignored: {plain(reason)}", style="yellow")]
        case Sweep():
            return [Text("request  check every bound cluster")]
        case DeliveryTest():
            return [Text("request  record the arrival of a test event")]
        case DigestDue(occurred_at=at):
            clusters = ", ".join(_digest_clusters(dependencies)) or "no cluster: no setting enables it"
            return [Text(f"request  digest of the day until {clock(at)}, for {clusters}")]
    subject = request.cluster or "every bound cluster"
    lines = [
        Text("request  ").append(f"check {plain(subject)}", style="bold").append(f" ({request.trigger}, {clock(request.occurred_at)})")
    ]
    if request.actor:
        lines.append(Text(f"actor    {plain(request.actor.who)}: {plain(request.actor.what)}"))
    if request.cluster and not dependencies.environment.serves(request.cluster):
        lines.append(Text(f"note     the deployed stack does not serve {plain(request.cluster)}", style="yellow"))
    return lines
