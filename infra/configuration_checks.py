"""What cannot be true of several keys at once: two stacks for one cluster, two owners of one channel, a role of another account."""

from collections.abc import Iterable, Iterator
from itertools import combinations

from infra.configuration import Configuration, Environment
from infra.configuration_schema import Problem
from infra.regions import unsupported_reason

_LONGEST_STACK_NAME = 128  # Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html


def stack_name(environment: Environment) -> str:
    """The name of an environment's own stack."""
    return f"EksIrsaRemediator{environment.suffix}"


def cluster_stack_name(environment: Environment, cluster: str) -> str:
    """The name of a cluster's stack; stack names hold no underscore."""
    return f"{stack_name(environment)}-cluster-{cluster.replace('_', '-')}"


def find_conflicts(configuration: Configuration) -> Iterator[Problem]:
    """Every pair of keys that cannot both be meant."""
    environments = configuration.environments
    if not environments:
        yield Problem("environments", [], "at least one environment, or no such key for the current account")
    for index, item in enumerate(environments):
        yield from _within(item, f"environments[{index}]", alone=len(environments) == 1)
        yield from _chat_home(item, environments, f"environments[{index}].notify.chat_home")
    for (_, first), (index, second) in combinations(enumerate(environments), 2):
        yield from _between(first, second, f"environments[{index}]")


def _within(it: Environment, where: str, *, alone: bool) -> Iterator[Problem]:
    if not alone:
        for name, value in (("account", it.account), ("region", it.region)):
            if value is None:
                yield Problem(f"{where}.{name}", value, f"the {name} of each environment, where there are several")
    refusal = it.region and unsupported_reason(it.region)
    if refusal:
        yield Problem(f"{where}.region", it.region, refusal)
    yield from _clusters(it, where)
    yield from _arns(it, where)
    yield from _network(it, where)
    if it.notify.chat_home and (it.notify.slack or it.notify.teams):
        yield Problem(f"{where}.notify.chat_home", it.notify.chat_home, "a channel of its own or the home of another's, not both")
    if it.notify.slack and it.notify.teams:
        yield Problem(f"{where}.notify.teams", it.notify.teams.channel, "Slack or Teams, not both: each question would be asked twice")


def _clusters(it: Environment, where: str) -> Iterator[Problem]:
    for (_, first), (index, second) in combinations(enumerate(it.clusters), 2):
        key = f"{where}.clusters[{index}].name"
        if first.name == second.name:
            yield Problem(key, second.name, "each cluster once")
        elif cluster_stack_name(it, first.name) == cluster_stack_name(it, second.name):
            yield Problem(key, second.name, f"a name whose stack is not also that of {first.name}; stack names hold no underscore")
    for index, cluster in enumerate(it.clusters):
        if len(cluster_stack_name(it, cluster.name)) > _LONGEST_STACK_NAME:
            yield Problem(f"{where}.clusters[{index}].name", cluster.name, f"a stack name of at most {_LONGEST_STACK_NAME} characters")


def _arns(it: Environment, where: str) -> Iterator[Problem]:
    for index, role in enumerate(it.bound_roles):
        if role.startswith("arn:") and it.account and role.split(":")[4] != it.account:
            yield Problem(f"{where}.bound_roles[{index}]", role, f"a role of account {it.account}: IAM passes no role of another account")
    if it.key and it.region and it.key.split(":")[3] != it.region:
        yield Problem(f"{where}.key", it.key, f"a key in {it.region}")


def _network(it: Environment, where: str) -> Iterator[Problem]:
    if it.network is not None:
        for name, ids in (("subnets", it.network.subnets), ("security_groups", it.network.security_groups)):
            if not ids or len(set(ids)) != len(ids):
                yield Problem(f"{where}.network.{name}", list(ids), "at least one id, each once")


def _chat_home(it: Environment, all_of_them: Iterable[Environment], key: str) -> Iterator[Problem]:
    if it.notify.chat_home is None:
        return
    homes = [other.name for other in all_of_them if other.account == it.account and (other.notify.slack or other.notify.teams)]
    if it.notify.chat_home not in homes:
        yield Problem(
            key, it.notify.chat_home, f"an environment of the same account with a channel; there are {', '.join(homes) or 'none'}"
        )


def _between(first: Environment, second: Environment, where: str) -> Iterator[Problem]:
    if first.name == second.name:
        yield Problem(f"{where}.name", second.name, "a name of its own for each environment")
    if first.account != second.account:
        return
    for channel in ("slack", "teams"):
        mine, theirs = getattr(first.notify, channel), getattr(second.notify, channel)
        if mine and mine == theirs:
            yield Problem(
                f"{where}.notify.{channel}",
                theirs.channel,
                f"one owner: a channel takes one configuration per account; say `chat_home: {first.name}` here instead",
            )
    if first.region == second.region:
        yield from _same_place(first, second, where)


def _same_place(first: Environment, second: Environment, where: str) -> Iterator[Problem]:
    for item in (first, second):
        if not item.clusters:
            yield Problem(
                f"{where}.clusters", [], f"clusters named in {item.name!r}, since another environment shares its account and region"
            )
    for cluster in second.clusters:
        if cluster.name in {item.name for item in first.clusters}:
            yield Problem(
                f"{where}.clusters", cluster.name, f"clusters that {first.name!r} does not serve already: one stack for one cluster"
            )


def served_clusters(configuration: Configuration, environment: Environment) -> tuple[str, ...]:
    """The clusters a stack serves where another shares its account and region; empty means all of them."""
    place = (environment.account, environment.region)
    shared = [item for item in configuration.environments if (item.account, item.region) == place]
    return tuple(cluster.name for cluster in environment.clusters) if len(shared) > 1 else ()


def followers(configuration: Configuration, environment: Environment) -> tuple[Environment, ...]:
    """Environments whose chat goes through this one's channel."""
    return tuple(
        item
        for item in configuration.environments
        if environment.name and item.notify.chat_home == environment.name and item.account == environment.account
    )
