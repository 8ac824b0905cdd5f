"""Which calls an add-on release needs, and which of them a role lacks. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.contract.call_needs import (
    ADDON_NEEDS,
    BAD_RELEASES,
    MANAGED_POLICIES,
    MISNAMED_CALLS,
    BadRelease,
    CallNeed,
    Effect,
    EventDelivery,
    Feature,
    PolicyVersion,
    Release,
)

_RELEASE: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:-[\w.-]*)?")


def parse_release(version: str) -> Release | None:
    """`v1.22.1-eksbuild.1` -> `(1, 22, 1)`; None where the text is no release."""
    found = _RELEASE.fullmatch(version.strip())
    return tuple(int(part) for part in found.groups(default="0")) if found else None


@dataclass(frozen=True, kw_only=True)
class ReleaseNeeds:
    """The calls that one release makes under one configuration, one record a call.

    `extrapolated` is True where the release is newer than every release that was examined, so that its calls are not known for certain.
    """

    addon: str
    release: Release
    calls: tuple[CallNeed, ...]
    extrapolated: bool

    def with_effect(self, *effects: Effect) -> tuple[str, ...]:
        """The calls whose refusal has one of these effects, sorted."""
        return tuple(sorted(need.call for need in self.calls if need.effect in effects))

    @property
    def required(self) -> tuple[str, ...]:
        """The calls without which the release does not do all of its work, sorted."""
        return self.with_effect(Effect.FATAL, Effect.DEGRADED)

    @property
    def without_event(self) -> tuple[str, ...]:
        """The required calls whose refusal usually sends no event, sorted."""
        return tuple(
            sorted(need.call for need in self.calls if need.effect is not Effect.SURVIVED and need.event is not EventDelivery.SENT)
        )

    def of(self, call: str) -> CallNeed | None:
        """The record about a call; None where this release does not make it. Names compare without case, as IAM compares them."""
        actual = MISNAMED_CALLS.get(call, call).lower()
        return next((need for need in self.calls if need.call.lower() == actual), None)


def needs_of(addon: str, version: str, features: Iterable[Feature]) -> ReleaseNeeds | None:
    """What a release needs; None where the add-on or the version is not known.

    Args:
        addon: EKS add-on name, in any case.
        version: as DescribeAddon or an image tag gives it.
        features: the configuration that was read. Give exactly one of `Feature.IPV4` and `Feature.IPV6` for the VPC CNI.
    """
    needs, release = ADDON_NEEDS.get(addon.lower()), parse_release(version)
    if needs is None or release is None:
        return None
    configured = frozenset(features)
    chosen: dict[str, CallNeed] = {}
    for need in needs.calls:
        if _applies(need, release, configured) and _is_more_specific(need, chosen.get(need.call)):
            chosen[need.call] = need
    return ReleaseNeeds(addon=needs.addon, release=release, calls=tuple(chosen.values()), extrapolated=release > needs.read_until)


def _applies(need: CallNeed, release: Release, configured: frozenset[Feature]) -> bool:
    in_range = need.since <= release and (need.until is None or release < need.until)
    return in_range and _is_configured(need, configured)


def _is_more_specific(need: CallNeed, other: CallNeed | None) -> bool:
    return other is None or (len(need.requires), need.since) > (len(other.requires), other.since)


def lacking(needs: ReleaseNeeds, allowed: Mapping[str, bool | None]) -> tuple[CallNeed, ...]:
    """The records of calls that are shown to be refused, most severe first.

    Args:
        allowed: call -> True (shown allowed), False (shown refused) or None (not known). A call that is not in it is not known.
    """
    refused = [need for need in needs.calls if allowed.get(need.call) is False]
    return tuple(sorted(refused, key=lambda need: (_SEVERITY[need.effect], need.call)))


def unproven(needs: ReleaseNeeds, allowed: Mapping[str, bool | None]) -> tuple[str, ...]:
    """The required calls that are not shown to be allowed or refused, sorted: nothing clears the role while one is left.

    A call that no simulation can answer is one of them.
    """
    return tuple(call for call in needs.required if allowed.get(call) is None)


_SEVERITY: Final = {Effect.FATAL: 0, Effect.DEGRADED: 1, Effect.SURVIVED: 2}


def bad_release(addon: str, version: str, features: Iterable[Feature]) -> BadRelease | None:
    """The reason to avoid a release under this configuration; None where none is known."""
    release, configured = parse_release(version), frozenset(features)
    if release is None:
        return None
    return next(
        (
            bad
            for bad in BAD_RELEASES
            if bad.addon == addon.lower() and bad.since <= release < bad.fixed_in and _is_configured(bad, configured)
        ),
        None,
    )


def _is_configured(record: CallNeed | BadRelease, configured: frozenset[Feature]) -> bool:
    return record.requires <= configured and not record.unless & configured


def fixing_release(bad: BadRelease) -> Release | None:
    """The release to use instead of a bad one; None where no release that was examined fixes it."""
    return bad.fixed_in if bad.fixed_in <= ADDON_NEEDS[bad.addon].read_until else None


def release_text(release: Release) -> str:
    """`(1, 22, 2)` -> `v1.22.2`."""
    return "v" + ".".join(map(str, release))


def newest_policy(policy: str) -> PolicyVersion | None:
    """The newest known version of an AWS managed policy, by its path or name."""
    return next(reversed(_versions(policy)), None)


def only_newest(policy: str, needs: ReleaseNeeds) -> PolicyVersion | None:
    """The newest version of a managed policy, where it grants every required call and the version before it does not."""
    known, required = _versions(policy), set(needs.required)
    return known[-1] if len(known) > 1 and required <= known[-1].grants and not required <= known[-2].grants else None


def _versions(policy: str) -> list[PolicyVersion]:
    """The known versions of an AWS managed policy, by its path or name, the oldest first."""
    name = policy.rpartition("/")[2]
    return sorted((known for known in MANAGED_POLICIES if known.policy == name), key=lambda known: known.version)


def policy_gap(policy: str, needs: ReleaseNeeds) -> tuple[str, ...]:
    """The required calls that the newest version of a managed policy does not grant, sorted; empty where the policy is not known."""
    newest = newest_policy(policy)
    return tuple(call for call in needs.required if call not in newest.grants) if newest else ()
