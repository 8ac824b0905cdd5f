"""Advice about versions: upgrades that are known to lose the role, newer versions, and the end of support. It never causes an action."""

from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON
from lambdas.domain.assessment.summary import ClusterSummary
from lambdas.domain.diagnosis.verdict import ASSOCIATION_VERDICTS, REPAIRABLE
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.time_text import moment
from lambdas.notifications.wording import Phrase, join, phrase

KNOWN_BAD: Final = ("1.28", "v1.15.1-eksbuild.1")
"""Kubernetes and vpc-cni version of the upgrade after which the first clusters were found without their role: tools had removed it."""
SUPPORT_NOTICE: Final = timedelta(days=90)
"""How long before the end of support a message mentions it: an upgrade needs planning, and can remove a role that is only annotated."""


def advice(context: MessageContext) -> Phrase | None:
    """Advice about the versions of the add-on and of the cluster."""
    advices = [advice for advice in (_addon(context), support(context.fault.cluster, context.at)) if advice]
    return join(advices, " ") if advices else None


def _addon(context: MessageContext) -> Phrase | None:
    addon, kubernetes = context.fault.addon, context.fault.cluster.version
    if context.fault.verdict not in REPAIRABLE - ASSOCIATION_VERDICTS or addon is None:
        return None
    if (kubernetes, addon.version) == KNOWN_BAD and addon.name == CNI_ADDON:
        template = "Terraform setups are known to lose the role with the upgrade to vpc-cni {installed} on Kubernetes {kubernetes}."
        return phrase(template, installed=addon.version, kubernetes=kubernetes)
    newer = newer_versions(addon.version, addon.default, addon.latest, kubernetes)
    if newer is None or (context.is_failing and not context.is_over):
        return None
    return phrase("{addon} {installed} is installed; {newer}.", addon=addon.name, installed=addon.version, newer=newer)


def newer_versions(installed: str, default: str, latest: str, kubernetes: str) -> Phrase | None:
    """The default and the latest version of an add-on that differ from the installed one; None where neither differs."""
    has_default = default not in ("", installed)
    if latest not in ("", installed, default):
        template = "the default for Kubernetes {kubernetes} is {default}, the latest {latest}"
        template = template if has_default else "the latest for Kubernetes {kubernetes} is {latest}"
    elif has_default:
        template = "the default for Kubernetes {kubernetes} is {default}"
    else:
        return None
    return phrase(template, kubernetes=kubernetes, default=default, latest=latest)


def support(cluster: ClusterSummary, now: datetime | None) -> Phrase | None:
    """The end of support of the cluster's Kubernetes version; None more than 90 days before it, or where EKS gives no date."""
    standard, extended = (moment(date) for date in (cluster.standard_until, cluster.extended_until))
    if now is None or standard is None:
        return None
    about = {"kubernetes": cluster.version, "standard": f"{standard:%Y-%m-%d}"}
    if now < standard:
        template = "Standard support of Kubernetes {kubernetes} ends {when} ({standard})."
        return phrase(template, when=_in_days(now, standard), **about) if standard - now <= SUPPORT_NOTICE else None
    if extended is None:
        return phrase("Standard support of Kubernetes {kubernetes} ended on {standard}.", **about)
    if now < extended:
        template = (
            "Standard support of Kubernetes {kubernetes} ended on {standard}. Extended support, which costs more, ends {when} ({extended})."
        )
        return phrase(template, when=_in_days(now, extended), extended=f"{extended:%Y-%m-%d}", **about)
    return phrase("Kubernetes {kubernetes} is no longer supported. EKS may upgrade the cluster at any time.", **about)


def _in_days(now: datetime, then: datetime) -> str:
    days = (then.date() - now.date()).days
    return "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
