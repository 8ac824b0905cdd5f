"""Advice about versions: which upgrade is known to lose the role, what is newer, and when support ends. Never a reason to act."""

from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON
from lambdas.domain.diagnosis.verdict import REPAIRABLE
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.time_text import moment
from lambdas.notifications.wording import Phrase, join, say

KNOWN_BAD: Final = ("1.28", "v1.15.1-eksbuild.1")
"""Kubernetes and vpc-cni version of the upgrade after which the first clusters were found without their role; tools had dropped it."""
SOON: Final = timedelta(days=90)
"""How long before its end support is spoken of: an upgrade has to be planned, and takes the role away where it was only annotated."""


def advice(context: MessageContext) -> Phrase | None:
    """What is known of the add-on's version and of the cluster's, where there is something to say."""
    said = [item for item in (_addon(context), support(context.fault.cluster, context.at)) if item]
    return join(said, " ") if said else None


def _addon(context: MessageContext) -> Phrase | None:
    addon, kubernetes = context.fault.addon, context.fault.cluster.get("version", "")
    installed, default, latest = (addon.get(name, "") for name in ("version", "default", "latest"))
    if context.fault.verdict not in REPAIRABLE or not installed:
        return None
    if (kubernetes, installed) == KNOWN_BAD and addon.get("name") == CNI_ADDON:
        note = "vpc-cni {installed} on Kubernetes {kubernetes} is the upgrade after which Terraform set-ups are known to lose the role."
    elif (context.is_over or not context.is_failing) and (newer := newer_versions(installed, default, latest, kubernetes)):
        return say("{addon} {installed} is installed; {newer}.", addon=addon.get("name", ""), installed=installed, newer=newer)
    else:
        return None
    return say(note, installed=installed, kubernetes=kubernetes)


def newer_versions(installed: str, default: str, latest: str, kubernetes: str) -> Phrase | None:
    """The default and the latest version of an add-on as far as they differ from the one that is installed; None where neither does."""
    if latest in ("", installed, default):
        return (
            say("the default for Kubernetes {kubernetes} is {it}", kubernetes=kubernetes, it=default)
            if _other(default, installed)
            else None
        )
    if not _other(default, installed):
        return say("the latest for Kubernetes {kubernetes} is {it}", kubernetes=kubernetes, it=latest)
    words = "the default for Kubernetes {kubernetes} is {default}, the latest {latest}"
    return say(words, kubernetes=kubernetes, default=default, latest=latest)


def _other(version: str, installed: str) -> bool:
    return version not in ("", installed)


def support(cluster: dict[str, str], now: datetime | None) -> Phrase | None:
    """When support of the cluster's Kubernetes version ends, from three months before; None earlier, or where EKS named no date."""
    standard, extended = (moment(cluster.get(name)) for name in ("standard_until", "extended_until"))
    if now is None or standard is None:
        return None
    about = {"kubernetes": cluster.get("version", ""), "standard": f"{standard:%Y-%m-%d}"}
    if now < standard:
        words = "Standard support of Kubernetes {kubernetes} ends {when} ({standard})."
        return say(words, when=_in_days(now, standard), **about) if standard - now <= SOON else None
    if extended is None:
        return say("Standard support of Kubernetes {kubernetes} ended on {standard}.", **about)
    if now < extended:
        words = (
            "Standard support of Kubernetes {kubernetes} ended on {standard}; extended support, which costs more, ends {when} ({extended})."
        )
        return say(words, when=_in_days(now, extended), extended=f"{extended:%Y-%m-%d}", **about)
    return say("Kubernetes {kubernetes} is no longer supported: EKS may upgrade the cluster by itself at any time.", **about)


def _in_days(now: datetime, then: datetime) -> str:
    days = (then.date() - now.date()).days
    return "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
