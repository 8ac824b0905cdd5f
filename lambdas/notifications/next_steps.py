"""What is left for a person, as a short list of things to do."""

from collections.abc import Iterator, Sequence
from typing import Final

from lambdas.contract.approval import APPROVE, REJECT
from lambdas.contract.parameters import KUBERNETES_NAME, binding_path
from lambdas.contract.workloads import one_of
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.verification import LEFT_TO_ITS_OWNER
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.owners import Tool, keep_in_record, keep_on_account, recognise
from lambdas.notifications.wording import Block, Code, Phrase, say, sentence

MOST_STEPS: Final = 5
_COMMANDS: Final = ("aws ", "kubectl ", "irsa-remediator ")
_LOOK_AGAIN: Final = ", then look again"
_BECOMES: Final = "  →  "


def steps(context: MessageContext) -> tuple[Phrase, ...]:
    """At most five things to do, in order; empty where nothing is left."""
    return tuple(_steps(context))[:MOST_STEPS]


def _steps(context: MessageContext) -> Iterator[Phrase]:
    match context.kind:
        case NotificationKind.REPAIRING | NotificationKind.RECOVERED:
            return
        case NotificationKind.APPROVAL_REQUESTED:
            yield _answer_by(APPROVE.button, "approve", context)
            yield _answer_by(REJECT.button, "reject", context)
        case NotificationKind.NOT_APPROVED:
            yield _run("To repair it after all:", _fix(context))
        case NotificationKind.VERIFIED:
            yield from _keep(context)
            yield from _remedies(context, MOST_STEPS)
        case NotificationKind.REMINDER:
            yield from _again(context)
        case _:
            yield from _by_hand(context)


def _again(context: MessageContext) -> Iterator[Phrase]:
    """What to do has been context: a reminder says where it stands, not all of it again."""
    if context.current.remedies:
        yield _run("What to do stands in the first message, and is printed by", f"irsa-remediator check --cluster {context.cluster}")
    elif context.current.actions:
        yield _run("To repair it by hand:", _fix(context))
    else:
        yield from _by_hand(context)


def _answer_by(button: str, command: str, context: MessageContext) -> Phrase:
    return say(
        "{button}: press {button} in chat, or run {command}",
        button=button,
        command=Code(f"irsa-remediator {command} {context.incident.id}"),
    )


def _by_hand(context: MessageContext) -> Iterator[Phrase]:
    reason = context.main_blocker.reason if context.main_blocker else ""
    if context.trouble:
        yield _run("See what stands now:", f"irsa-remediator check --cluster {context.cluster}")
        yield _run("When the cause is gone:", _fix(context))
        return
    if reason == BlockReason.NO_BINDING:
        yield _bind(context)
    elif reason in (
        BlockReason.OBSERVE_MODE,
        BlockReason.COOLDOWN,
        BlockReason.TOO_MANY_REPAIRS,
        BlockReason.MAINTENANCE_WINDOW,
        BlockReason.CIRCUIT_BREAKER,
    ):
        yield _run("To repair it by hand:", _fix(context))
    if context.current.verdict is Verdict.FLAPPING or reason in LEFT_TO_ITS_OWNER:
        yield from _keep(context)
    if context.current.verdict is Verdict.UPDATE_IN_PROGRESS:
        yield _run("See what the update waits for:", _list_updates(context))
    if context.current.verdict is Verdict.NODES_NOT_READY:
        yield _describe(context)
    if context.current.verdict is Verdict.NODES_NOT_READY and context.current.counts.nodes_waiting:
        yield _run(
            "See what the CNI says; a time-out of sts means that the subnets have no way to it:",
            "kubectl -n kube-system logs -l k8s-app=aws-node -c aws-node --prefix --tail=30",
        )
    if reason == BlockReason.PRECONDITION_UNKNOWN:
        yield say("Let the remediator's role read what is named above, or correct the cluster by hand.")
    found = tuple(_remedies(context, MOST_STEPS - 2))
    yield from found
    if (
        found
        or reason in (BlockReason.PRECONDITION_FAILED, BlockReason.PRECONDITION_UNKNOWN)
        or context.current.verdict is Verdict.FLAPPING
    ):
        yield _run("Then look again:", f"irsa-remediator check --cluster {context.cluster}")


def _describe(context: MessageContext) -> Phrase:
    names = (unwell_node.removeprefix("Node ") for unwell_node in _unwell_nodes(context))
    name = next((item for item in names if KUBERNETES_NAME.match(item)), "<node>")
    return _run("See what a node says:", f"kubectl describe node {name}")


def _run(words: str, command: str) -> Phrase:
    return say("{words} {command}", words=words, command=Code(command))


def _fix(context: MessageContext) -> str:
    """`fix` takes one ServiceAccount, and aws-node where a cluster has no other."""
    return f"irsa-remediator fix --cluster {context.cluster}{one_of(context.incident.target)}"


def _list_updates(context: MessageContext) -> str:
    addon = context.current.addon.get("name", "")
    return f"aws eks list-updates --name {context.cluster}" + (f" --addon-name {addon}" if addon else "")


def _bind(context: MessageContext) -> Phrase:
    target = context.incident.target
    path = binding_path(target.cluster, target.namespace, target.name)
    role = context.current.desired_role or "<role ARN>"
    return _run("To let the remediator act:", f"aws ssm put-parameter --type String --name {path} --value {role}")


# --- what its owner has to change, so that it does not come back ------------------------------------------------------------------------


def _keep(context: MessageContext) -> Iterator[Phrase]:
    role, addon = context.fault.desired_role, context.fault.addon.get("name", "")
    if not role:
        return
    annotated = context.current.verdict is Verdict.FLAPPING or "annotate-service-account" in context.changes
    if addon and (_record_concerned(context) or (annotated and _writer(context) == recognise(manager="eks"))):
        yield keep_in_record(_caller(context), context.incident.target, addon, role)
    elif annotated:
        yield keep_on_account(_writer(context) or _caller(context), context.incident.target, addon, role)


def _record_concerned(context: MessageContext) -> bool:
    left = any(item.reason in LEFT_TO_ITS_OWNER for item in (*context.current.blocked, *context.fault.blocked))
    return left or "update-addon-role" in context.changes


def _caller(context: MessageContext) -> Tool | None:
    actor = context.fault.actor
    return recognise(signs=(actor.get("agent", ""), actor.get("who", ""))) if actor else None


def _writer(context: MessageContext) -> Tool | None:
    return recognise(manager=context.fault.owner)


# --- what the diagnosis found to be corrected -------------------------------------------------------------------------------------------


def _remedies(context: MessageContext, most: int) -> Iterator[Phrase]:
    """The remedies as things to do. What nodes say of themselves is evidence, and is context there. Words that end in `:` head a command."""
    nodes = tuple(f"{subject.removeprefix('Node ')}: " for subject in _unwell_nodes(context))
    lines = [line for line in context.current.remedies if not (nodes and line.startswith(nodes)) and _BECOMES not in line]
    before = ""
    for line in lines[:most]:
        words, command = words_and_command(line)
        if line.endswith(":"):
            before = line[:-1]
        elif command and not words and before:
            yield say("{words} as shown: {command}", words=sentence(before).rstrip("."), command=Code(command))
        elif command:
            yield say("{words}{command}", words=say("{it}: ", it=sentence(words).rstrip(".")) if words else say(""), command=Code(command))
        else:
            yield say("{words}", words=sentence(line.removesuffix(_LOOK_AGAIN)))


def words_and_command(remedy: str) -> tuple[str, str]:
    """What a remedy says, and the command that does it; either may be empty. Only the command is to be copied."""
    if remedy.startswith(_COMMANDS):
        return "", remedy
    found = min((at for command in _COMMANDS if (at := remedy.find(f": {command}")) >= 0), default=-1)
    return (remedy, "") if found < 0 else (remedy[:found], remedy[found + 2 :])


def _unwell_nodes(context: MessageContext) -> Sequence[str]:
    return [item[0] for line in context.current.links if line.link == Link.NODES and line.state == State.BROKEN for item in line.evidence]


def differences(context: MessageContext) -> Phrase | None:
    """Lines of a document that have to change, old and new, where the diagnosis gives them."""
    pairs = [line.split(_BECOMES, 1) for line in context.current.remedies if _BECOMES in line]
    lines = tuple(f"{sign} {text}" for old, new in pairs for sign, text in (("-", old), ("+", new)) if text.strip())
    return say("Change these lines:\n{lines}", lines=Block(lines)) if lines else None
