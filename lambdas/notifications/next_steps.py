"""The next steps of a message: what a person has to do, as a short list."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lambdas.contract.approval import APPROVE, REJECT
from lambdas.contract.parameters import KUBERNETES_NAME, binding_path
from lambdas.contract.workloads import AWS_NODE, service_account_option
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.links.symptoms import MONITORING_AGENT, NO_POD
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import AnnotateServiceAccount, CreateAssociation, UpdateAddonRole, UpdateAssociation
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.verification import LEFT_TO_OWNER
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.owners import Tool, annotation_advice, association_advice, recognize, record_advice
from lambdas.notifications.wording import Block, Code, Phrase, phrase, sentence

MOST_STEPS: Final = 5
_ASSOCIATION_KINDS: Final = {CreateAssociation.kind, UpdateAssociation.kind}
_REPAIR_BY_HAND: Final = frozenset(
    {
        BlockReason.OBSERVE_MODE,
        BlockReason.COOLDOWN,
        BlockReason.TOO_MANY_REPAIRS,
        BlockReason.MAINTENANCE_WINDOW,
        BlockReason.CIRCUIT_BREAKER,
    }
)
"""Block reasons that do not apply to `irsa-remediator fix`."""
_CHECK_AGAIN: Final = frozenset(
    {
        BlockReason.PRECONDITION_FAILED,
        BlockReason.PRECONDITION_UNKNOWN,
        BlockReason.ROLE_OUTSIDE_BOUNDS,
        BlockReason.TRUST_TOO_BROAD,
    }
)
"""Block reasons that a person removes outside the cluster."""


def steps(context: MessageContext) -> tuple[Phrase, ...]:
    """At most five steps, in order; empty where no step is needed."""
    return tuple(_steps(context))[:MOST_STEPS]


def _steps(context: MessageContext) -> Iterator[Phrase]:
    match context.kind:
        case NotificationKind.REPAIRING if context.is_part_left:
            yield from _remedies(context, MOST_STEPS)
        case NotificationKind.REPAIRING | NotificationKind.RECOVERED:
            return
        case NotificationKind.APPROVAL_REQUESTED:
            yield _answer(APPROVE.button, f"approve {context.incident.id} --plan {context.current.plan_digest}")
            yield _answer(REJECT.button, f"reject {context.incident.id}")
        case NotificationKind.NOT_APPROVED:
            yield _command("To repair it anyway:", _fix(context))
        case NotificationKind.VERIFIED:
            yield from _prevention(context)
            yield from _remedies(context, MOST_STEPS)
        case NotificationKind.REMINDER if context.current.actions:
            yield _command("To repair it manually:", _fix(context))
        case NotificationKind.REMINDER:  # it does not repeat what failed, only what is left to do
            yield from _manual_steps(replace(context, trouble=""))
        case _:
            yield from _manual_steps(context)


def _answer(button: str, command: str) -> Phrase:
    return phrase("{button}: press {button} in chat, or run {command}", button=button, command=Code(f"irsa-remediator {command}"))


def _manual_steps(context: MessageContext) -> Iterator[Phrase]:
    if context.deleted_pod:
        yield _inspect_deletion(context)
    if context.trouble:
        yield _command("See the current state:", _check(context))
        yield from _remedies(context, MOST_STEPS - 2)
        yield _command("When the cause is fixed:", _fix(context))
        return
    reason = context.main_blocker.reason if context.main_blocker else ""
    verdict = context.current.verdict
    if reason == BlockReason.NO_BINDING and verdict is not Verdict.CLUSTER_GONE:
        yield _bind(context)
    elif reason in _REPAIR_BY_HAND:
        yield _command("To repair it manually:", _fix(context))
    if verdict in (Verdict.FLAPPING, Verdict.ROLE_KEPT) or reason in LEFT_TO_OWNER:
        yield from _prevention(context)
    if verdict is Verdict.UPDATE_IN_PROGRESS:
        yield _command("See what the update waits for:", _list_updates(context))
    if verdict in (Verdict.NODES_NOT_READY, Verdict.NODES_WAITING_FOR_CNI):
        yield from _inspect_nodes(context)
    if verdict is Verdict.PODS_NOT_READY:
        yield from _inspect_pods(context)
    yield from _precondition(reason, context)
    remedies = tuple(_remedies(context, MOST_STEPS - 2))
    yield from remedies
    if remedies or reason in _CHECK_AGAIN or verdict is Verdict.FLAPPING:
        yield _command("Then check again:", _check(context))


def _precondition(reason: str, context: MessageContext) -> Iterator[Phrase]:
    match reason:
        case BlockReason.PRECONDITION_UNKNOWN:
            yield phrase("Let the remediator's role read the resource named above, or correct the cluster manually.")
        case BlockReason.ROLE_OUTSIDE_BOUNDS:
            path = Code(context.current.binding_path)
            yield phrase("Correct the parameter {path}. If the role is right, add it to bound_roles and deploy.", path=path)
        case BlockReason.TRUST_TOO_BROAD:
            yield phrase("Add the condition of the note to the trust policy of the role.")


def _inspect_nodes(context: MessageContext) -> Iterator[Phrase]:
    nodes_links = [link for link in context.current.links if link.link == Link.NODES and link.state == State.BROKEN]
    facts = [fact for link in nodes_links for fact in link.evidence]
    with_log = [fact for fact in facts if fact[1] not in (NO_POD, MONITORING_AGENT)]
    names = (fact[0].removeprefix("Node ") for fact in with_log or facts)
    name = next((name for name in names if KUBERNETES_NAME.match(name)), "<node>")
    if context.current.verdict is Verdict.NODES_WAITING_FOR_CNI:
        yield from (_read_cni_log(name, "a waiting node"),) if with_log else ()
        yield from (_collect_bundle() for fact in facts if fact[1] == MONITORING_AGENT)
    else:
        yield _command("See the conditions of a node:", f"kubectl describe node {name}")


def _read_cni_log(node: str, place: str) -> Phrase:
    """The log file on the node. The CNI writes no cause to its standard output.

    Sources: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/troubleshooting.md (ipamd debugging commands)
    https://kubernetes.io/docs/tasks/debug/debug-cluster/kubectl-node-debug/
    """
    return phrase(
        "Read the log of the CNI on {place}: {debug}. To explain its lines, save them to a file and run {explain}",
        place=place,
        debug=Code(f"kubectl debug node/{node} -it --image={DEBUG_IMAGE} -- cat {CNI_LOG}"),
        explain=Code("irsa-remediator explain-log ipamd.log"),
    )


def _collect_bundle() -> Phrase:
    """The way without a shell on the node. The remediator may create no object of this kind.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/auto-get-logs.html
    """
    return phrase(
        "Or let the EKS node monitoring agent collect the log: the runbook has the NodeDiagnostic. To explain the bundle: {explain}",
        explain=Code("irsa-remediator explain-log bundle.tar.gz"),
    )


CNI_LOG: Final = "/host/var/log/aws-routed-eni/ipamd.log"
DEBUG_IMAGE: Final = "public.ecr.aws/docker/library/busybox:stable"


def _inspect_deletion(context: MessageContext) -> Phrase:
    """Why the deleted pod has no ready successor: its controller's events, or the pods of the node."""
    namespace, node = context.incident.target.namespace, context.deleted_pod.node if context.deleted_pod else ""
    place = f" --field-selector spec.nodeName={node}" if KUBERNETES_NAME.match(node) else ""
    return phrase(
        "Find out now why no successor is ready: {events}, then {pods}",
        events=Code(f"kubectl -n {namespace} get events --sort-by=.lastTimestamp"),
        pods=Code(f"kubectl -n {namespace} get pods -o wide{place}"),
    )


def _inspect_pods(context: MessageContext) -> Iterator[Phrase]:
    pods_links = [link for link in context.current.links if link.link == Link.PODS and link.state == State.BROKEN]
    names = (fact[0].removeprefix("Pod ") for link in pods_links for fact in link.evidence)
    name = next((name for name in names if KUBERNETES_NAME.match(name)), "<pod>")
    namespace = context.incident.target.namespace
    yield _command("See the state of a pod:", f"kubectl -n {namespace} describe pod {name}")
    if context.incident.target.name != AWS_NODE.service_account:
        yield _command("Read what it wrote before it ended:", f"kubectl -n {namespace} logs {name} --all-containers --previous --tail=50")
    else:
        node = next((fact[2].rpartition("node ")[2] for link in pods_links for fact in link.evidence if "node " in fact[2]), "")
        yield _read_cni_log(node if KUBERNETES_NAME.match(node) else "<node>", "the node of this pod")


def _command(text: str, command: str) -> Phrase:
    return phrase("{text} {command}", text=text, command=Code(command))


def _check(context: MessageContext) -> str:
    return f"irsa-remediator check --cluster {context.cluster}"


def _fix(context: MessageContext) -> str:
    """`fix` repairs one ServiceAccount; without the option it repairs `aws-node`."""
    return f"irsa-remediator fix --cluster {context.cluster}{service_account_option(context.incident.target)}"


def _list_updates(context: MessageContext) -> str:
    addon = context.current.addon.name if context.current.addon else ""
    options = f"--name {context.cluster}" + (f" --addon-name {addon}" if addon else "")
    return aws_command("eks list-updates", context.current.cluster.region, options)


def _bind(context: MessageContext) -> Phrase:
    target = context.incident.target
    path = binding_path(target.cluster, target.namespace, target.name)
    role = context.current.desired_role or "<role ARN>"
    command = aws_command("ssm put-parameter", context.current.cluster.region, f"--type String --name {path} --value {role}")
    return _command("To let the remediator repair it:", command)


# --- the change in the owner's code that keeps the role ----------------------------------------------------------------------------------


def _prevention(context: MessageContext) -> Iterator[Phrase]:
    role, target = context.fault.desired_role, context.incident.target
    addon = context.fault.addon.name if context.fault.addon else ""
    if not role or context.fault.verdict in (Verdict.ANNOTATION_UNCLAIMED, Verdict.GUARD_DIFFERS):
        return
    if context.current.verdict is Verdict.FLAPPING:
        yield _command("To restore the role now, until the other writer removes it again:", f"{_fix(context)} --override")
    if context.fault.verdict is Verdict.ROLE_KEPT:
        caller, is_addon = _caller(context), _caller(context) in (None, recognize(manager="eks"))
        yield record_advice(caller, target, addon, role) if addon and is_addon else annotation_advice(caller, target, addon, role)
        return
    if _ASSOCIATION_KINDS & set(context.changes):
        yield association_advice(_caller(context), target, addon, role)
        return
    is_annotation = context.current.verdict is Verdict.FLAPPING or AnnotateServiceAccount.kind in context.changes
    if addon and (_is_record_concerned(context) or (is_annotation and _writer(context) == recognize(manager="eks"))):
        yield record_advice(_caller(context), target, addon, role)
    elif is_annotation:
        yield annotation_advice(_writer(context) or _caller(context), target, addon, role)


def _is_record_concerned(context: MessageContext) -> bool:
    blocked_links = (*context.current.blocked, *context.fault.blocked)
    is_left = any(blocked.link == Link.ADDON_RECORD and blocked.reason in LEFT_TO_OWNER for blocked in blocked_links)
    return is_left or UpdateAddonRole.kind in context.changes


def _caller(context: MessageContext) -> Tool | None:
    actor = context.fault.actor
    return recognize(markers=(actor.agent, actor.who)) if actor else None


def _writer(context: MessageContext) -> Tool | None:
    return recognize(manager=context.fault.owner)


# --- the remedies of the diagnosis -------------------------------------------------------------------------------------------------------


def has_harmful_remedy(context: MessageContext) -> bool:
    """Whether the remedies would delete pods, though a deleted pod has no successor, or a new pod may not start with the role."""
    is_start_doubtful = any(blocked.reason == BlockReason.PRECONDITION_UNKNOWN for blocked in context.current.blocked)
    return context.current.verdict is Verdict.PODS_WITHOUT_CREDENTIALS and (context.deleted_pod is not None or is_start_doubtful)


def _remedies(context: MessageContext, most: int) -> Iterator[Phrase]:
    for remedy in () if has_harmful_remedy(context) else context.current.remedies[:most]:
        text = sentence(remedy.text)
        if remedy.command:
            is_shown = remedy.diff and context.kind is not NotificationKind.REMINDER  # a reminder repeats the command alone
            template = "{text} as shown: {command}" if is_shown else "{text}: {command}"
            yield phrase(template, text=text.rstrip("."), command=Code(remedy.command))
        else:
            yield phrase("{text}", text=text)


def differences(context: MessageContext) -> Phrase | None:
    """The lines of a document that have to change, old and new."""
    changes = [change for remedy in context.current.remedies for change in remedy.diff]
    lines = tuple(f"{sign} {text}" for old, new in changes for sign, text in (("-", old), ("+", new)) if text.strip())
    return phrase("Change these lines:\n{lines}", lines=Block(lines)) if lines else None
