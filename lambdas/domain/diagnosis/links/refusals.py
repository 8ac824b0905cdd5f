"""Link 11 from CloudTrail: a call that AWS refused to the role, or to the ServiceAccount that requests it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, State, broken, unknown
from lambdas.domain.diagnosis.links.identity import oidc_link, role_name, trust_link
from lambdas.domain.diagnosis.links.permissions import missing_permissions
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import NeedsNotKnown, needs, survives
from lambdas.domain.requests.request import Refusal
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import Snapshot, Unknown
from lambdas.domain.snapshot.web_identity import audience, provider_arn

REFUSALS_COUNT_FOR: Final = timedelta(minutes=15)
"""How long a refusal shows that the role does not work. A pod in back-off repeats the call within 5 minutes, and CloudTrail may deliver a
record minutes later. An older refusal shows nothing about now.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
"""
MOST_REFUSALS: Final = 2
"""Refused calls that a message names beside the evidence of the fault."""


def current_refusals(snapshot: Snapshot) -> tuple[Refusal, ...]:
    """The refused calls that can concern a pod that exists, newest first. A call from before the oldest pod shows nothing about it."""
    pods = reachable_pods(snapshot) if isinstance(snapshot.pods, tuple) else ()
    oldest = min((pod.created_at for pod in pods), default=None)
    found = {refusal for refusal in (*snapshot.refusals, *_recorded(snapshot)) if oldest is None or refusal.at >= oldest}
    return tuple(sorted(found, key=lambda refusal: (refusal.at, refusal.call), reverse=True))


def _recorded(snapshot: Snapshot) -> tuple[Refusal, ...]:
    """The refusals from the event history that name the issuer of this cluster: other clusters have ServiceAccounts of the same name."""
    issuer = (provider_arn(snapshot) or "").partition("oidc-provider/")[2]
    found = snapshot.recorded_refusals if isinstance(snapshot.recorded_refusals, tuple) else ()
    return tuple(refusal for refusal in found if issuer and refusal.provider_arn.partition("oidc-provider/")[2] == issuer)


def event_history_note(snapshot: Snapshot) -> str:
    """What a lookup in the event history shows where it shows no refusal; empty where none was made."""
    match snapshot.recorded_refusals:
        case Unknown(reason):
            return f"CloudTrail's event history could not be read: {reason}"
        case tuple() if not current_refusals(snapshot):
            return (
                "CloudTrail's event history of the last hour has no refusal by STS, which proves nothing: a record can be minutes late, and"
                " a call that does not reach STS has none"
            )
    return ""


def refusal_finding(snapshot: Snapshot) -> Finding | None:
    """The finding about the refused calls of the snapshot; None where there is none, or where this release works without them.

    A refusal of another role, an old one, and one that names no ServiceAccount show no fault of this role. They are not known, so that no
    message says that the role is not the cause. A refusal that shows a fault counts before one that does not, then the latest.
    """
    findings = [finding for refusal in current_refusals(snapshot) if (finding := _finding(snapshot, refusal))]
    return next((finding for finding in findings if finding.is_broken), findings[0] if findings else None)


def _finding(snapshot: Snapshot, refusal: Refusal) -> Finding | None:
    if survives(snapshot, refusal.call):
        return None
    if snapshot.began_at - refusal.at > REFUSALS_COUNT_FOR:
        return _not_known(refusal, "whether AWS still refuses it is not known")
    if refusal.call.startswith("eks-auth:"):
        return _not_known(refusal, "the record names no ServiceAccount")
    if refusal.role_arn != snapshot.effective_role:
        cluster = "" if refusal.provider_arn else "; the record names no cluster"
        return _not_known(refusal, f"the role was {role_name(refusal.role_arn) or 'not named'}, which is not the role to use{cluster}")
    if refusal.is_of_token:
        return _refused_token(snapshot, refusal)
    found = needs(snapshot)
    if isinstance(found, NeedsNotKnown) or found.of(refusal.call) is None:
        return _not_known(refusal, "whether the installed release needs the call is not known")
    return _refused_call(snapshot, refusal)


def survived_refusal(snapshot: Snapshot) -> str:
    """A note about a refused call that this release does without; empty where there is none."""
    survived = next((refusal for refusal in current_refusals(snapshot) if survives(snapshot, refusal.call)), None)
    return f"{refusal_text(survived)}; the installed release works without it" if survived else ""


def refusal_text(refusal: Refusal) -> str:
    """The call, the principal and the time."""
    return f"AWS refused {refusal.call} to {role_name(refusal.principal)} at {refusal.at:%H:%M:%S} UTC"


def unshown_refusals(snapshot: Snapshot, findings: Sequence[Finding]) -> tuple[str, ...]:
    """A sentence for each refused call that no broken link names as evidence, so that a message can name it."""
    shown = {evidence for finding in findings if finding.is_broken for evidence in finding.evidence}
    found = [refusal for refusal in current_refusals(snapshot) if _evidence(refusal) not in shown and not survives(snapshot, refusal.call)]
    return tuple(_sentence(_finding(snapshot, refusal), refusal) for refusal in found[:MOST_REFUSALS])


def _sentence(finding: Finding | None, refusal: Refusal) -> str:
    return finding.sentence if finding and finding.state is State.UNKNOWN else f"{refusal_text(refusal)} ({refusal.code})"


def _not_known(refusal: Refusal, why: str) -> Finding:
    sentence = f"{refusal_text(refusal)} ({refusal.code}), and {why}"
    return replace(unknown(Link.PERMISSION_ERRORS, sentence), evidence=(_evidence(refusal),))


def _refused_call(snapshot: Snapshot, refusal: Refusal) -> Finding:
    found = missing_permissions(snapshot, (refusal.call,), Link.PERMISSION_ERRORS)
    return replace(found, evidence=(_evidence(refusal),))


def _refused_token(snapshot: Snapshot, refusal: Refusal) -> Finding:
    code = refusal.code.removesuffix("Exception")
    return broken(
        Link.PERMISSION_ERRORS,
        verdict_of_sts(snapshot, code),
        f"STS refused {role_name(refusal.role_arn)} to {snapshot.target.namespace}/{snapshot.target.name}: {code}.",
        _evidence(refusal),
        severity=Severity.CRITICAL,
        remedies=(_remedy(snapshot, code),),
    )


def verdict_of_sts(snapshot: Snapshot, code: str) -> Verdict:
    """The verdict for an error code of STS. Where the trust policy or the provider was read and is right, it is not accused."""
    if code == "AccessDenied" and trust_link(snapshot).state is not State.OK:
        return Verdict.TRUST_CONDITION_WRONG
    if code == "InvalidIdentityToken" and oidc_link(snapshot).state is not State.OK:
        return Verdict.OIDC_PROVIDER_MISSING
    return Verdict.STS_ERROR


def _remedy(snapshot: Snapshot, code: str) -> Remedy:
    role, issuer = role_name(snapshot.desired_role or ""), (provider_arn(snapshot) or "").partition("oidc-provider/")[2]
    match code:
        case "AccessDenied" if trust_link(snapshot).state is State.OK:
            allows = f"the trust policy of {role} allows the ServiceAccount"
            return Remedy(f"{allows}: check for a resource control policy of the organization that denies it")
        case "AccessDenied":
            return Remedy(f"allow {snapshot.target.subject} of {issuer} in the trust policy of {role}")
        case "InvalidIdentityToken" if oidc_link(snapshot).state is not State.OK:
            return Remedy(
                f"create an OIDC provider for https://{issuer} with the client ID {audience(snapshot)} in the account of the role"
            )
        case "InvalidIdentityToken":
            return Remedy("provider and audience are right, so check the thumbprint of the provider")
        case "ExpiredToken" | "IDPRejectedClaim":
            return Remedy("check time synchronization on the nodes and that the kubelet renews the token, then replace the pods")
    return Remedy(f"look up {code} in the documentation of AssumeRoleWithWebIdentity")


def _evidence(refusal: Refusal) -> Evidence:
    return Evidence(f"CloudTrail, {refusal.principal}", refusal.call, f"refused: {refusal.code}", refusal.at)
