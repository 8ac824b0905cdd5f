"""Where the functions run, how a cluster's endpoint is reached, and who reads its audit log: what AWS tells of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the functions run: ids of a VPC, of its subnets, and of the functions' security groups."""

    vpc: str
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """The endpoint of a cluster: ranges that may come from outside, whether it has an address in its VPC, and who guards that."""

    public_from: tuple[str, ...]
    private: bool
    vpc: str
    security_groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Openings:
    """Who may come in on TCP 443: security groups and address ranges. `lists` are prefix lists, whose ranges are not read."""

    groups: frozenset[str] = frozenset()
    ranges: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WayOut:
    """What leads out of the functions' subnets: `closed` are those without a default route that serves them.

    `services` have an endpoint that every subnet can use; `ranges` are the subnets' own addresses.
    """

    closed: tuple[str, ...]
    services: frozenset[str]
    ranges: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AuditLog:
    """Whether a cluster writes its audit log, whether the node watcher reads it, and how many others subscribe to its log group."""

    written: bool
    watched: bool = False
    others: int = 0
