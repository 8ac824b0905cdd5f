"""Running one action: the write itself, and the outcome in plain JSON."""

from collections.abc import Callable
from typing import assert_never

from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, Bench
from lambdas.application.workflow_steps import Json
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain.errors import AccessDenied, Conflict, Denial, NotFound, RemediatorError, TransientError
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    DeleteStalePods,
    ReplaceOnePod,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
)
from lambdas.domain.plurals import many
from lambdas.domain.snapshot.snapshot import ServiceAccountFacts


def outcome(bench: Bench, action: Action, run: Callable[[Action], str]) -> Json:
    """Run it patiently: `{"done": bool, "conflict": bool, "busy": bool, "words": ..., "at": iso}`."""
    trouble = None
    try:
        told: Json = {"done": True, "words": bench.patiently(lambda: run(action))}
    except RemediatorError as error:
        trouble = error
        told = {"done": False, **_undone(error), "words": str(error)[:LONGEST_WORDS]}
    done = {"action": type(action).__name__, "done": told["done"]}
    bench.log("actions", str(told["words"]), incident=bench.incident.id, **done, error=trouble)
    return {**told, "at": bench.at()}


def _undone(error: RemediatorError) -> Json:
    """What is to follow: another look after a conflict, patience with what is busy, else nothing."""
    if isinstance(error, TransientError):
        return {"busy": True}
    return {"conflict": isinstance(error, Conflict | NotFound) or _shut_out(error)}


def _shut_out(error: RemediatorError) -> bool:
    """Whether a door that was open at the look before is closed: an API server or its login restarts. The next look tells if it lasts."""
    return isinstance(error, AccessDenied) and error.denial in (Denial.UNREACHABLE, Denial.UNAUTHENTICATED)


def run(bench: Bench, action: Action) -> str:
    """Do it; what was done, in words. Doing it again has no further effect."""
    namespace = bench.incident.target.namespace
    match action:
        case AnnotateServiceAccount():
            return _annotate(bench, action.role_arn, action.resource_version)
        case ReplaceOnePod():
            gone = bench.cluster().delete_pod(namespace, action.pod, action.uid)
            return f"{action.pod} deleted" if gone else f"{action.pod} was gone already"
        case RestartWorkload():
            bench.cluster().restart(namespace, action.workload, action.name, action.restarted_at)
            return f"{action.name} restarts, {action.at_a_time} at a time"
        case DeleteStalePods():
            return f"{many(action.count, 'stale pod')}, {action.at_a_time} at a time"
        case UpdateAddonRole():
            update = bench.readers.eks.set_addon_role(bench.incident.target.cluster, action.addon, action.role_arn, action.token)
            return f"update {update} of the add-on record {action.addon}"
        case RestoreAnnotation():
            return _restore(bench, action)
    assert_never(action)


def _annotate(bench: Bench, role_arn: str, resource_version: str) -> str:
    target, cluster = bench.incident.target, bench.cluster()
    try:
        cluster.annotate(target.namespace, target.name, role_arn, resource_version)
    except Conflict:
        found = cluster.service_account(target.namespace, target.name)
        if isinstance(found, ServiceAccountFacts) and found.role_annotations.get(ROLE_ANNOTATION) == role_arn:
            return "the annotation is there already"  # our own write whose answer was lost, or somebody's equal one
        raise
    return f"annotation set to {role_arn}"


def _restore(bench: Bench, action: RestoreAnnotation) -> str:
    target, cluster = bench.incident.target, bench.cluster()
    found = cluster.service_account(target.namespace, target.name)
    stands = found.role_annotations.get(ROLE_ANNOTATION) if isinstance(found, ServiceAccountFacts) else ""
    if isinstance(found, ServiceAccountFacts) and stands == action.ours:
        cluster.annotate(target.namespace, target.name, action.value, found.resource_version)
    elif stands != action.value:
        raise Conflict("the annotation is no longer ours: left alone")
    return f"annotation put back to {action.value or 'none'}"
