"""Chooses actions in their order, and a reason for every broken link without an action. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import AddonRecord, Mode, RestartBy
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.annotation import annotation_changed_at, sort_by_age, stale_pods
from lambdas.domain.diagnosis.node_readiness import not_ready_otherwise, waiting_for_cni
from lambdas.domain.diagnosis.pod_credentials import refuses_irsa, uses_pod_identity, was_admitted_with
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.planning.association import NOT_PASSABLE, association_action, blocked_association, repairs_association, useless_update
from lambdas.domain.planning.plan import BlockedAction, BlockReason, Plan
from lambdas.domain.planning.policies import Blocker, RepairHistory, blockers
from lambdas.domain.planning.role_bounds import is_passable
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.node_reachability import is_rolled_out, is_rollout_stalled, reachable_pods
from lambdas.domain.snapshot.snapshot import AddonFacts, Binding, Missing, PodFacts, ServiceAccountFacts, Snapshot, WorkloadFacts

RepairActions = dict[Link, tuple[Action, ...]]

START_TIME: Final = timedelta(minutes=10)
"""Age up to which a pod that is not ready counts as starting: its image may be pulled slowly."""


def plan(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> Plan:
    """Plan the repair of a diagnosis, as of the time of the snapshot.

    Every broken link has actions or a reason why there are none.
    """
    if diagnosis.is_healthy:
        return Plan(verdict=diagnosis.verdict, severity=diagnosis.severity)
    repairs = _repair_actions(snapshot, diagnosis, past)
    found = list(blockers(snapshot, diagnosis, past)) if repairs else []
    verdict = next((blocker.verdict for blocker in found if blocker.verdict), None) or diagnosis.verdict
    if found:
        held = _all_blocked(diagnosis, repairs, found)
        only_observe_mode = {blocker.reason for blocker in found} == {BlockReason.OBSERVE_MODE} and not _update_in_progress(diagnosis)
        proposed = _plan_actions(snapshot, diagnosis, repairs).actions if only_observe_mode else ()
        return Plan(verdict=verdict, severity=diagnosis.severity, blocked=held, proposed=proposed)
    if running := _update_in_progress(diagnosis):
        held = tuple(
            BlockedAction(link=finding.link, reason=BlockReason.UPDATE_IN_PROGRESS, sentence=running)
            for finding in diagnosis.broken_findings
        )
        return Plan(verdict=verdict, severity=diagnosis.severity, blocked=held, wait=running)
    return _plan_actions(snapshot, diagnosis, repairs)


def _update_in_progress(diagnosis: Diagnosis) -> str | None:
    """The process that must end before anything is done; None where there is none."""
    return next((finding.sentence for finding in diagnosis.broken_findings if finding.verdict is Verdict.UPDATE_IN_PROGRESS), None)


def _plan_actions(snapshot: Snapshot, diagnosis: Diagnosis, wanted: RepairActions) -> Plan:
    held = [it for finding in diagnosis.broken_findings if (it := _blocked_link(snapshot, diagnosis, finding, wanted))]
    chosen = {link: actions for link, actions in wanted.items() if actions and link not in {item.link for item in held}}
    if any(link in wanted and link not in chosen for link in (Link.MECHANISM, Link.ANNOTATION)):
        chosen.pop(Link.PODS, None)  # without the association or the annotation, a new pod would be stale as well
    order = [link for link in (Link.MECHANISM, Link.ANNOTATION, Link.PODS, Link.ADDON_RECORD) if link in chosen]
    actions = tuple(action for link in order for action in chosen[link])
    answers = tuple((link, tuple(actions.index(action) for action in chosen[link])) for link in order)
    held += [_consequence(finding) for finding in diagnosis.broken_findings if finding.link not in {*chosen, *(item.link for item in held)}]
    gives_no_role = any(item.link is Link.PODS and item.reason is BlockReason.PRECONDITION_FAILED for item in held)
    rolling = _rollout_in_progress(snapshot) if not actions and Link.PODS in wanted and not gives_no_role else None
    starting = _starting_pods(snapshot, stale_pods(snapshot)) if not actions and wanted.get(Link.PODS) == () and not gives_no_role else None
    return Plan(
        verdict=diagnosis.verdict,
        severity=diagnosis.severity,
        actions=actions,
        blocked=tuple(sorted(held, key=lambda item: item.link)),
        answers=answers,
        wait=rolling or starting,
        needs_approval=bool(actions) and snapshot.settings.mode is Mode.APPROVE,
    )


def _repair_actions(snapshot: Snapshot, diagnosis: Diagnosis, past: RepairHistory) -> RepairActions:
    """The actions that would repair each broken link without any blocker; empty where no action repairs it."""
    wanted: RepairActions = {}
    if diagnosis[Link.CLUSTER].is_broken or diagnosis[Link.WORKLOAD].is_broken or not isinstance(snapshot.workload, WorkloadFacts):
        return wanted
    if diagnosis[Link.ANNOTATION].verdict in REPAIRABLE and isinstance(snapshot.service_account, ServiceAccountFacts):
        wanted[Link.ANNOTATION] = _annotate(snapshot, snapshot.service_account)
    if repairs_association(snapshot, diagnosis) and isinstance(snapshot.binding, Binding):
        return _associate(snapshot, snapshot.binding, diagnosis, past)
    if diagnosis[Link.PODS].verdict in REPAIRABLE:
        stale, is_set = stale_pods(snapshot), Link.ANNOTATION not in wanted
        wanted[Link.PODS] = _replace(snapshot, snapshot.workload, stale, is_set=is_set)
    if diagnosis[Link.ADDON_RECORD].verdict is Verdict.ADDON_ROLE_MISSING and isinstance(snapshot.addon, AddonFacts):
        role = snapshot.desired_role or ""
        token = f"{past.incident_id}-{past.round}"
        wanted[Link.ADDON_RECORD] = (
            UpdateAddonRole(addon=snapshot.addon.name, role_arn=role, old_role_arn=snapshot.addon.role_arn, token=token),
        )
    return wanted


def _associate(snapshot: Snapshot, binding: Binding, diagnosis: Diagnosis, past: RepairHistory) -> RepairActions:
    """The association, and then the pods that will not use it. EKS restarts the pods of an add-on that owns the association."""
    action = association_action(snapshot, binding, f"{past.incident_id}-{past.round}-association")
    refused = refuses_irsa(snapshot)
    stale = sort_by_age(
        pod
        for pod in reachable_pods(snapshot)
        if not was_admitted_with(pod, binding.role_arn, Mechanism.POD_IDENTITY, refuses_irsa=refused) and not pod.has_static_keys
    )
    workload, is_owned = snapshot.workload, isinstance(action, UpdateAssociation) and bool(action.addon)
    if is_owned or not isinstance(workload, WorkloadFacts) or workload.template_role_arn or snapshot.has_identity_webhook is False:
        return {Link.MECHANISM: (action,)}
    pods = _replace(snapshot, workload, stale, is_set=False)
    if diagnosis[Link.PODS].verdict in REPAIRABLE:
        return {Link.MECHANISM: (action,), Link.PODS: pods}
    return {Link.MECHANISM: (action, *pods)}


def _annotate(snapshot: Snapshot, account: ServiceAccountFacts) -> tuple[Action, ...]:
    if snapshot.desired_role is None:
        return ()
    old = account.role_annotations.get(ROLE_ANNOTATION)
    restorable = old if old and len(old) <= LONGEST_ARN else None
    return (AnnotateServiceAccount(role_arn=snapshot.desired_role, old_value=restorable, resource_version=account.resource_version),)


LONGEST_ARN: Final = 2048
"""Maximum length of an annotation that is restored. A checkpoint could not hold longer ones, and no role ARN is longer.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
"""


def _replace(snapshot: Snapshot, workload: WorkloadFacts, stale: tuple[PodFacts, ...], *, is_set: bool) -> tuple[Action, ...]:
    """The canary first, then a restart where every pod is stale, else the stale pods in batches.

    With `is_set`, annotation or association are right already, so a rollout in progress replaces pods, too.
    """
    ours = _left_by_rollout(snapshot, workload, stale) if is_set and not is_rolled_out(snapshot) else stale
    if not ours or snapshot.desired_role is None or not isinstance(snapshot.pods, tuple):
        return ()
    if all(pod.ready for pod in ours) and _starting_pods(snapshot, stale):
        return ()
    mechanism, refused = Mechanism.POD_IDENTITY if uses_pod_identity(snapshot) else Mechanism.IRSA, refuses_irsa(snapshot)
    canary = _canary_action(_choose_canary(snapshot, workload, ours), workload, snapshot.pods, snapshot.desired_role, mechanism)
    first = replace(canary, refuses_irsa=refused)
    if len(ours) == 1:
        return (first,)
    may_restart = not workload.on_delete and snapshot.settings.restart_by is RestartBy.RESTART
    if len(ours) == len(reachable_pods(snapshot)) and may_restart and not is_rollout_stalled(snapshot):
        restart = RestartWorkload(
            workload=workload.kind,
            name=workload.name,
            restarted_at=_timestamp(snapshot.began_at),
            at_a_time=workload.max_unavailable,
            role_arn=snapshot.desired_role,
            count=len(stale) - 1,
            mechanism=mechanism,
            refuses_irsa=refused,
        )
        return (first, restart)
    others = ReplaceStalePods(
        at_a_time=workload.max_unavailable,
        count=len(stale) - 1,
        role_arn=snapshot.desired_role,
        mechanism=mechanism,
        refuses_irsa=refused,
    )
    return (first, others)


def _canary_action(
    canary: PodFacts, workload: WorkloadFacts, pods: Sequence[PodFacts], role_arn: str, mechanism: Mechanism
) -> ReplaceCanaryPod:
    newest = max(pod.created_at for pod in pods)
    if workload.kind is WorkloadKind.DAEMON_SET:
        return ReplaceCanaryPod(
            pod=canary.name, uid=canary.uid, node=canary.node, newest=newest.isoformat(), role_arn=role_arn, mechanism=mechanism
        )
    as_new = tuple(sorted(pod.uid for pod in pods if pod.created_at == newest))
    if len(as_new) > MOST_REMEMBERED_PODS:
        newest, as_new = newest + timedelta(seconds=1), ()
    return ReplaceCanaryPod(
        pod=canary.name, uid=canary.uid, node="", newest=newest.isoformat(), role_arn=role_arn, as_new=as_new, mechanism=mechanism
    )


MOST_REMEMBERED_PODS: Final = 50
"""Maximum number of pods of the newest second that an action stores. With more, a successor must be from a later second."""


def _left_by_rollout(snapshot: Snapshot, workload: WorkloadFacts, stale: Iterable[PodFacts]) -> tuple[PodFacts, ...]:
    """Stale pods that the current rollout will not replace: those created before the annotation was set, and those the webhook skipped.

    An association counts in the place of the annotation.
    """
    account = snapshot.service_account
    by_annotation = annotation_changed_at(account) if isinstance(account, ServiceAccountFacts) else None
    since = snapshot.association.modified_at if snapshot.association else by_annotation
    first = _first_pod_of_rollout(snapshot, workload)
    return tuple(pod for pod in stale if (since and pod.created_at > since) or (first and pod.created_at >= first))


def _first_pod_of_rollout(snapshot: Snapshot, workload: WorkloadFacts) -> datetime | None:
    """Creation time of the rollout's first pod. The rollout's pods are the newest, because every pod is made from the current template."""
    if (
        not isinstance(snapshot.pods, tuple)
        or not 0 < workload.updated <= len(snapshot.pods)
        or workload.observed_generation < workload.generation
    ):
        return None
    return sorted(pod.created_at for pod in snapshot.pods)[-workload.updated]


def _choose_canary(snapshot: Snapshot, workload: WorkloadFacts, stale: tuple[PodFacts, ...]) -> PodFacts:
    """A stale pod on a node that waits for the CNI, where replacing it costs nothing; else the oldest one on a Ready node.

    On a node that is not Ready for another cause, a successor may not become ready with the right role either. Where `maxUnavailable` pods
    are not ready already, a stale pod that is not ready comes before a ready one.
    """
    nodes = snapshot.nodes if isinstance(snapshot.nodes, tuple) else ()
    waiting = {node.name for node in waiting_for_cni(nodes)}
    otherwise = {node.name for node in not_ready_otherwise(nodes)}
    has_room = len(_unready(snapshot)) < workload.max_unavailable
    return min(sort_by_age(stale), key=lambda pod: (pod.node not in waiting, pod.node in otherwise, pod.ready and not has_room))


def _unready(snapshot: Snapshot) -> list[PodFacts]:
    return [pod for pod in reachable_pods(snapshot) if not pod.ready]


def _starting_pods(snapshot: Snapshot, stale: Sequence[PodFacts]) -> str | None:
    """Say that pods with the role are starting, where they use up `maxUnavailable`, so that no ready pod may be replaced; else None.

    `stale` are the pods that a repair has to replace. All others have the role, or get it with the association that the repair writes.
    """
    workload, unready = snapshot.workload, _unready(snapshot)
    starting = [pod for pod in unready if pod not in stale and snapshot.began_at - pod.created_at < START_TIME]
    if not isinstance(workload, WorkloadFacts) or not starting or len(unready) < workload.max_unavailable:
        return None
    return f"{pluralize(len(starting), 'pod of', 'pods of')} {workload.name} with the role {'is' if len(starting) == 1 else 'are'} starting"


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _rollout_in_progress(snapshot: Snapshot) -> str | None:
    workload = snapshot.workload
    if not isinstance(workload, WorkloadFacts) or is_rolled_out(snapshot):
        return None
    return f"a rollout of {workload.name} is in progress ({workload.updated} of {workload.desired})"


def _blocked_link(snapshot: Snapshot, diagnosis: Diagnosis, finding: Finding, wanted: RepairActions) -> BlockedAction | None:
    """Why this link alone is not acted on; None where nothing blocks it."""
    if finding.link in wanted and (sentence := _unknown_precondition(snapshot, diagnosis, finding)):
        return BlockedAction(link=finding.link, reason=BlockReason.PRECONDITION_UNKNOWN, sentence=sentence)
    if finding.verdict is Verdict.ADDON_ROLE_MISSING and (held := _blocked_record(snapshot)):
        return held
    if finding.link is Link.PODS and finding.link in wanted and snapshot.has_identity_webhook is False:
        return BlockedAction(link=finding.link, reason=BlockReason.PRECONDITION_FAILED, sentence=WITHOUT_WEBHOOK)
    if finding.link is Link.MECHANISM and finding.link in wanted and (held := blocked_association(snapshot)):
        return held
    if finding.verdict is Verdict.CLUSTER_INITIALIZING:
        return BlockedAction(
            link=finding.link, reason=BlockReason.GRACE_PERIOD, sentence="the cluster was created minutes ago; the next sweep checks it"
        )
    if finding.link in wanted and not wanted[finding.link]:
        return BlockedAction(
            link=finding.link,
            reason=BlockReason.CONSEQUENCE,
            sentence=_rollout_in_progress(snapshot)
            or _starting_pods(snapshot, stale_pods(snapshot))
            or "ends once the earlier links are repaired",
        )
    if finding.link not in wanted and not _ends_by_itself(diagnosis, finding, wanted):
        return _left_alone(snapshot, finding)
    return None


def _left_alone(snapshot: Snapshot, finding: Finding) -> BlockedAction:
    """A link that no action of ours repairs. In a cluster that was deleted with its binding nothing is left to do."""
    if finding.verdict is Verdict.CLUSTER_GONE and isinstance(snapshot.binding, Missing):
        return BlockedAction(link=finding.link, reason=BlockReason.NO_BINDING, sentence="no parameter binds a role in it")
    return BlockedAction(link=finding.link, reason=BlockReason.NEEDS_PERSON, sentence="only a person can change this")


WITHOUT_WEBHOOK: Final = "no identity webhook is registered, so a new pod would not get the role either"


def _blocked_record(snapshot: Snapshot) -> BlockedAction | None:
    def held(reason: BlockReason, sentence: str) -> BlockedAction:
        return BlockedAction(link=Link.ADDON_RECORD, reason=reason, sentence=sentence)

    if snapshot.settings.addon_record is AddonRecord.NOTIFY_ONLY:
        return held(BlockReason.ADDON_RECORD_NOTIFY_ONLY, "addon_record is notify-only: the owner of the add-on has to set the role")
    if not _passable(snapshot):
        return held(BlockReason.ROLE_NOT_ALLOWED, NOT_PASSABLE)
    useless = useless_update(snapshot)
    return held(BlockReason.ADDON_DEGRADED, useless) if useless else None


def _passable(snapshot: Snapshot) -> bool:
    """Whether IAM allows passing the role to EKS. EKS would refuse the update after the pods were restarted for it."""
    return is_passable(snapshot.desired_role or "", account=snapshot.account, bound_roles=snapshot.bound_roles)


def _unknown_precondition(snapshot: Snapshot, diagnosis: Diagnosis, finding: Finding) -> str | None:
    """Why an existing value is not replaced while a precondition could not be read; None where it may be."""
    unread = next((diagnosis[link] for link in READABLE_PRECONDITIONS if diagnosis[link].state is State.UNKNOWN), None)
    if unread is None or not _replaces(snapshot, finding):
        return None
    return f"{unread.link.title} could not be read ({unread.sentence}), so the present value is not replaced"


def _replaces(snapshot: Snapshot, finding: Finding) -> bool:
    if finding.link is Link.ANNOTATION:
        return finding.verdict is Verdict.ANNOTATION_DIFFERS
    if finding.link is Link.MECHANISM:
        other_role = any(pod.role_arn not in (None, snapshot.desired_role) for pod in reachable_pods(snapshot))
        return snapshot.association is not None or other_role
    if finding.link is Link.PODS:
        return any(pod.role_arn is not None for pod in stale_pods(snapshot))
    return isinstance(snapshot.addon, AddonFacts) and snapshot.addon.role_arn is not None


def _ends_by_itself(diagnosis: Diagnosis, finding: Finding, wanted: RepairActions) -> bool:
    """Whether a symptom ends as a result of the planned actions."""
    healing = any(link in wanted for link in (Link.PODS, Link.ANNOTATION, Link.MECHANISM))
    if finding.link is Link.NODES:
        return healing and finding.ends_with_identity
    refused = finding.link is Link.PERMISSION_ERRORS and finding.verdict in (Verdict.PODS_STALE, Verdict.PODS_WITHOUT_CREDENTIALS)
    return healing and refused and diagnosis[Link.PODS].is_broken


def _consequence(finding: Finding) -> BlockedAction:
    return BlockedAction(link=finding.link, reason=BlockReason.CONSEQUENCE, sentence="ends once the earlier links are repaired")


def _all_blocked(diagnosis: Diagnosis, wanted: RepairActions, found: list[Blocker]) -> tuple[BlockedAction, ...]:
    """Every broken link, blocked by the most important blocker. The time is set where time ends all blockers."""
    first = found[0]
    until = max((blocker.until for blocker in found if blocker.until), default=None) if all(blocker.until for blocker in found) else None
    sentence = "; ".join(blocker.sentence for blocker in found)
    return tuple(
        BlockedAction(link=finding.link, reason=first.reason, sentence=sentence, until=until)
        if finding.link in wanted
        else BlockedAction(
            link=finding.link,
            reason=BlockReason.NEEDS_PERSON if not _ends_by_itself(diagnosis, finding, wanted) else BlockReason.CONSEQUENCE,
            sentence=finding.sentence,
        )
        for finding in diagnosis.broken_findings
    )
