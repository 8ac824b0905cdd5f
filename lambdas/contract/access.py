"""Everything the functions may do: IAM for the AWS APIs, RBAC for the Kubernetes API. No permission is written anywhere else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.environment import Function
from lambdas.contract.names import CHECKER_GROUP, EVENT_SOURCE, PROJECT, REMEDIATOR_GROUP
from lambdas.contract.workloads import AWS_NODE, WorkloadKind, known


class Target(StrEnum):
    """What an IAM grant is on; the stack turns it into ARNs."""

    PARAMETERS = "parameters"  # parameter/eks-irsa-remediator/*
    CLUSTERS = "clusters"  # cluster/*
    ADDONS = "addons"  # addon/*/*/*
    KNOWN_ADDONS = "known-addons"  # addon/<cluster>/<add-on>/*: add-ons of known workloads, in the configured clusters
    NODEGROUPS = "nodegroups"  # nodegroup/*/*/*
    ASSOCIATIONS = "associations"  # podidentityassociation/*/*
    BOUND_ROLES = "bound-roles"  # the configured role ARNs or path; every role of the account where none is configured
    PASSABLE_ROLES = "passable-roles"  # the configured role ARNs or path; none where none is configured
    OIDC_PROVIDERS = "oidc-providers"  # oidc-provider/*
    INCIDENTS = "incidents"  # our table
    REMEDIATOR = "remediator"  # the remediator's qualified ARNs
    CHAT_TOPIC = "chat-topic"
    PEOPLE_TOPIC = "people-topic"
    EVENT_BUS = "event-bus"
    CHANGE_CALENDARS = "change-calendars"  # document/*
    LOGS = "logs"  # the function's own log group
    DEAD_LETTERS = "dead-letters"  # the function's own dead-letter queue
    KEY = "key"  # the key that encrypts the topics, and where configured the rest
    EVERYTHING = "*"  # only where the service has nothing finer; `why` says so


@dataclass(frozen=True, kw_only=True)
class IamGrant:
    """One IAM action for some functions, with the reason.

    `condition` is the statement's Condition; `{region}` in a value is the stack's. `optional` grants are deployed only where the
    configuration asks for them, by that name.
    """

    action: str
    on: Target
    by: tuple[Function, ...]
    why: str
    condition: Mapping[str, Mapping[str, str]] | None = None
    optional: str | None = None


_BOTH: Final = (Function.CHECKER, Function.REMEDIATOR)
_CHECKER: Final = (Function.CHECKER,)
_REMEDIATOR: Final = (Function.REMEDIATOR,)
_ALL: Final = tuple(Function)

SIMULATION: Final = "simulation"
NETWORK: Final = "network"
CUSTOMER_KEY: Final = "customer-key"

IAM: Final = (
    IamGrant(action="ssm:GetParametersByPath", on=Target.PARAMETERS, by=tuple(Function), why="read bindings and settings"),
    IamGrant(action="ssm:GetCalendarState", on=Target.CHANGE_CALENDARS, by=_REMEDIATOR, why="read the maintenance window's calendar"),
    IamGrant(action="eks:ListClusters", on=Target.EVERYTHING, by=_CHECKER, why="tell bound clusters that are gone; lists have no resource"),
    IamGrant(action="eks:DescribeCluster", on=Target.CLUSTERS, by=_BOTH, why="endpoint, certificate authority, issuer, status"),
    IamGrant(action="eks:DescribeAddon", on=Target.ADDONS, by=_BOTH, why="the add-on record, its status and health"),
    IamGrant(action="eks:ListPodIdentityAssociations", on=Target.CLUSTERS, by=_BOTH, why="which mechanism is in force"),
    IamGrant(action="eks:DescribePodIdentityAssociation", on=Target.ASSOCIATIONS, by=_BOTH, why="the role of an association"),
    IamGrant(
        action="eks:DescribeAddonVersions",
        on=Target.EVERYTHING,
        by=_REMEDIATOR,
        why="default and latest version, as advice; the call has no resource",
    ),
    IamGrant(
        action="eks:DescribeClusterVersions",
        on=Target.EVERYTHING,
        by=_REMEDIATOR,
        why="until when the cluster's version is supported, as advice; the call has no resource",
    ),
    IamGrant(action="eks:ListNodegroups", on=Target.CLUSTERS, by=_REMEDIATOR, why="is node auto repair's clock running"),
    IamGrant(action="eks:DescribeNodegroup", on=Target.NODEGROUPS, by=_REMEDIATOR, why="is node auto repair's clock running"),
    IamGrant(action="iam:GetRole", on=Target.BOUND_ROLES, by=_BOTH, why="does the role exist, whom does it trust"),
    IamGrant(action="iam:GetOpenIDConnectProvider", on=Target.OIDC_PROVIDERS, by=_BOTH, why="does IAM know the cluster's issuer"),
    IamGrant(
        action="iam:SimulatePrincipalPolicy",
        on=Target.BOUND_ROLES,
        by=_BOTH,
        why="may the role make the calls of this add-on release; the call only reads",
        optional=SIMULATION,
    ),
    IamGrant(action="dynamodb:GetItem", on=Target.INCIDENTS, by=_BOTH, why="read the incident, and its signals before each look"),
    IamGrant(action="dynamodb:UpdateItem", on=Target.INCIDENTS, by=_BOTH, why="claim, signal, close"),
    IamGrant(action="dynamodb:Query", on=Target.INCIDENTS, by=_REMEDIATOR, why="history: cool-down, tug of war, breaker"),
    IamGrant(action="dynamodb:PutItem", on=Target.INCIDENTS, by=_REMEDIATOR, why="write history"),
    IamGrant(action="lambda:InvokeFunction", on=Target.REMEDIATOR, by=_CHECKER, why="start the remediator by incident id"),
    IamGrant(action="lambda:GetDurableExecution", on=Target.REMEDIATOR, by=_CHECKER, why="has the execution of an open incident ended"),
    IamGrant(action="lambda:CheckpointDurableExecution", on=Target.REMEDIATOR, by=_REMEDIATOR, why="the durable SDK checkpoints"),
    IamGrant(action="lambda:GetDurableExecutionState", on=Target.REMEDIATOR, by=_REMEDIATOR, why="the durable SDK resumes"),
    IamGrant(
        action="events:PutEvents",
        on=Target.EVENT_BUS,
        by=_ALL,
        why="one check per bound cluster; outgoing events; in no other name than ours",
        # Checked for each entry of a call.
        # Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
        condition={"StringEquals": {"events:source": EVENT_SOURCE}},
    ),
    IamGrant(action="sns:Publish", on=Target.CHAT_TOPIC, by=_REMEDIATOR, why="tell the chat"),
    IamGrant(action="sns:Publish", on=Target.PEOPLE_TOPIC, by=_REMEDIATOR, why="tell people and pagers"),
    IamGrant(
        action="eks:UpdateAddon",
        # IAM checks this action on the add-on alone.
        # Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
        on=Target.KNOWN_ADDONS,
        by=_REMEDIATOR,
        why="write the role into the add-on record, where it lasts; the last part of the ARN is generated",
    ),
    IamGrant(
        action="iam:PassRole",
        on=Target.PASSABLE_ROLES,
        by=_REMEDIATOR,
        why="EKS demands it of whoever sets an add-on's role",
        condition={"StringEquals": {"iam:PassedToService": "eks.amazonaws.com"}},
    ),
)


def _by_key(service: str, actions: Iterable[str], by: tuple[Function, ...], why: str, optional: str | None = None) -> tuple[IamGrant, ...]:
    condition = {"StringEquals": {"kms:ViaService": f"{service}.{{region}}.amazonaws.com"}}
    return tuple(
        IamGrant(action=f"kms:{action}", on=Target.KEY, by=by, why=why, condition=condition, optional=optional) for action in actions
    )


ENI_ACTIONS: Final = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
"""Lambda needs them for a function in a VPC; the stack denies them to the function's own code, by `lambda:SourceFunctionArn`.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

_TABLE_KEY_ACTIONS: Final = (
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
)
"""Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"""

SERVICE_IAM: Final = (
    IamGrant(action="logs:CreateLogStream", on=Target.LOGS, by=_ALL, why="Lambda opens a stream for each environment"),
    IamGrant(action="logs:PutLogEvents", on=Target.LOGS, by=_ALL, why="Lambda writes the log; the group is the stack's"),
    IamGrant(action="xray:PutTraceSegments", on=Target.EVERYTHING, by=_ALL, why="Lambda traces; the call has no resource"),
    IamGrant(action="xray:PutTelemetryRecords", on=Target.EVERYTHING, by=_ALL, why="Lambda traces; the call has no resource"),
    IamGrant(action="sqs:SendMessage", on=Target.DEAD_LETTERS, by=_ALL, why="Lambda keeps what failed for good"),
    *_by_key("sns", ("GenerateDataKey", "Decrypt"), _REMEDIATOR, "SNS encrypts what we publish"),
    *_by_key("sqs", ("GenerateDataKey", "Decrypt"), _ALL, "SQS encrypts dead letters", CUSTOMER_KEY),
    *_by_key("dynamodb", _TABLE_KEY_ACTIONS, _BOTH, "DynamoDB encrypts the incidents", CUSTOMER_KEY),
    *(
        IamGrant(
            action=eni_action,
            on=Target.EVERYTHING,
            by=_ALL,
            why="Lambda attaches to the VPC; the interface is not known before",
            optional=NETWORK,
        )
        for eni_action in ENI_ACTIONS
    ),
)
"""What AWS services do in the name of a function's role. Our code makes none of these calls; those are in `IAM`."""


@dataclass(frozen=True, kw_only=True)
class RbacRule:
    """One line of a Role (in the bound namespace) or, where `cluster_wide`, of a ClusterRole. `names` empty means every object."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    by: tuple[Function, ...] = _BOTH
    names: tuple[str, ...] = ()
    cluster_wide: bool = False


def rbac_rules(namespace: str, service_account: str, kind: WorkloadKind, workload: str, *, restarts: bool = True) -> tuple[RbacRule, ...]:
    """What one bound ServiceAccount and its workload need in the Kubernetes API. Without `restarts`, the workload is not patched."""
    kinds = (kind.resource, "replicasets") if kind is WorkloadKind.DEPLOYMENT else (kind.resource,)
    found_by_pods = known(namespace, service_account) is None
    own, running = (service_account,), (workload,)
    return (
        RbacRule(group="", resource="serviceaccounts", names=own, verbs=("get",), why="read the annotation"),
        RbacRule(group="", resource="serviceaccounts", names=own, verbs=("patch",), by=_REMEDIATOR, why="set the annotation"),
        RbacRule(group="apps", resource=kind.resource, names=running, verbs=("get",), why="is it wanted, is it rolled out"),
        *([RbacRule(group="apps", resource=kind.resource, names=running, verbs=("patch",), by=_REMEDIATOR, why="restart it")] * restarts),
        *(RbacRule(group="apps", resource=item, verbs=("get",), why="from a pod to its owner") for item in kinds[1:] if found_by_pods),
        RbacRule(group="", resource="pods", verbs=("list",), why="which role was each pod admitted with"),
        RbacRule(group="", resource="pods", verbs=("delete",), by=_REMEDIATOR, why="replace the canary and stale pods"),
        RbacRule(group="events.k8s.io", resource="events", verbs=("list",), why="permission errors the plug-in reports"),
        RbacRule(group="", resource="nodes", verbs=("list",), cluster_wide=True, why="are nodes Ready, and if not, why"),
    )


def _role(kind: str, name: str, rules: Iterable[RbacRule], namespace: str | None) -> dict[str, Any]:
    def line(rule: RbacRule) -> dict[str, Any]:
        base = {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
        return {**base, "resourceNames": list(rule.names)} if rule.names else base

    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": PROJECT}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": [line(rule) for rule in rules]}


def _bound(role: Mapping[str, Any], group: str) -> dict[str, Any]:
    return {
        "apiVersion": role["apiVersion"],
        "kind": f"{role['kind']}Binding",
        "metadata": role["metadata"],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }


GROUPS: Final = {Function.CHECKER: CHECKER_GROUP, Function.REMEDIATOR: REMEDIATOR_GROUP}


@dataclass(frozen=True, order=True)
class BoundWorkload:
    """A ServiceAccount with a binding and the workload that runs under it."""

    namespace: str
    service_account: str
    kind: WorkloadKind
    name: str


def manifests(bound: Iterable[BoundWorkload] = (), *, restarts: bool = True) -> list[dict[str, Any]]:
    """Roles, ClusterRoles and their bindings for both groups: JSON objects ready to apply, in a stable order.

    Without bound workloads they serve aws-node alone. Without `restarts` nobody may patch a workload (setting `restart_by: deletion`).
    """
    wanted = sorted(set(bound)) or [BoundWorkload(AWS_NODE.namespace, AWS_NODE.service_account, AWS_NODE.kind, AWS_NODE.name)]
    made: list[dict[str, Any]] = []
    for function, group in GROUPS.items():
        rules = [
            (item, rule)
            for item in wanted
            for rule in rbac_rules(item.namespace, item.service_account, item.kind, item.name, restarts=restarts)
            if function in rule.by
        ]
        cluster_wide = dict.fromkeys(rule for _, rule in rules if rule.cluster_wide)
        roles = [_role("ClusterRole", f"{PROJECT}-{function}", cluster_wide, None)]
        for namespace in dict.fromkeys(item.namespace for item in wanted):
            local = dict.fromkeys(rule for item, rule in rules if not rule.cluster_wide and item.namespace == namespace)
            roles.append(_role("Role", f"{PROJECT}-{function}", local, namespace))
        made += [item for role in roles for item in (role, _bound(role, group))]
    return made
