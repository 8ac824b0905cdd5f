"""The deployment configuration: every key with its meaning and its allowed values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.configuration_schema import (
    InvalidConfiguration,
    Problem,
    choice,
    declare,
    integer,
    mapping,
    parse_mapping,
    sequence,
    string_mapping,
    text,
)
from infra.regions import partition
from lambdas.contract.environment import Function
from lambdas.contract.events import DIGEST_AT
from lambdas.contract.parameters import CLUSTER_NAME
from lambdas.contract.settings import FLOOR_NAMES, InvalidValue, parse_floor

_ROLE: Final = r"arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]+\*?|/([\w+=,.@-]+/)+"
_ROLE_ARN: Final = r"arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]+"
_POLICY: Final = r"arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+"
_KEY: Final = r"arn:aws(-[a-z]+)*:kms:[a-z]+(-[a-z]+)+-\d+:\d{12}:key/[\w-]+"

_UUID: Final = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

ENHANCED: Final = "enhanced"
"""The flavour of Container Insights that sends `cluster_failed_node_count`. The OpenTelemetry flavour has the names of open-source metrics.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/container-insights-otel-metrics.html
"""

_name = text(r"[a-z][a-z0-9-]{0,29}", "lower-case letters, digits and hyphens, at most 30, starting with a letter")
_cluster = text(CLUSTER_NAME.pattern.removesuffix(r"\Z"), "the name of an EKS cluster: letters, digits, - and _, at most 100")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One EKS cluster that the remediator may access, with its own stack."""

    name: str = declare(_cluster, "the cluster's name")
    authentication_mode: str = declare(
        choice("API", "API_AND_CONFIG_MAP", "CONFIG_MAP"),
        "the cluster's mode; CONFIG_MAP does not support access entries, so the stack outputs lines for aws-auth",
        default="API_AND_CONFIG_MAP",
    )
    access_entries: bool = declare(
        choice(True, False), "create the access entries; false where Terraform or eksctl creates them", default=True
    )
    container_insights: str | bool = declare(
        choice(ENHANCED, False),
        "create the alarm on failed nodes, whose metric only enhanced Container Insights sends; docs/events has one for OpenTelemetry",
        default=False,
    )
    audit_log: bool = declare(choice(True, False), "subscribe the node watcher to the audit log, which must be enabled", default=False)

    @property
    def takes_entries(self) -> bool:
        """Whether the stack creates access entries for this cluster."""
        return self.access_entries and self.authentication_mode != "CONFIG_MAP"


@dataclass(frozen=True, kw_only=True)
class Network:
    """VPC of the functions, for private cluster endpoints. `docs/network.md` lists the required routes."""

    vpc: str = declare(text(r"vpc-[0-9a-f]{8,17}", "the id of a VPC"), "the id of a VPC")
    subnets: tuple[str, ...] = declare(
        sequence(text(r"subnet-[0-9a-f]{8,17}", "the id of a subnet")), "private subnets, in two zones or more"
    )
    security_groups: tuple[str, ...] = declare(
        sequence(text(r"sg-[0-9a-f]{8,17}", "the id of a security group")), "security groups of the functions"
    )


@dataclass(frozen=True, kw_only=True)
class Slack:
    """A Slack channel. Its workspace is authorized once in the console."""

    workspace: str = declare(text(r"[0-9A-Z]{1,255}", "a Slack workspace id such as T07EA123LEP"), "the workspace's id")
    channel: str = declare(text(r"[A-Za-z0-9]{1,255}", "a Slack channel id such as C07EZ1ABC23"), "the channel's id")


@dataclass(frozen=True, kw_only=True)
class Teams:
    """A Microsoft Teams channel. Its tenant is authorized once in the console."""

    team: str = declare(text(_UUID, "the team's id, a UUID"), "the team's id")
    tenant: str = declare(text(_UUID, "the tenant's id, a UUID"), "the tenant's id")
    channel: str = declare(
        text(r"19%3[aA][\w%.=+-]{1,240}", "the URL-encoded id of a channel: 19%3a...%40thread.tacv2"), "the channel's id"
    )


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Recipients of notifications. Mail and HTTPS subscribe to the people topic, chat to the chat topic."""

    mail: tuple[str, ...] = declare(sequence(text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address")), "mail addresses", default=())
    https: tuple[str, ...] = declare(
        sequence(text(r"https://[^\s]+", "an https address")), "HTTPS endpoints, such as a pager's", default=()
    )
    slack: Slack | None = declare(mapping(Slack), "a channel whose configuration this stack creates", default=None)
    teams: Teams | None = declare(mapping(Teams), "a channel whose configuration this stack creates", default=None)
    digest_at: str = declare(
        text(r"([01]\d|2[0-3]):[0-5]\d", 'a time of day in UTC, in quotation marks, such as "07:00"'),
        "when the daily digest is sent, for clusters whose setting `digest` is `daily`",
        default=DIGEST_AT,
    )
    chat_home: str | None = declare(_name, "the environment whose stack creates the channel's configuration", default=None)

    @property
    def has_subscriber(self) -> bool:
        """Whether anyone receives notifications."""
        return bool(self.mail or self.https or self.slack or self.teams or self.chat_home)


def _region(raw: object, where: str) -> str:
    if not isinstance(raw, str) or partition(raw) is None:
        raise InvalidConfiguration(Problem(where, raw, "a region that the installed botocore knows, such as eu-west-1"))
    return raw


@dataclass(frozen=True, kw_only=True)
class _Caps:
    checker: int | None = declare(integer(1, 1000), "concurrent executions", default=None)
    remediator: int | None = declare(integer(1, 1000), "concurrent executions", default=None)
    node_watcher: int | None = declare(integer(1, 1000), "concurrent executions", default=None)


def _concurrency(raw: object, where: str) -> tuple[tuple[Function, int], ...]:
    caps = parse_mapping(_Caps, raw, where)
    reserved = ((function, getattr(caps, function.value)) for function in Function)
    return tuple((function, cap) for function, cap in reserved if cap is not None)


def _floor(raw: object, where: str) -> tuple[tuple[str, str], ...]:
    names = "a mapping of " + ", ".join(FLOOR_NAMES)
    if not isinstance(raw, Mapping):
        raise InvalidConfiguration(Problem(where, raw, names))
    problems = []
    for name, value in raw.items():
        try:
            parse_floor(f"{name}={value}")
        except InvalidValue as error:
            problems.append(Problem(f"{where}.{name}", value, str(error)))
    if problems:
        raise InvalidConfiguration(*problems)
    return tuple(sorted((str(name), str(value)) for name, value in raw.items()))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One stack: an account and region, or one VPC of it."""

    name: str = declare(_name, "suffix of the stack's name", default="")
    account: str | None = declare(text(r"\d{12}", "twelve digits, in quotation marks"), "the account", default=None)
    region: str | None = declare(_region, "the region", default=None)
    clusters: tuple[Cluster, ...] = declare(sequence(mapping(Cluster)), "the clusters that the remediator may access", default=())
    bound_roles: tuple[str, ...] = declare(
        sequence(text(_ROLE, "a role's ARN, an ARN that ends in *, or a path such as /eks/")),
        "roles that bindings may name; the remediator writes no other role. A role of another account has to be listed",
        default=(),
    )
    settings_floor: tuple[tuple[str, str], ...] = declare(
        _floor, "the least strict settings that parameters can choose, such as {mode: approve, cooldown_s: 600}", default=()
    )
    simulation: bool = declare(
        choice(True, False), "check the permissions of bound roles with iam:SimulatePrincipalPolicy, which only reads", default=True
    )
    event_history: bool = declare(
        choice(True, False), "look for refusals of STS with cloudtrail:LookupEvents, which only reads, but has no resource", default=False
    )
    network: Network | None = declare(mapping(Network), "run the functions in this VPC", default=None)
    notify: Notify = declare(mapping(Notify), "recipients of notifications", default=Notify())
    key: str | None = declare(
        text(_KEY, "a KMS key's ARN"), "your key for topics, queues, incidents, logs, variables and the state of repairs", default=None
    )
    log_retention_days: int = declare(choice(*LOG_DAYS), "log retention (days)", default=90)
    permissions_boundary: str | None = declare(text(_POLICY, "a managed policy's ARN"), "the boundary of every role", default=None)
    tags: tuple[tuple[str, str], ...] = declare(
        string_mapping(r"(?!aws:)[\w .:/=+@-]{1,128}", "tag keys of at most 128 characters that do not start with aws:"),
        "tags of every resource",
        default=(),
    )
    event_publishers: tuple[str, ...] | None = declare(
        sequence(text(_ROLE_ARN, "a role's ARN")),
        "roles that may send events of the remediator, besides its functions; with this key, even empty, a bus policy denies everyone else",
        default=None,
    )
    concurrency: tuple[tuple[Function, int], ...] = declare(
        _concurrency,
        "reserved concurrency by function; a new account cannot reserve concurrency",
        default=(),
    )

    @property
    def suffix(self) -> str:
        """Suffix of physical names, which distinguishes two stacks in one account and region."""
        return f"-{self.name}" if self.name else ""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The central view: one stack that takes the published events of every environment."""

    account: str = declare(text(r"\d{12}", "twelve digits, in quotation marks"), "the account of the central view")
    region: str = declare(_region, "its region")
    organization: str | None = declare(
        text(r"o-[a-z0-9]{10,32}", "the id of an organization, such as o-a1b2c3d4e5"),
        "the organization whose accounts may send events; by default the accounts of the environments",
        default=None,
    )
    mail: tuple[str, ...] = declare(
        sequence(text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address")), "recipients of the incidents of all accounts", default=()
    )


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All environments of one `cdk deploy --all`, the central view, and the bucket of the functions' packages for StackSets."""

    environments: tuple[Environment, ...] = declare(sequence(mapping(Environment)), "a list of environments", default=(Environment(),))
    hub: Hub | None = declare(mapping(Hub), "the central view of all accounts", default=None)
    assets_bucket: str | None = declare(
        text(r"[a-z0-9${}A-Z:.-]{3,80}", "the name of a bucket, with ${AWS::Region} where each region has its own"),
        "the bucket of the functions' packages, for StackSets; by default the one of `cdk bootstrap`",
        default=None,
    )
