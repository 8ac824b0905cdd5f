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
from lambdas.notifications.message_context import Told
from lambdas.notifications.owners import Tool, keep_in_record, keep_on_account, recognise
from lambdas.notifications.wording import Block, Code, Phrase, say, sentence

MOST_STEPS: Final = 5
_COMMANDS: Final = ("aws ", "kubectl ", "irsa-remediator ")
_LOOK_AGAIN: Final = ", then look again"
_BECOMES: Final = "  →  "


def steps(told: Told) -> tuple[Phrase, ...]:
    """At most five things to do, in order; empty where nothing is left."""
    return tuple(_steps(told))[:MOST_STEPS]


def _steps(told: Told) -> Iterator[Phrase]:
    match told.kind:
        case NotificationKind.ACTING | NotificationKind.RECOVERED:
            return
        case NotificationKind.ASKING:
            yield _answer_by(APPROVE.button, "approve", told)
            yield _answer_by(REJECT.button, "reject", told)
        case NotificationKind.NOT_APPROVED:
            yield _run("To repair it after all:", _fix(told))
        case NotificationKind.PROVEN:
            yield from _keep(told)
            yield from _remedies(told, MOST_STEPS)
        case NotificationKind.REMINDER:
            yield from _again(told)
        case _:
            yield from _by_hand(told)


def _again(told: Told) -> Iterator[Phrase]:
    """What to do has been told: a reminder says where it stands, not all of it again."""
    if told.now.remedies:
        yield _run("What to do stands in the first message, and is printed by", f"irsa-remediator check --cluster {told.cluster}")
    elif told.now.actions:
        yield _run("To repair it by hand:", _fix(told))
    else:
        yield from _by_hand(told)


def _answer_by(button: str, command: str, told: Told) -> Phrase:
    return say(
        "{button}: press {button} in chat, or run {command}", button=button, command=Code(f"irsa-remediator {command} {told.incident.id}")
    )


def _by_hand(told: Told) -> Iterator[Phrase]:
    reason = told.held.reason if told.held else ""
    if told.trouble:
        yield _run("See what stands now:", f"irsa-remediator check --cluster {told.cluster}")
        yield _run("When the cause is gone:", _fix(told))
        return
    if reason == BlockReason.NO_BINDING:
        yield _bind(told)
    elif reason in (BlockReason.OBSERVE_MODE, BlockReason.COOLDOWN, BlockReason.TOO_MANY_REPAIRS, BlockReason.WINDOW, BlockReason.BREAKER):
        yield _run("To repair it by hand:", _fix(told))
    if told.now.verdict is Verdict.REVERTED or reason in LEFT_TO_ITS_OWNER:
        yield from _keep(told)
    if told.now.verdict is Verdict.UPDATE_IN_PROGRESS:
        yield _run("See what the update waits for:", _list_updates(told))
    if told.now.verdict is Verdict.NODES_UNWELL_OTHERWISE:
        yield _describe(told)
    if told.now.verdict is Verdict.NODES_UNWELL_OTHERWISE and told.now.counts.nodes_waiting:
        yield _run(
            "See what the CNI says; a time-out of sts means that the subnets have no way to it:",
            "kubectl -n kube-system logs -l k8s-app=aws-node -c aws-node --prefix --tail=30",
        )
    if reason == BlockReason.GUARD_UNREAD:
        yield say("Let the remediator's role read what is named above, or correct the cluster by hand.")
    found = tuple(_remedies(told, MOST_STEPS - 2))
    yield from found
    if found or reason in (BlockReason.GUARD_BROKEN, BlockReason.GUARD_UNREAD) or told.now.verdict is Verdict.REVERTED:
        yield _run("Then look again:", f"irsa-remediator check --cluster {told.cluster}")


def _describe(told: Told) -> Phrase:
    names = (unwell_node.removeprefix("Node ") for unwell_node in _unwell_nodes(told))
    name = next((item for item in names if KUBERNETES_NAME.match(item)), "<node>")
    return _run("See what a node says:", f"kubectl describe node {name}")


def _run(words: str, command: str) -> Phrase:
    return say("{words} {command}", words=words, command=Code(command))


def _fix(told: Told) -> str:
    """`fix` takes one ServiceAccount, and aws-node where a cluster has no other."""
    return f"irsa-remediator fix --cluster {told.cluster}{one_of(told.incident.target)}"


def _list_updates(told: Told) -> str:
    addon = told.now.addon.get("name", "")
    return f"aws eks list-updates --name {told.cluster}" + (f" --addon-name {addon}" if addon else "")


def _bind(told: Told) -> Phrase:
    target = told.incident.target
    path = binding_path(target.cluster, target.namespace, target.name)
    role = told.now.desired_role or "<role ARN>"
    return _run("To let the remediator act:", f"aws ssm put-parameter --type String --name {path} --value {role}")


# --- what its owner has to change, so that it does not come back ------------------------------------------------------------------------


def _keep(told: Told) -> Iterator[Phrase]:
    role, addon = told.fault.desired_role, told.fault.addon.get("name", "")
    if not role:
        return
    annotated = told.now.verdict is Verdict.REVERTED or "AnnotateServiceAccount" in told.changes
    if addon and (_record_concerned(told) or (annotated and _writer(told) == recognise(manager="eks"))):
        yield keep_in_record(_caller(told), told.incident.target, addon, role)
    elif annotated:
        yield keep_on_account(_writer(told) or _caller(told), told.incident.target, addon, role)


def _record_concerned(told: Told) -> bool:
    left = any(item.reason in LEFT_TO_ITS_OWNER for item in (*told.now.withheld, *told.fault.withheld))
    return left or "UpdateAddonRole" in told.changes


def _caller(told: Told) -> Tool | None:
    actor = told.fault.actor
    return recognise(signs=(actor.get("agent", ""), actor.get("who", ""))) if actor else None


def _writer(told: Told) -> Tool | None:
    return recognise(manager=told.fault.owner)


# --- what the diagnosis found to be corrected -------------------------------------------------------------------------------------------


def _remedies(told: Told, most: int) -> Iterator[Phrase]:
    """The remedies as things to do. What nodes say of themselves is evidence, and is told there. Words that end in `:` head a command."""
    nodes = tuple(f"{subject.removeprefix('Node ')}: " for subject in _unwell_nodes(told))
    lines = [line for line in told.now.remedies if not (nodes and line.startswith(nodes)) and _BECOMES not in line]
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


def _unwell_nodes(told: Told) -> Sequence[str]:
    return [item[0] for line in told.now.links if line.link == Link.NODES and line.state == State.BROKEN for item in line.evidence]


def differences(told: Told) -> Phrase | None:
    """Lines of a document that have to change, old and new, where the diagnosis gives them."""
    pairs = [line.split(_BECOMES, 1) for line in told.now.remedies if _BECOMES in line]
    lines = tuple(f"{sign} {text}" for old, new in pairs for sign, text in (("-", old), ("+", new)) if text.strip())
    return say("Change these lines:\n{lines}", lines=Block(lines)) if lines else None
