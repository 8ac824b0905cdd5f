"""Checks across keys of the configuration, such as two stacks for one cluster or a role of another account."""

from collections.abc import Iterable, Iterator
from itertools import combinations

from infra.configuration import Configuration, Environment
from infra.configuration_schema import Problem
from infra.regions import has_chat, unsupported_reason

_LONGEST_STACK_NAME = 128  # Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html


def stack_name(environment: Environment) -> str:
    """Return the stack name of an environment."""
    return f"EksIrsaRemediator{environment.suffix}"


def cluster_stack_name(environment: Environment, cluster: str) -> str:
    """Return the stack name of a cluster. Stack names cannot contain underscores."""
    return f"{stack_name(environment)}-cluster-{cluster.replace('_', '-')}"


def find_conflicts(configuration: Configuration) -> Iterator[Problem]:
    """Yield a problem for each combination of keys that is not allowed."""
    environments = configuration.environments
    if not environments:
        yield Problem("environments", [], "at least one environment, or no `environments` key for the current account")
    for index, environment in enumerate(environments):
        yield from _within(environment, f"environments[{index}]", alone=len(environments) == 1)
        yield from _chat_home(environment, environments, f"environments[{index}].notify.chat_home")
    for (_, first), (index, second) in combinations(enumerate(environments), 2):
        yield from _between(first, second, f"environments[{index}]")
    if configuration.hub and not configuration.hub.organization and any(environment.account is None for environment in environments):
        yield Problem("hub.organization", None, "the organization, where an environment has no account")


def _within(environment: Environment, where: str, *, alone: bool) -> Iterator[Problem]:
    if not alone:
        for name, value in (("account", environment.account), ("region", environment.region)):
            if value is None:
                yield Problem(f"{where}.{name}", value, f"the {name} of each environment, if there are several")
    refusal = environment.region and unsupported_reason(environment.region)
    if refusal:
        yield Problem(f"{where}.region", environment.region, refusal)
    if environment.region and not has_chat(environment.region):
        for name, channel in (("slack", environment.notify.slack), ("teams", environment.notify.teams)):
            if channel:
                allowed = f"mail or https in {environment.region}, where AWS has no Amazon Q Developer in chat applications"
                yield Problem(f"{where}.notify.{name}", channel.channel, allowed)
    yield from _clusters(environment, where)
    yield from _key(environment, where)
    yield from _network(environment, where)
    if environment.notify.chat_home and (environment.notify.slack or environment.notify.teams):
        yield Problem(f"{where}.notify.chat_home", environment.notify.chat_home, "a channel or a chat_home, not both")
    if environment.notify.slack and environment.notify.teams:
        yield Problem(
            f"{where}.notify.teams", environment.notify.teams.channel, "Slack or Teams, not both: each approval would be requested twice"
        )


def _clusters(environment: Environment, where: str) -> Iterator[Problem]:
    for (_, first), (index, second) in combinations(enumerate(environment.clusters), 2):
        key = f"{where}.clusters[{index}].name"
        if first.name == second.name:
            yield Problem(key, second.name, "each cluster once")
        elif cluster_stack_name(environment, first.name) == cluster_stack_name(environment, second.name):
            yield Problem(key, second.name, f"a name with another stack name than {first.name}; stack names cannot contain underscores")
    for index, cluster in enumerate(environment.clusters):
        if len(cluster_stack_name(environment, cluster.name)) > _LONGEST_STACK_NAME:
            yield Problem(f"{where}.clusters[{index}].name", cluster.name, f"a stack name of at most {_LONGEST_STACK_NAME} characters")


def _key(environment: Environment, where: str) -> Iterator[Problem]:
    if environment.key and environment.region and environment.key.split(":")[3] != environment.region:
        yield Problem(f"{where}.key", environment.key, f"a key in {environment.region}")


def _network(environment: Environment, where: str) -> Iterator[Problem]:
    if environment.network is not None:
        for name, ids in (("subnets", environment.network.subnets), ("security_groups", environment.network.security_groups)):
            if not ids or len(set(ids)) != len(ids):
                yield Problem(f"{where}.network.{name}", list(ids), "at least one id, each once")


def _chat_home(environment: Environment, environments: Iterable[Environment], key: str) -> Iterator[Problem]:
    if environment.notify.chat_home is None:
        return
    homes = [other.name for other in environments if other.account == environment.account and (other.notify.slack or other.notify.teams)]
    if environment.notify.chat_home not in homes:
        yield Problem(
            key, environment.notify.chat_home, f"an environment of the same account with a channel; there are {', '.join(homes) or 'none'}"
        )


def _between(first: Environment, second: Environment, where: str) -> Iterator[Problem]:
    if first.name == second.name:
        yield Problem(f"{where}.name", second.name, "a different name for each environment")
    if first.account != second.account:
        return
    for channel in ("slack", "teams"):
        first_channel, second_channel = getattr(first.notify, channel), getattr(second.notify, channel)
        if first_channel and first_channel == second_channel:
            yield Problem(
                f"{where}.notify.{channel}",
                second_channel.channel,
                f"one configuration of a channel in each account; use `chat_home: {first.name}` here",
            )
    if first.region == second.region:
        yield from _same_place(first, second, where)


def _same_place(first: Environment, second: Environment, where: str) -> Iterator[Problem]:
    for environment in (first, second):
        if not environment.clusters:
            allowed = f"clusters named in {environment.name!r}, since another environment has the same account and region"
            yield Problem(f"{where}.clusters", [], allowed)
    for cluster in second.clusters:
        if cluster.name in {served.name for served in first.clusters}:
            yield Problem(f"{where}.clusters", cluster.name, f"clusters that {first.name!r} does not serve: one stack for one cluster")


def served_clusters(configuration: Configuration, environment: Environment) -> tuple[str, ...]:
    """Return the clusters of a stack that shares its account and region with another stack; empty means all clusters."""
    location = (environment.account, environment.region)
    shared = [other for other in configuration.environments if (other.account, other.region) == location]
    return tuple(cluster.name for cluster in environment.clusters) if len(shared) > 1 else ()


def followers(configuration: Configuration, environment: Environment) -> tuple[Environment, ...]:
    """Return the environments that use this environment's chat channel."""
    return tuple(
        other
        for other in configuration.environments
        if environment.name and other.notify.chat_home == environment.name and other.account == environment.account
    )
