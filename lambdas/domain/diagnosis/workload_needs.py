"""The AWS calls that the workload of a snapshot needs: by its release and its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.contract.call_needs import FEATURE_VARIABLES, VPC_CNI, AddonNeeds, BadRelease, Effect, Feature
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import known
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds, bad_release, fixing_release, needs_of, parse_release, release_text
from lambdas.domain.snapshot.snapshot import AddonFacts, ClusterFacts, ContainerFacts, PluginError, Snapshot, WorkloadFacts

_FAMILIES: Final = {"ipv4": Feature.IPV4, "ipv6": Feature.IPV6}


@dataclass(frozen=True)
class NeedsNotKnown:
    """Which calls the workload needs is not known. `reason` is a sentence without a period."""

    reason: str


def calls_to_simulate(target: ServiceAccountRef) -> tuple[str, ...]:
    """Each call that any release of the workload makes and that a simulation can answer, sorted. Empty for an unknown workload.

    The release decides which of them count. It may be read later than the simulation, and the target of an upgrade needs others.
    """
    workload = known(target.namespace, target.name)
    return tuple(sorted({need.call for need in workload.needs.calls if need.simulated})) if workload else ()


def needs(snapshot: Snapshot) -> ReleaseNeeds | NeedsNotKnown:
    """The calls that the installed release needs."""
    return needs_of_version(snapshot, installed_version(snapshot))


def needs_of_version(snapshot: Snapshot, version: str) -> ReleaseNeeds | NeedsNotKnown:
    """The calls that a release would need in this cluster, such as the target of an upgrade."""
    addon = _addon(snapshot)
    if addon is None:
        return NeedsNotKnown("which calls this workload needs is not known")
    if parse_release(version) is None:
        return NeedsNotKnown(f"the version of {addon.addon} is not known, so which calls it needs is not known")
    features = _features(snapshot, addon)
    found = needs_of(addon.addon, version, features) if features is not None else None
    return found or NeedsNotKnown("the IP family of the cluster is not known, so which calls the release needs is not known")


def installed_version(snapshot: Snapshot) -> str:
    """The version in the add-on record, else the tag of the image. Empty where neither names a release."""
    if isinstance(snapshot.addon, AddonFacts) and parse_release(snapshot.addon.version):
        return snapshot.addon.version
    container = _container(snapshot)
    tag = container.image.partition("@")[0].rpartition("/")[2].partition(":")[2] if container else ""
    return tag if parse_release(tag) else ""


def known_bad(snapshot: Snapshot, version: str) -> BadRelease | None:
    """Why a release is to be avoided in this cluster; None where nothing is known against it."""
    addon = _addon(snapshot)
    features = _features(snapshot, addon) if addon else None
    return bad_release(addon.addon, version, features) if addon and features is not None else None


def release_warning(snapshot: Snapshot, version: str) -> str:
    """Why not to run this release in this cluster, as a sentence without a period. Empty where nothing is known against it.

    A release that needs an uncommon call is fine where the simulation shows that the role allows the call.
    """
    bad = known_bad(snapshot, version)
    decision = snapshot.simulated.get(bad.call) if bad and isinstance(snapshot.simulated, Mapping) else None
    if bad is None or (decision is not None and decision.allowed):
        return ""
    fixed = fixing_release(bad)
    instead = f"; use {release_text(fixed)} or newer" if fixed else ""
    return f"{bad.addon} {version} is known to fail: {bad.reason}{instead}"


def undecided_bad_release(snapshot: Snapshot) -> BadRelease | None:
    """Why the installed release may not start with the role: it needs an uncommon call that is not shown to be allowed or refused."""
    bad = known_bad(snapshot, installed_version(snapshot))
    decision = snapshot.simulated.get(bad.call) if bad and isinstance(snapshot.simulated, Mapping) else None
    return bad if bad and bad.call and (decision is None or decision.allowed is None) else None


def _addon(snapshot: Snapshot) -> AddonNeeds | None:
    workload = known(snapshot.target.namespace, snapshot.target.name)
    return workload.needs if workload else None


def _features(snapshot: Snapshot, addon: AddonNeeds) -> frozenset[Feature] | None:
    """The configuration of the workload. None where the IP family decides and is not known."""
    if addon.addon != VPC_CNI.addon:
        return frozenset()
    if not isinstance(snapshot.cluster, ClusterFacts) or snapshot.cluster.ip_family not in _FAMILIES:
        return None
    container = _container(snapshot)
    variables = container.environment if container else {}
    switched_on = {feature for name, (value, feature) in FEATURE_VARIABLES.items() if _truth(variables.get(name, "")) == value}
    return frozenset({_FAMILIES[snapshot.cluster.ip_family], *switched_on})


def _truth(value: str) -> str:
    """`true` or `false` as the plug-in reads a variable, or another text, for which it takes its default.

    Source: https://pkg.go.dev/strconv#ParseBool
    """
    return {"1": "true", "t": "true", "0": "false", "f": "false"}.get(value.lower(), value.lower())


def _container(snapshot: Snapshot) -> ContainerFacts | None:
    addon = _addon(snapshot)
    containers = snapshot.workload.containers if addon and isinstance(snapshot.workload, WorkloadFacts) else ()
    return next((container for container in containers if addon and container.name == addon.container), None)


def survives(snapshot: Snapshot, call: str) -> bool:
    """Whether it is shown that the installed release does all of its work without this call."""
    found = needs(snapshot)
    need = found.of(call) if isinstance(found, ReleaseNeeds) else None
    return need is not None and need.effect is Effect.SURVIVED


def harmful_errors(snapshot: Snapshot) -> tuple[PluginError, ...]:
    """The permission errors that the plug-in reported, without those of calls that its release does without."""
    errors = snapshot.permission_errors if isinstance(snapshot.permission_errors, tuple) else ()
    harmless = {call for call in {error.call for error in errors} if survives(snapshot, call)}
    return tuple(error for error in errors if error.call not in harmless)
