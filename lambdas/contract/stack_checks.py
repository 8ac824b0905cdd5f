"""The checks of `irsa-remediator verify`, declared once: id, title, what the check shows, and the next step where it fails.

`docs/troubleshooting.md` has one section for each id. The functions make the checks of `FUNCTION_CHECKS`, the command line makes the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CheckId(StrEnum):
    """The name of a check. It is printed, and scripts filter by it."""

    FUNCTION_ANSWERS = "function-answers"
    FUNCTION_VERSION = "function-version"
    BYTE_CODE = "byte-code"
    PARAMETERS_READABLE = "parameters-readable"
    TABLE_READABLE = "table-readable"
    DURABLE_EXECUTION = "durable-execution"
    CLUSTER_DESCRIBED = "cluster-described"
    CLUSTER_DNS = "cluster-dns"
    CLUSTER_TCP = "cluster-tcp"
    CLUSTER_TLS = "cluster-tls"
    CLUSTER_LOGIN = "cluster-login"
    CLUSTER_RBAC = "cluster-rbac"
    ADMISSION_POLICIES = "admission-policies"
    BOUND_ROLES_READABLE = "bound-roles-readable"
    EVENT_RULES = "event-rules"
    EVENT_PATTERNS = "event-patterns"
    EVENT_ROUND_TRIP = "event-round-trip"
    SWEEP_SCHEDULE = "sweep-schedule"
    CLOUDTRAIL = "cloudtrail"
    AUDIT_LOG = "audit-log"
    NODE_ALARM = "node-alarm"
    SUBSCRIPTIONS = "subscriptions"
    CHAT = "chat"
    NOTIFICATION_KEY = "notification-key"
    TEST_MESSAGE = "test-message"
    PASS_ROLE = "pass-role"  # noqa: S105  # the name of an IAM action
    UPDATE_ADDON = "update-addon"
    BINDINGS = "bindings"
    SETTINGS = "settings"
    ALARMS = "alarms"
    DEAD_LETTERS = "dead-letters"
    ENVIRONMENT_SIZE = "environment-size"
    CONCURRENCY = "concurrency"


class Group(StrEnum):
    """The heading under which checks are printed."""

    FUNCTIONS = "Functions"
    CLUSTERS = "Clusters"
    EVENTS = "Events"
    NOTIFICATIONS = "Notifications"
    PERMISSIONS = "Permissions"
    CONFIGURATION = "Configuration"
    OPERATION = "Operation"


@dataclass(frozen=True, kw_only=True)
class StackCheck:
    """One check. `next_step` is what to do where it is refuted; `{cluster}` in it is replaced by the cluster."""

    group: Group
    title: str
    shows: str
    next_step: str
    is_optional: bool = False
    """Whether the stack works without it. Then a feature that is off is no failure."""


STACK_CHECKS: Final[Mapping[CheckId, StackCheck]] = {
    CheckId.FUNCTION_ANSWERS: StackCheck(
        group=Group.FUNCTIONS,
        title="the function answers",
        shows="Lambda runs the deployed code with its environment variables",
        next_step="read the newest log events of the function, then deploy again with `make deploy`",
    ),
    CheckId.FUNCTION_VERSION: StackCheck(
        group=Group.FUNCTIONS,
        title="the release is that of this command",
        shows="function and command line share one contract, so that the other checks compare like with like",
        next_step="deploy this release with `make deploy`, or run the `irsa-remediator` of the deployed one",
    ),
    CheckId.BYTE_CODE: StackCheck(
        group=Group.FUNCTIONS,
        title="the code is compiled",
        shows="a cold start does not compile the code, which would take two to three times as long",
        next_step="install the functions' Python version where the stack is synthesized, then run `make deploy`",
    ),
    CheckId.PARAMETERS_READABLE: StackCheck(
        group=Group.FUNCTIONS,
        title="the function reads bindings and settings",
        shows="the function reaches Parameter Store and may read its path",
        next_step="in a VPC, add the interface endpoint `ssm` (docs/network.md); else deploy again to restore the function's role",
    ),
    CheckId.TABLE_READABLE: StackCheck(
        group=Group.FUNCTIONS,
        title="the function reads the incidents table",
        shows="the function reaches DynamoDB and may read the table",
        next_step="in a VPC, add the gateway endpoint `dynamodb` (docs/network.md); else deploy again to restore the function's role",
    ),
    CheckId.DURABLE_EXECUTION: StackCheck(
        group=Group.FUNCTIONS,
        title="an execution checkpoints, waits, resumes and takes a callback",
        shows="a repair survives the end of its invocation, and an approval reaches it",
        next_step="read the execution's history with `aws lambda get-durable-execution-history`; in a VPC, add the endpoint `lambda`",
    ),
    CheckId.CLUSTER_DESCRIBED: StackCheck(
        group=Group.CLUSTERS,
        title="the function describes the cluster",
        shows="the function reaches EKS, and the cluster exists with endpoint and certificate authority",
        next_step="correct the name in deploy.yaml or in the binding; in a VPC, add the interface endpoint `eks` (docs/network.md)",
    ),
    CheckId.CLUSTER_DNS: StackCheck(
        group=Group.CLUSTERS,
        title="the endpoint's name resolves",
        shows="the function's network resolves the name of the API server",
        next_step="enable DNS hostnames and DNS support in the VPC of the function (docs/network.md)",
    ),
    CheckId.CLUSTER_TCP: StackCheck(
        group=Group.CLUSTERS,
        title="the API server accepts a connection",
        shows="routes and security groups let the function reach the API server",
        next_step="allow the function's security group in that of the cluster, or its address in the public access CIDRs (docs/network.md)",
    ),
    CheckId.CLUSTER_TLS: StackCheck(
        group=Group.CLUSTERS,
        title="the certificate is signed by the cluster's authority",
        shows="the server is the one that EKS describes, and no proxy intercepts the connection",
        next_step="remove a proxy that intercepts TLS; where the authority was rotated, run the command again in some minutes",
    ),
    CheckId.CLUSTER_LOGIN: StackCheck(
        group=Group.CLUSTERS,
        title="the function logs in with its group",
        shows="the access entry, or the line in aws-auth, maps the function's role to its Kubernetes group",
        next_step="run `irsa-remediator access --cluster {cluster} --apply`",
    ),
    CheckId.CLUSTER_RBAC: StackCheck(
        group=Group.CLUSTERS,
        title="RBAC allows every verb of the contract",
        shows="the API server itself allows each call that a check or a repair makes",
        next_step="run `irsa-remediator access --cluster {cluster} --apply`",
    ),
    CheckId.ADMISSION_POLICIES: StackCheck(
        group=Group.CLUSTERS,
        title="the admission policies are present and current",
        shows="the cluster limits the remediator to the changes that it makes",
        next_step="run `irsa-remediator access --cluster {cluster} --apply`",
    ),
    CheckId.BOUND_ROLES_READABLE: StackCheck(
        group=Group.CLUSTERS,
        title="the function reads the bound roles",
        shows="the function may call iam:GetRole on the role of each binding and reaches IAM",
        next_step="add the role to `bound_roles` in deploy.yaml; in a VPC, see IAM in docs/network.md",
    ),
    CheckId.EVENT_RULES: StackCheck(
        group=Group.EVENTS,
        title="every rule is enabled with the contract's pattern",
        shows="EventBridge sends each kind of event to the checker",
        next_step="deploy again with `make deploy`, or enable the rule with `aws events enable-rule`",
    ),
    CheckId.EVENT_PATTERNS: StackCheck(
        group=Group.EVENTS,
        title="every deployed pattern matches its recorded event",
        shows="EventBridge's own matcher accepts an event of each kind",
        next_step="deploy again with `make deploy`",
    ),
    CheckId.EVENT_ROUND_TRIP: StackCheck(
        group=Group.EVENTS,
        title="an event reaches the table",
        shows="bus, rule, permission, checker and table work together; the time is that of the way",
        next_step="read the dead-letter queues and the log of the checker; where `event_publishers` is set, add your role",
    ),
    CheckId.SWEEP_SCHEDULE: StackCheck(
        group=Group.EVENTS,
        title="the schedule is enabled and the last sweep is recent",
        shows="drift without an event is found within five minutes",
        next_step="enable the rule with `aws events enable-rule`; if it is enabled, read the log of the checker",
    ),
    CheckId.CLOUDTRAIL: StackCheck(
        group=Group.EVENTS,
        title="a trail logs management events",
        shows="calls of the EKS API arrive as events",
        next_step="create a trail for management events; without one the sweep finds changes within five minutes",
        is_optional=True,
    ),
    CheckId.AUDIT_LOG: StackCheck(
        group=Group.CLUSTERS,
        title="the node watcher subscribes to the audit log",
        shows="changes of a ServiceAccount and silent nodes are reported within seconds",
        next_step="set `audit_log: true` for the cluster in deploy.yaml",
        is_optional=True,
    ),
    CheckId.NODE_ALARM: StackCheck(
        group=Group.CLUSTERS,
        title="an alarm counts failed nodes",
        shows="nodes that are not Ready are reported within minutes",
        next_step="set `container_insights: enhanced` for the cluster in deploy.yaml",
        is_optional=True,
    ),
    CheckId.SUBSCRIPTIONS: StackCheck(
        group=Group.NOTIFICATIONS,
        title="a person receives notifications",
        shows="the topics have subscriptions, and each of them is confirmed",
        next_step="confirm the subscription with the link in its mail, or subscribe: `notify` in deploy.yaml",
    ),
    CheckId.CHAT: StackCheck(
        group=Group.NOTIFICATIONS,
        title="a chat channel is subscribed",
        shows="Amazon Q Developer has subscribed a channel to the chat topic",
        next_step="set `notify.slack` or `notify.teams` in deploy.yaml, or add the chat topic to the channel's configuration",
        is_optional=True,
    ),
    CheckId.NOTIFICATION_KEY: StackCheck(
        group=Group.NOTIFICATIONS,
        title="the key of the topics is enabled",
        shows="SNS can encrypt what the remediator publishes",
        next_step="enable the key with `aws kms enable-key`, or cancel its deletion",
    ),
    CheckId.TEST_MESSAGE: StackCheck(
        group=Group.NOTIFICATIONS,
        title="SNS accepts a test message",
        shows="the topics accept a message; whether it arrives, its receivers see",
        next_step="read the topic's policy and its key; a person needs sns:Publish for this check",
    ),
    CheckId.PASS_ROLE: StackCheck(
        group=Group.PERMISSIONS,
        title="the remediator may pass each bound role to EKS",
        shows="the policy simulator allows iam:PassRole with iam:PassedToService; only an update of an add-on proves the condition",
        next_step="add the role to `bound_roles` in deploy.yaml and run `make deploy`; read the boundary and the organization's policies",
    ),
    CheckId.UPDATE_ADDON: StackCheck(
        group=Group.PERMISSIONS,
        title="the remediator may update the add-ons",
        shows="the policy simulator allows eks:UpdateAddon on the add-on of each bound ServiceAccount",
        next_step="deploy again with `make deploy`; read the boundary and the organization's policies",
    ),
    CheckId.BINDINGS: StackCheck(
        group=Group.CONFIGURATION,
        title="every binding is valid",
        shows="each binding names an existing role for a ServiceAccount of an existing cluster",
        next_step="list the problems with `irsa-remediator bindings validate`",
    ),
    CheckId.SETTINGS: StackCheck(
        group=Group.CONFIGURATION,
        title="every setting is valid",
        shows="each setting exists and its value is in range",
        next_step="list the problems with `irsa-remediator settings validate`",
    ),
    CheckId.ALARMS: StackCheck(
        group=Group.OPERATION,
        title="no alarm of the stack is on",
        shows="the remediator's own alarms are in state OK",
        next_step="read the alarm's description: it names the cause and the next step",
    ),
    CheckId.DEAD_LETTERS: StackCheck(
        group=Group.OPERATION,
        title="the dead-letter queues are empty",
        shows="no event and no incident was given up",
        next_step="read the messages and send them again: section Operation of docs/deploy.md",
    ),
    CheckId.ENVIRONMENT_SIZE: StackCheck(
        group=Group.OPERATION,
        title="the environment variables are below the limit",
        shows="one more cluster or role in deploy.yaml still fits into the variables of a function",
        next_step="use a path of roles in `bound_roles`, or divide the clusters among environments",
    ),
    CheckId.CONCURRENCY: StackCheck(
        group=Group.OPERATION,
        title="executions are left in the account",
        shows="the account's unreserved concurrency leaves room for the functions",
        next_step="request a higher quota of concurrent executions, or reserve some for the functions: `concurrency` in deploy.yaml",
    ),
}

CLUSTER_LADDER: Final = (
    CheckId.CLUSTER_DESCRIBED,
    CheckId.CLUSTER_DNS,
    CheckId.CLUSTER_TCP,
    CheckId.CLUSTER_TLS,
    CheckId.CLUSTER_LOGIN,
    CheckId.CLUSTER_RBAC,
)
"""Checks that rest on each other. After the first failure the rest is not known."""
FUNCTION_CHECKS: Final = (
    CheckId.BYTE_CODE,
    CheckId.PARAMETERS_READABLE,
    CheckId.TABLE_READABLE,
    *CLUSTER_LADDER,
    CheckId.BOUND_ROLES_READABLE,
)
"""Checks that a function answers in its self-test."""
TROUBLESHOOTING: Final = "docs/troubleshooting.md"


def anchor(check: CheckId) -> str:
    """The section of the documentation about a check."""
    return f"{TROUBLESHOOTING}#{check}"
