"""Link 7: the role may make the calls that this release of the workload needs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from typing import Final

from lambdas.contract.call_needs import ADDON_NEEDS, CallNeed, Effect, Phase
from lambdas.contract.settings import Severity
from lambdas.contract.workloads import known
from lambdas.domain.aws_commands import put_role_policy
from lambdas.domain.diagnosis.call_needs import (
    ReleaseNeeds,
    fixing_release,
    lacking,
    newest_policy,
    only_newest,
    policy_gap,
    release_text,
    unproven,
)
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.links.annotation import identity_severity, stale_pods
from lambdas.domain.diagnosis.links.identity import role_name
from lambdas.domain.diagnosis.permissions import policy_document
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import NeedsNotKnown, installed_version, known_bad, needs
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.simulation import RefusalCause, allowed_by
from lambdas.domain.snapshot.snapshot import NotRead, Snapshot, Unknown

COMMERCIAL: Final = "aws"
"""The partition whose versions of managed policies are known. Other partitions get a version at another time."""
MOST_CALLS: Final = 4
"""Maximum number of calls in a sentence. The remedies name all of them."""


def permissions_link(snapshot: Snapshot) -> Finding:
    """Link 7, from the decisions of the IAM policy simulator."""
    if known(snapshot.target.namespace, snapshot.target.name) is None:
        return not_applicable(Link.PERMISSIONS, "which calls this workload needs is not known")
    match needs(snapshot), snapshot.simulated:
        case _, NotRead():
            return not_applicable(Link.PERMISSIONS, "no role to simulate")
        case NeedsNotKnown(reason), _:
            return unknown(Link.PERMISSIONS, reason)
        case _, Unknown(reason):
            return unknown(Link.PERMISSIONS, reason)
        case ReleaseNeeds() as found, Mapping() as simulation:
            return _simulated(snapshot, found, allowed_by(simulation))


def _simulated(snapshot: Snapshot, found: ReleaseNeeds, allowed: Mapping[str, bool | None]) -> Finding:
    refused = [need for need in lacking(found, allowed) if need.effect is not Effect.SURVIVED]
    if refused:
        return missing_permissions(snapshot, tuple(need.call for need in refused))
    release = f"{found.addon} {release_text(found.release)}"
    if missing := unproven(found, allowed):
        total, allowed_count = len(found.required), len(found.required) - len(missing)
        share = f"{allowed_count} of {total} calls that {release} needs {'is' if allowed_count == 1 else 'are'} shown to be allowed"
        return unknown(Link.PERMISSIONS, f"{share}; not known: {_listed(missing)}")
    if found.extrapolated:
        newest = release_text(ADDON_NEEDS[found.addon].read_until)
        return unknown(
            Link.PERMISSIONS,
            f"the calls of {newest} are allowed; which calls {found.addon} {release_text(found.release)} needs is not known",
        )
    return ok(Link.PERMISSIONS, f"all {len(found.required)} calls that {release} needs are allowed")


def unproven_calls(snapshot: Snapshot) -> tuple[str, ...]:
    """The calls that the release needs and that are not shown to be allowed or refused, sorted; empty where its needs are not known."""
    found = needs(snapshot)
    allowed = allowed_by(snapshot.simulated) if isinstance(snapshot.simulated, Mapping) else {}
    return unproven(found, allowed) if isinstance(found, ReleaseNeeds) else ()


def later_calls(snapshot: Snapshot, calls: Iterable[str]) -> tuple[str, ...]:
    """Those of the calls that a pod does not make at its start, so that a pod that runs shows nothing about them."""
    found = needs(snapshot)
    records = (found.of(call) for call in calls) if isinstance(found, ReleaseNeeds) else ()
    return tuple(record.call for record in records if record and record.phase is not Phase.START)


def missing_permissions(snapshot: Snapshot, calls: Sequence[str], link: Link = Link.PERMISSIONS) -> Finding:
    """The role does not allow these calls: what the refusal does to this release, and everything that has to be changed.

    Args:
        calls: refused calls that the release needs, the most severe first.
    """
    name = role_name(snapshot.effective_role or "the role")
    found = needs(snapshot)
    records = _records(found, calls)
    fatal = tuple(need.call for need in records if need.effect is Effect.FATAL)
    is_simulated_as_allowed = set(_by_cause(snapshot, tuple(calls))) == {RefusalCause.NOT_SIMULATED}
    allowed = f", whose policies allow {'it' if len(calls) == 1 else 'them'}"
    refused = f"AWS refused {_listed(calls)} to {name}{allowed}" if is_simulated_as_allowed else f"{name} may not call {_listed(calls)}"
    return broken(
        link,
        Verdict.PERMISSIONS_MISSING,
        f"{refused}{_effect(found, calls, fatal)}.{_risk(snapshot, link, calls, fatal)}",
        *(Evidence(f"role {name}", "action", f"{call} refused") for call in calls),
        severity=identity_severity(snapshot) if records and not fatal else Severity.CRITICAL,
        remedies=tuple(_remedies(snapshot, name, tuple(calls))),
    )


def _records(found: ReleaseNeeds | NeedsNotKnown, calls: Sequence[str]) -> tuple[CallNeed, ...]:
    return tuple(need for call in calls if (need := found.of(call))) if isinstance(found, ReleaseNeeds) else ()


def _listed(calls: Sequence[str]) -> str:
    return ", ".join(calls[:MOST_CALLS]) + (" …" if len(calls) > MOST_CALLS else "")


def _effect(found: ReleaseNeeds | NeedsNotKnown, calls: Sequence[str], fatal: Sequence[str]) -> str:
    if isinstance(found, NeedsNotKnown):
        return f"; {found.reason}"
    release = f"{found.addon} {release_text(found.release)}"
    if not fatal:
        return f", which {release} needs"
    pronoun = "it" if len(calls) == 1 else "them" if len(fatal) == len(calls) else _listed(fatal)
    return f", and {release} does not start without {pronoun}"


def _risk(snapshot: Snapshot, link: Link, calls: Sequence[str], fatal: Sequence[str]) -> str:
    """Why the role is not set where pods work without it, as a further sentence."""
    working = sum(pod.ready and pod.role_arn is None for pod in stale_pods(snapshot))
    if link is not Link.PERMISSIONS or not working:
        return ""
    loss = "start" if fatal else f"make {'this call' if len(calls) == 1 else 'these calls'}"
    running = f"{pluralize(working, 'pod runs', 'pods run')} on the node role now and would not {loss} with this role"
    return f" {running}, so the remediator does not set it."


def _remedies(snapshot: Snapshot, role: str, calls: tuple[str, ...]) -> Iterator[Remedy]:
    by_cause = _by_cause(snapshot, calls)
    for cause, (refused, policies) in by_cause.items():
        yield from _changes(snapshot, role, cause, refused, policies)
    if "ec2:AssignIpv6Addresses" in calls:
        yield Remedy(
            "then restart aws-node: it does not ask for its IPv6 prefix again", "kubectl -n kube-system rollout restart ds/aws-node"
        )
    yield from _other_release(snapshot, calls)


def _by_cause(snapshot: Snapshot, calls: tuple[str, ...]) -> dict[RefusalCause, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Cause -> (calls, names of the policies that refuse them)."""
    simulation = snapshot.simulated if isinstance(snapshot.simulated, Mapping) else {}
    refused: defaultdict[RefusalCause, list[str]] = defaultdict(list)
    policies: defaultdict[RefusalCause, dict[str, None]] = defaultdict(dict)
    for call in calls:
        decision = simulation.get(call)
        is_allowed = decision is not None and decision.allowed is True
        cause = RefusalCause.NOT_SIMULATED if is_allowed else (decision.cause if decision else None) or RefusalCause.NO_STATEMENT
        refused[cause].append(call)
        policies[cause] |= dict.fromkeys(decision.policies if decision else ())
    return {cause: (tuple(refused[cause]), tuple(policies[cause])) for cause in RefusalCause if cause in refused}


def _changes(snapshot: Snapshot, role: str, cause: RefusalCause, calls: tuple[str, ...], policies: tuple[str, ...]) -> Iterator[Remedy]:
    match cause:
        case RefusalCause.NO_STATEMENT:
            yield from _allow(snapshot, role, calls)
        case RefusalCause.EXPLICIT_DENY:
            where = f"the policy {', '.join(policies)}" if policies else "a policy"
            yield Remedy(f"remove the Deny of {', '.join(calls)} from {where} of {role}; attaching another policy does not help")
        case RefusalCause.PERMISSIONS_BOUNDARY:
            yield Remedy(
                f"allow {', '.join(calls)} in the permissions boundary of {role}; attaching a policy does not help. To see the boundary",
                f"aws iam get-role --role-name {quote(role)} --query Role.PermissionsBoundary",
            )
        case RefusalCause.ORGANIZATION:
            yield Remedy(
                f"ask the administrators of the AWS organization to allow {', '.join(calls)}: "
                "a service control policy refuses it, and no policy of the role overrides that"
            )
        case RefusalCause.NOT_SIMULATED:
            yield Remedy(
                f"the policies of {role} allow {', '.join(calls)} now. If they were changed after the refusal, it is outdated. Otherwise "
                "check what no simulation reads: the policies of VPC endpoints and the resource control policies of the organization"
            )


def _allow(snapshot: Snapshot, role: str, calls: tuple[str, ...]) -> Iterator[Remedy]:
    """One change that allows everything that is missing: AWS's managed policy where it suffices, else one policy document."""
    found = needs(snapshot)
    addon = ADDON_NEEDS[found.addon] if isinstance(found, ReleaseNeeds) else None
    policy = addon.managed_policy if addon else ""
    newest = newest_policy(policy)
    is_version_known = snapshot.partition == COMMERCIAL
    if isinstance(found, ReleaseNeeds) and newest and is_version_known and not policy_gap(policy, found):
        arn = f"arn:{snapshot.partition}:iam::aws:policy/{policy}"
        newest_only = only_newest(policy, found)
        since = f" since version {newest_only.version} of {newest_only.date}" if newest_only else ""
        yield Remedy(
            f"attach {newest.policy}, which grants the calls{since}",
            f"aws iam attach-role-policy --role-name {quote(role)} --policy-arn {quote(arn)}",
        )
        return
    text = "allow the calls in a policy of the role"
    gap = policy_gap(policy, found) if isinstance(found, ReleaseNeeds) and is_version_known else ()
    if isinstance(found, ReleaseNeeds) and newest and (gap := tuple(call for call in gap if call in calls)):
        release = release_text(found.release)
        does_not_suffice = f"{newest.policy} v{newest.version} does not suffice for {release}: it does not allow {', '.join(gap)}"
        text = f"{does_not_suffice}. Allow the calls in another policy"
    document = policy_document(_whole(snapshot, found, calls), snapshot.partition)
    name = f"{addon.addon}-calls" if addon else "missing-calls"
    yield Remedy(text, put_role_policy(role, name, document))


def _whole(snapshot: Snapshot, found: ReleaseNeeds | NeedsNotKnown, calls: tuple[str, ...]) -> tuple[str, ...]:
    """The calls to allow. Where nothing was simulated, the role may lack more than was reported, so these are all calls of the release."""
    if isinstance(found, NeedsNotKnown):
        return calls
    if not isinstance(snapshot.simulated, Mapping):
        return tuple({*calls, *(need.call for need in found.calls)})
    simulation, allowed = snapshot.simulated, allowed_by(snapshot.simulated)
    return tuple({*calls, *(need.call for need in lacking(found, allowed) if simulation[need.call].cause is RefusalCause.NO_STATEMENT)})


def _other_release(snapshot: Snapshot, calls: tuple[str, ...]) -> Iterator[Remedy]:
    """Another release, where a known-bad one is installed and the call is its fault."""
    version = installed_version(snapshot)
    bad = known_bad(snapshot, version)
    fixed = fixing_release(bad) if bad else None
    if bad and fixed and bad.call in calls:
        yield Remedy(f"or update {bad.addon} from {version} to {release_text(fixed)} or newer, which does not need {bad.call}")
