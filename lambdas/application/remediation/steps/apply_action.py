"""Running one action: the write itself, and the outcome in plain JSON."""

from collections.abc import Callable
from typing import assert_never

from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, StepContext
from lambdas.application.workflow_steps import Json
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain.errors import AccessDenied, Conflict, Denial, NotFound, RemediatorError, TransientError
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
)
from lambdas.domain.plurals import many
from lambdas.domain.snapshot.snapshot import ServiceAccountFacts


def outcome(context: StepContext, action: Action, run: Callable[[Action], str]) -> Json:
    """Run it patiently: `{"done": bool, "conflict": bool, "busy": bool, "words": ..., "at": iso}`."""
    trouble = None
    try:
        told: Json = {"done": True, "words": context.patiently(lambda: run(action))}
    except RemediatorError as error:
        trouble = error
        told = {"done": False, **_undone(error), "words": str(error)[:LONGEST_WORDS]}
    done = {"action": action.kind, "done": told["done"]}
    context.log("actions", str(told["words"]), incident=context.incident.id, **done, error=trouble)
    return {**told, "at": context.at()}


def _undone(error: RemediatorError) -> Json:
    """What is to follow: another look after a conflict, patience with what is busy, else nothing."""
    if isinstance(error, TransientError):
        return {"busy": True}
    return {"conflict": isinstance(error, Conflict | NotFound) or _shut_out(error)}


def _shut_out(error: RemediatorError) -> bool:
    """Whether a door that was open at the look before is closed: an API server or its login restarts. The next look tells if it lasts."""
    return isinstance(error, AccessDenied) and error.denial in (Denial.UNREACHABLE, Denial.UNAUTHENTICATED)


def run(context: StepContext, action: Action) -> str:
    """Do it; what was done, in words. Doing it again has no further effect."""
    namespace = context.incident.target.namespace
    match action:
        case AnnotateServiceAccount():
            return _annotate(context, action.role_arn, action.resource_version)
        case ReplaceCanaryPod():
            gone = context.cluster().delete_pod(namespace, action.pod, action.uid)
            return f"{action.pod} deleted" if gone else f"{action.pod} was gone already"
        case RestartWorkload():
            context.cluster().restart(namespace, action.workload, action.name, action.restarted_at)
            return f"{action.name} restarts, {action.at_a_time} at a time"
        case ReplaceStalePods():
            return f"{many(action.count, 'stale pod')}, {action.at_a_time} at a time"
        case UpdateAddonRole():
            update = context.readers.eks.set_addon_role(context.incident.target.cluster, action.addon, action.role_arn, action.token)
            return f"update {update} of the add-on record {action.addon}"
        case RestoreAnnotation():
            return _restore(context, action)
    assert_never(action)


def _annotate(context: StepContext, role_arn: str, resource_version: str) -> str:
    target, cluster = context.incident.target, context.cluster()
    try:
        cluster.annotate(target.namespace, target.name, role_arn, resource_version)
    except Conflict:
        found = cluster.service_account(target.namespace, target.name)
        if isinstance(found, ServiceAccountFacts) and found.role_annotations.get(ROLE_ANNOTATION) == role_arn:
            return "the annotation is there already"  # our own write whose answer was lost, or somebody's equal one
        raise
    return f"annotation set to {role_arn}"


def _restore(context: StepContext, action: RestoreAnnotation) -> str:
    target, cluster = context.incident.target, context.cluster()
    found = cluster.service_account(target.namespace, target.name)
    stands = found.role_annotations.get(ROLE_ANNOTATION) if isinstance(found, ServiceAccountFacts) else ""
    if isinstance(found, ServiceAccountFacts) and stands == action.ours:
        cluster.annotate(target.namespace, target.name, action.value, found.resource_version)
    elif stands != action.value:
        raise Conflict("the annotation is no longer ours: left alone")
    return f"annotation put back to {action.value or 'none'}"
