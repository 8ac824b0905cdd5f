"""Links 9 and 10: the annotation, and the identity of admitted pods."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import filterfalse
from typing import Final

from lambdas.contract.names import FIELD_MANAGER, IDENTITY_WEBHOOK, LEFT_OUT_BY, ROLE_ANNOTATION
from lambdas.contract.settings import Claim, Severity
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.links.pod_health import no_pod, not_created, role_in_template, stuck, too_few
from lambdas.domain.diagnosis.pod_credentials import role_check, uses_pod_identity
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import harmful_errors
from lambdas.domain.plurals import pluralize, pluralize_share
from lambdas.domain.snapshot.node_reachability import pods_on_lost_nodes, reachable_pods
from lambdas.domain.snapshot.snapshot import Binding, FieldWriter, Missing, NotRead, PodFacts, ServiceAccountFacts, Snapshot, Unknown

MOST_CALLS: Final = 3
"""Maximum number of refused calls in a sentence."""


def stray_keys(account: ServiceAccountFacts) -> dict[str, str]:
    """Annotations with a misspelt key that were meant for the role: `key -> value`."""
    return {key: value for key, value in account.role_annotations.items() if key != ROLE_ANNOTATION}


def annotation_link(snapshot: Snapshot) -> Finding:
    """Link 9: the role annotation exists with the right key and value."""
    match snapshot.service_account:
        case Unknown(reason):
            return unknown(Link.ANNOTATION, reason)
        case Missing() if isinstance(snapshot.workload, Missing):
            return not_applicable(Link.ANNOTATION, "the ServiceAccount does not exist, and no workload needs it")
        case Missing():
            return broken(
                Link.ANNOTATION,
                Verdict.ANNOTATION_MISSING,
                "The ServiceAccount does not exist.",
                remedies=(Remedy("have its owner (add-on, chart, manifest) create it again; the remediator then sets the role"),),
            )
        case ServiceAccountFacts() as account:
            return _annotation(snapshot, account)


def _annotation(snapshot: Snapshot, account: ServiceAccountFacts) -> Finding:
    value = account.role_annotations.get(ROLE_ANNOTATION)
    evidence = Evidence(
        f"ServiceAccount {snapshot.target.namespace}/{snapshot.target.name}",
        ROLE_ANNOTATION,
        "none" if value is None else value or "empty",
        annotation_changed_at(account),
    )
    if snapshot.desired_role is None:
        return _unbound(snapshot, value, evidence)
    if value == snapshot.desired_role:
        return _right(value.rpartition("/")[2], account, evidence)
    if value:
        sentence = f"The annotation names another role, {value}, instead of {snapshot.desired_role}."
        return broken(Link.ANNOTATION, Verdict.ANNOTATION_DIFFERS, sentence, evidence)
    if stray := stray_keys(account):
        key = min(stray)
        sentence = f"The role is under the key {key}, which nothing reads; the correct key is {ROLE_ANNOTATION}."
        return broken(Link.ANNOTATION, Verdict.ANNOTATION_KEY_MISSPELT, sentence, Evidence(evidence.subject, key, stray[key]))
    if snapshot.known_good_at:
        state = "gone" if value is None else "empty"
        sentence = f"The role annotation is {state}; it held the role at {snapshot.known_good_at:%Y-%m-%d %H:%M} UTC."
        return broken(Link.ANNOTATION, Verdict.ANNOTATION_WIPED, sentence, evidence)
    sentence = "The ServiceAccount has no role annotation." if value is None else "The role annotation is empty."
    return broken(Link.ANNOTATION, Verdict.ANNOTATION_MISSING, sentence, evidence)


def unclaimed(snapshot: Snapshot) -> Finding | None:
    """The finding for a correct annotation that only others own, where the setting `claim` is `always`; None for any other.

    A server-side apply without the role removes an annotation that no other manager owns.
    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    account = snapshot.service_account
    if snapshot.settings.claim is not Claim.ALWAYS or uses_pod_identity(snapshot) or not isinstance(account, ServiceAccountFacts):
        return None
    value = account.role_annotations.get(ROLE_ANNOTATION)
    owners = sorted({writer.manager for writer in account.writers if writer.owns_annotation})
    if value is None or value != snapshot.desired_role or not owners or FIELD_MANAGER in owners:
        return None
    named = " and ".join(owners)
    sentence = f"The annotation is correct, and only {named} owns it: an update of its owner without the role removes it."
    evidence = Evidence(f"ServiceAccount {snapshot.target.namespace}/{snapshot.target.name}", "owner of the annotation", named)
    return broken(Link.ANNOTATION, Verdict.ANNOTATION_UNCLAIMED, sentence, evidence, severity=Severity.WARNING)


def _right(role: str, account: ServiceAccountFacts, evidence: Evidence) -> Finding:
    """The finding for a correct annotation, with the user whose request left the role out where the guard completed one."""
    if not account.left_out_by:
        return ok(Link.ANNOTATION, role, evidence)
    user = account.left_out_by[:_LONGEST_USER]
    return ok(
        Link.ANNOTATION,
        f"{role}; the guard kept it when {user} left it out",
        evidence,
        replace(evidence, field=LEFT_OUT_BY, value=user, at=None),
    )


_LONGEST_USER: Final = 200


def _unbound(snapshot: Snapshot, value: str | None, evidence: Evidence) -> Finding:
    if value is None and (calls := _refused_on_the_node_role(snapshot)):
        sentence = f"The ServiceAccount has no role annotation, and the role of the node may not call {', '.join(calls[:MOST_CALLS])}."
        return broken(Link.ANNOTATION, Verdict.ANNOTATION_MISSING, sentence, evidence)
    return not_applicable(Link.ANNOTATION, f"{value or 'none'}; no binding to compare with")


def _refused_on_the_node_role(snapshot: Snapshot) -> tuple[str, ...]:
    """The calls that were refused to pods without their own credentials, each once."""
    pods = snapshot.pods if isinstance(snapshot.pods, tuple) else ()
    bare = {pod.name: pod.created_at for pod in pods if pod.role_arn is None and not pod.container_credentials and not pod.deleting}
    refused = (error.call for error in harmful_errors(snapshot) if error.pod in bare and error.at >= bare[error.pod])
    return tuple(dict.fromkeys(refused))


def annotation_changed_at(account: ServiceAccountFacts) -> datetime | None:
    """Time of the last write of the role annotation, from managed fields; None where no manager owns it."""
    times = [writer.at for writer in account.writers if writer.owns_annotation and writer.at]
    return max(times, default=None)


def last_writer(account: ServiceAccountFacts) -> FieldWriter | None:
    """The writer of the role annotation. Without one, the last writer of the ServiceAccount, who need not have removed it.

    Field managers own existing fields. The API server does not record who removed a field.
    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    return max(
        (writer for writer in account.writers if writer.at), key=lambda item: (item.owns_annotation, item.at, item.manager), default=None
    )


def stale_pods(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods that were admitted without the desired role, by either mechanism, oldest first.

    Terminating pods and pods on lost nodes are left out.
    """
    if snapshot.desired_role is None:
        return ()
    return sort_by_age(filterfalse(role_check(snapshot), reachable_pods(snapshot)))


def sort_by_age(pods: Iterable[PodFacts]) -> tuple[PodFacts, ...]:
    """The pods by creation time, then by name."""
    return tuple(sorted(pods, key=lambda pod: (pod.created_at, pod.name)))


def pods_link(snapshot: Snapshot) -> Finding:
    """Link 10: every pod was admitted with the role. The webhook injects it at admission only, so older pods stay unchanged.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html
    """
    if isinstance(snapshot.pods, Unknown):
        return unknown(Link.PODS, snapshot.pods.reason)
    severity = identity_severity(snapshot)
    if missing := not_created(snapshot):
        return missing
    if isinstance(snapshot.binding, Binding):
        return _pods_with_role(snapshot, severity)
    return stuck(snapshot, severity) or not_applicable(Link.PODS, f"{pluralize(len(snapshot.pods), 'pod')}; no binding to compare with")


def _pods_with_role(snapshot: Snapshot, severity: Severity) -> Finding:
    if found := role_in_template(snapshot, severity):
        return found
    stale, lost = stale_pods(snapshot), len(pods_on_lost_nodes(snapshot))
    besides = f"; {pluralize(lost, 'pod on a lost node is', 'pods on lost nodes are')} left out" if lost else ""
    pods = len(snapshot.pods) - lost if isinstance(snapshot.pods, tuple) else 0
    if not stale and not snapshot.pods:
        return no_pod(snapshot)
    if not stale:
        return (
            stuck(snapshot, severity)
            or too_few(snapshot)
            or ok(Link.PODS, f"{pods} of {pluralize(pods, 'was', 'were')} admitted with the role{besides}")
        )
    skipped = _skipped_by_webhook(snapshot, stale)
    evidence = (
        *_webhook_evidence(snapshot),
        *map(_admitted_with, stale[:3]),
    )
    is_absent = snapshot.has_identity_webhook is False
    remedies = (_RESTORE_WEBHOOK,) if is_absent else ()
    if len(skipped) == len(stale):
        without = f"{pluralize_share(len(stale), pods, 'pod', 'was', 'were')} created without the role"
        missed = f"The identity webhook missed {len(stale)} of {pluralize(pods, 'pod')}: created after the annotation, yet without the role"
        sentence = f"{f'No identity webhook is registered, so {without}' if is_absent else missed}{besides}."
        return broken(Link.PODS, Verdict.WEBHOOK_MISSED, sentence, *evidence, remedies=remedies)
    sentence = f"{pluralize_share(len(stale), pods, 'pod', 'was', 'were')} admitted without the right role{besides}."
    return broken(Link.PODS, Verdict.PODS_STALE, sentence, *evidence, remedies=remedies)


def _admitted_with(pod: PodFacts) -> Evidence:
    if pod.role_arn and not pod.has_token_file:
        return Evidence(f"Pod {pod.name}", "AWS_WEB_IDENTITY_TOKEN_FILE", "none", pod.created_at)
    return Evidence(f"Pod {pod.name}", "AWS_ROLE_ARN", pod.role_arn or "none", pod.created_at)


_RESTORE_WEBHOOK: Final = Remedy(
    f"have AWS Support restore the MutatingWebhookConfiguration {IDENTITY_WEBHOOK}: without it, no new pod gets the role"
)
"""A maintainer of the webhook asks for the cluster. https://github.com/aws/amazon-eks-pod-identity-webhook/issues/69"""


def needs_identity_webhook(snapshot: Snapshot) -> bool:
    """Whether the registration of the webhook matters: a pod has no role though the annotation is correct and no association decides."""
    account = snapshot.service_account
    is_annotated = isinstance(account, ServiceAccountFacts) and account.role_annotations.get(ROLE_ANNOTATION) == snapshot.desired_role
    return is_annotated and not uses_pod_identity(snapshot) and any(pod.role_arn is None for pod in stale_pods(snapshot))


def _webhook_evidence(snapshot: Snapshot) -> tuple[Evidence, ...]:
    """Whether the webhook is registered: present, absent or not read. Present does not show that it answers."""
    match snapshot.has_identity_webhook:
        case NotRead():
            return ()
        case Unknown(reason):
            state = f"not read: {reason}"
        case registered:
            state = "present" if registered else "absent"
    return (Evidence(f"MutatingWebhookConfiguration {IDENTITY_WEBHOOK}", "state", state),)


def _skipped_by_webhook(snapshot: Snapshot, stale: Sequence[PodFacts]) -> list[PodFacts]:
    account = snapshot.service_account
    if not isinstance(account, ServiceAccountFacts) or account.role_annotations.get(ROLE_ANNOTATION) != snapshot.desired_role:
        return []
    since = annotation_changed_at(account)
    return [pod for pod in stale if since is not None and pod.created_at > since and pod.role_arn is None]


def identity_severity(snapshot: Snapshot) -> Severity:
    """The severity of a broken identity: critical where something fails or waits already, else latent. A lost node has another cause."""
    lost = {pod.uid for pod in pods_on_lost_nodes(snapshot)}
    pods = [pod for pod in snapshot.pods if pod.uid not in lost] if isinstance(snapshot.pods, tuple) else []
    nodes = isinstance(snapshot.nodes, tuple) and any(node.ready is False for node in snapshot.nodes)
    return Severity.CRITICAL if harmful_errors(snapshot) or nodes or any(not pod.ready for pod in pods) else Severity.WARNING
