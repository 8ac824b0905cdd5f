"""Everything the functions may do: IAM for the AWS APIs, RBAC for the Kubernetes API. No permission is written anywhere else."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.environment import Function
from lambdas.contract.names import AGENT_NAMESPACE, CHECKER_GROUP, EVENT_SOURCE, IDENTITY_WEBHOOK, PROJECT, REMEDIATOR_GROUP
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.workloads import AWS_NODE, WorkloadKind, known


class Target(StrEnum):
    """What an IAM grant is on; the stack turns it into ARNs."""

    PARAMETERS = "parameters"  # parameter/eks-irsa-remediator/*
    CLUSTERS = "clusters"  # cluster/*
    ADDONS = "addons"  # addon/*/*/*
    KNOWN_ADDONS = "known-addons"  # addon/<cluster>/<add-on>/*: add-ons of known workloads, in the configured clusters
    NAMED_CLUSTERS = "named-clusters"  # cluster/<cluster>: the configured clusters
    NAMED_ASSOCIATIONS = "named-associations"  # podidentityassociation/<cluster>/*, in the configured clusters
    NODEGROUPS = "nodegroups"  # nodegroup/*/*/*
    ASSOCIATIONS = "associations"  # podidentityassociation/*/*
    BOUND_ROLES = "bound-roles"  # the configured role ARNs or path; every role of the account where none is configured
    PASSABLE_ROLES = "passable-roles"  # the configured role ARNs or path; none where none is configured
    OIDC_PROVIDERS = "oidc-providers"  # oidc-provider/*
    INCIDENTS = "incidents"  # our table
    CHECKER = "checker"  # the checker, which requests checks of itself
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
EVENT_HISTORY: Final = "event-history"
NETWORK: Final = "network"
CUSTOMER_KEY: Final = "customer-key"

IAM: Final = (
    IamGrant(action="ssm:GetParametersByPath", on=Target.PARAMETERS, by=tuple(Function), why="read bindings and settings"),
    IamGrant(action="ssm:GetCalendarState", on=Target.CHANGE_CALENDARS, by=_REMEDIATOR, why="read the maintenance window's calendar"),
    IamGrant(
        action="eks:ListClusters",
        on=Target.EVERYTHING,
        by=_CHECKER,
        why="find bound clusters that no longer exist; list actions have no resource",
    ),
    IamGrant(action="eks:DescribeCluster", on=Target.CLUSTERS, by=_BOTH, why="read the endpoint, certificate authority, issuer and status"),
    IamGrant(action="eks:DescribeAddon", on=Target.ADDONS, by=_BOTH, why="read the add-on record, its status and health"),
    IamGrant(action="eks:ListPodIdentityAssociations", on=Target.CLUSTERS, by=_BOTH, why="find Pod Identity associations"),
    IamGrant(action="eks:DescribePodIdentityAssociation", on=Target.ASSOCIATIONS, by=_BOTH, why="read the role of an association"),
    IamGrant(
        action="eks:DescribeAddonVersions",
        on=Target.EVERYTHING,
        by=_REMEDIATOR,
        why="recommend the default and latest version; the call has no resource",
    ),
    IamGrant(
        action="eks:DescribeClusterVersions",
        on=Target.EVERYTHING,
        by=_REMEDIATOR,
        why="warn before support of the cluster's version ends; the call has no resource",
    ),
    IamGrant(action="eks:ListNodegroups", on=Target.CLUSTERS, by=_REMEDIATOR, why="check whether node auto repair will act"),
    IamGrant(action="eks:DescribeNodegroup", on=Target.NODEGROUPS, by=_REMEDIATOR, why="check whether node auto repair will act"),
    IamGrant(action="iam:GetRole", on=Target.BOUND_ROLES, by=_BOTH, why="check that the role exists and trusts the ServiceAccount"),
    IamGrant(
        action="iam:GetOpenIDConnectProvider",
        on=Target.OIDC_PROVIDERS,
        by=_BOTH,
        why="check that IAM has a provider for the cluster's issuer",
    ),
    IamGrant(
        action="iam:SimulatePrincipalPolicy",
        on=Target.BOUND_ROLES,
        by=_BOTH,
        why="check that the role allows the calls of this add-on release; the call only reads",
        optional=SIMULATION,
    ),
    IamGrant(
        action="cloudtrail:LookupEvents",
        on=Target.EVERYTHING,
        by=_REMEDIATOR,
        why="look for refusals of STS where pods do not become ready and no link explains it; the call has no resource",
        optional=EVENT_HISTORY,
    ),
    IamGrant(action="dynamodb:GetItem", on=Target.INCIDENTS, by=_BOTH, why="read the incident, and its signals before each assessment"),
    IamGrant(action="dynamodb:BatchGetItem", on=Target.INCIDENTS, by=_CHECKER, why="count open incidents and sound clusters in each sweep"),
    IamGrant(action="dynamodb:UpdateItem", on=Target.INCIDENTS, by=_BOTH, why="claim, signal and close incidents"),
    IamGrant(
        action="dynamodb:Query",
        on=Target.INCIDENTS,
        by=_REMEDIATOR,
        why="read history for the cool-down, tug-of-war and circuit-breaker policies",
    ),
    IamGrant(action="dynamodb:PutItem", on=Target.INCIDENTS, by=_REMEDIATOR, why="write history"),
    IamGrant(action="lambda:InvokeFunction", on=Target.REMEDIATOR, by=_CHECKER, why="start the remediator by incident id"),
    IamGrant(action="lambda:InvokeFunction", on=Target.CHECKER, by=_CHECKER, why="request the check of each cluster in a sweep"),
    IamGrant(
        action="lambda:GetDurableExecution",
        on=Target.REMEDIATOR,
        by=_CHECKER,
        why="check whether the execution of an open incident has ended",
    ),
    IamGrant(
        action="lambda:CheckpointDurableExecution", on=Target.REMEDIATOR, by=_REMEDIATOR, why="store the checkpoints of the durable SDK"
    ),
    IamGrant(action="lambda:GetDurableExecutionState", on=Target.REMEDIATOR, by=_REMEDIATOR, why="resume a durable execution"),
    IamGrant(
        action="events:PutEvents",
        on=Target.EVENT_BUS,
        by=_ALL,
        why="request checks and publish events; only with the remediator's event source",
        # Checked for each entry of a call.
        # Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
        condition={"StringEquals": {"events:source": EVENT_SOURCE}},
    ),
    IamGrant(action="sns:Publish", on=Target.CHAT_TOPIC, by=_REMEDIATOR, why="send notifications to chat"),
    IamGrant(action="sns:Publish", on=Target.PEOPLE_TOPIC, by=_REMEDIATOR, why="send notifications to people and pagers"),
    IamGrant(
        action="eks:UpdateAddon",
        # IAM checks this action on the add-on alone.
        # Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
        on=Target.KNOWN_ADDONS,
        by=_REMEDIATOR,
        why="write the role into the add-on record, so that updates keep it; the last part of the ARN is generated",
    ),
    IamGrant(
        action="iam:PassRole",
        on=Target.PASSABLE_ROLES,
        by=_REMEDIATOR,
        why="EKS requires it to set the role of an add-on",
        condition={"StringEquals": {"iam:PassedToService": "eks.amazonaws.com"}},
    ),
    # Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
    IamGrant(
        action="eks:CreatePodIdentityAssociation",
        on=Target.NAMED_CLUSTERS,
        by=_REMEDIATOR,
        why="create the association that a binding names",
    ),
    IamGrant(
        action="eks:UpdatePodIdentityAssociation",
        on=Target.NAMED_ASSOCIATIONS,
        by=_REMEDIATOR,
        why="give an association the role that a binding names; EKS also requires it where an add-on owns the association",
    ),
    IamGrant(
        action="iam:PassRole",
        on=Target.PASSABLE_ROLES,
        by=_REMEDIATOR,
        why="EKS requires it to set the role of an association",
        condition={"StringEquals": {"iam:PassedToService": "pods.eks.amazonaws.com"}},
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
    IamGrant(action="logs:CreateLogStream", on=Target.LOGS, by=_ALL, why="create the log stream of an execution environment"),
    IamGrant(action="logs:PutLogEvents", on=Target.LOGS, by=_ALL, why="write log events; the stack creates the log group"),
    IamGrant(action="xray:PutTraceSegments", on=Target.EVERYTHING, by=_ALL, why="write traces; the call has no resource"),
    IamGrant(action="xray:PutTelemetryRecords", on=Target.EVERYTHING, by=_ALL, why="write traces; the call has no resource"),
    IamGrant(action="sqs:SendMessage", on=Target.DEAD_LETTERS, by=_ALL, why="store events that failed permanently"),
    *_by_key("sns", ("GenerateDataKey", "Decrypt"), _REMEDIATOR, "SNS encrypts what we publish"),
    *_by_key("sqs", ("GenerateDataKey", "Decrypt"), _ALL, "SQS encrypts dead letters", CUSTOMER_KEY),
    *_by_key("dynamodb", _TABLE_KEY_ACTIONS, _BOTH, "DynamoDB encrypts the incidents", CUSTOMER_KEY),
    *_by_key("lambda", ("Decrypt",), _BOTH, "Lambda encrypts the state of durable executions", CUSTOMER_KEY),
    IamGrant(
        action="kms:Decrypt",
        on=Target.KEY,
        by=_ALL,
        why="Lambda encrypts the variables of a function, with its ARN as encryption context",
        # Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        condition={"ArnLike": {"kms:EncryptionContext:aws:lambda:FunctionArn": "arn:*:lambda:{region}:*:function:*"}},
        optional=CUSTOMER_KEY,
    ),
    *(
        IamGrant(
            action=eni_action,
            on=Target.EVERYTHING,
            by=_ALL,
            why="attach functions to the VPC; the id of the interface is not known in advance",
            optional=NETWORK,
        )
        for eni_action in ENI_ACTIONS
    ),
)
"""What AWS services do in the name of a function's role. Our code makes none of these calls; those are in `IAM`."""


@dataclass(frozen=True, kw_only=True)
class AccessQuestion:
    """One call on the Kubernetes API, as an access review asks about it. Empty `namespace` means the cluster, empty `name` any object.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource} {self.name}".rstrip()
        return f"{self.verb} {what} in {self.namespace}" if self.namespace else f"{self.verb} {what}"


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

    def questions(self, namespace: str) -> Iterator[AccessQuestion]:
        """Each call that the rule allows in the namespace of the ServiceAccount."""
        where = "" if self.cluster_wide else namespace
        for verb in self.verbs:
            for name in self.names or ("",):
                yield AccessQuestion(verb=verb, group=self.group, resource=self.resource, namespace=where, name=name)


def rbac_rules(namespace: str, service_account: str, kind: WorkloadKind, workload: str, *, restarts: bool = True) -> tuple[RbacRule, ...]:
    """What one bound ServiceAccount and its workload need in the Kubernetes API. Without `restarts`, the workload is not patched."""
    kinds = (kind.resource, "replicasets") if kind is WorkloadKind.DEPLOYMENT else (kind.resource,)
    found_by_pods = known(namespace, service_account) is None
    own, running = (service_account,), (workload,)
    return (
        RbacRule(group="", resource="serviceaccounts", names=own, verbs=("get",), why="read the annotation"),
        RbacRule(group="", resource="serviceaccounts", names=own, verbs=("patch",), by=_REMEDIATOR, why="set the annotation"),
        RbacRule(group="apps", resource=kind.resource, names=running, verbs=("get",), why="read the desired pods and the rollout"),
        *(
            [RbacRule(group="apps", resource=kind.resource, names=running, verbs=("patch",), by=_REMEDIATOR, why="restart the workload")]
            * restarts
        ),
        *(RbacRule(group="apps", resource=item, verbs=("get",), why="find the owner of a pod") for item in kinds[1:] if found_by_pods),
        RbacRule(group="", resource="pods", verbs=("list",), why="read the role that each pod was admitted with"),
        RbacRule(group="", resource="pods", verbs=("delete",), by=_REMEDIATOR, why="replace the canary and stale pods"),
        RbacRule(group="events.k8s.io", resource="events", verbs=("list",), why="read permission errors that the plug-in reports"),
        RbacRule(group="", resource="nodes", verbs=("list",), cluster_wide=True, why="read whether nodes are Ready, and the reason if not"),
        RbacRule(
            group="admissionregistration.k8s.io",
            resource="mutatingwebhookconfigurations",
            names=(IDENTITY_WEBHOOK,),
            verbs=("get",),
            by=_REMEDIATOR,
            cluster_wide=True,
            why="read whether the identity webhook is registered, where pods lack the role of a correct annotation",
        ),
        *(
            RbacRule(
                group="admissionregistration.k8s.io",
                resource=resource,
                names=(policy_name(policy, namespace, service_account),),
                verbs=("get",),
                cluster_wide=True,
                why=f"compare the {policy} with the binding; a person installs it, and nothing else may be read",
            )
            for policy in PolicyKind
            for resource in (policy.resource, policy.binding_resource)
        ),
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


_AGENT_RULE: Final = RbacRule(group="", resource="pods", verbs=("list",), why="read on which nodes the Pod Identity agent is ready")
"""Needed in the namespace of the agent. A workload that is bound there brings the same permission."""

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

    Without bound workloads they serve aws-node alone. Without `restarts` no one may patch a workload (setting `restart_by: deletion`).
    """
    bound_workloads = sorted(set(bound)) or [BoundWorkload(AWS_NODE.namespace, AWS_NODE.service_account, AWS_NODE.kind, AWS_NODE.name)]
    made: list[dict[str, Any]] = []
    for function, group in GROUPS.items():
        rules = [
            (item, rule)
            for item in bound_workloads
            for rule in rbac_rules(item.namespace, item.service_account, item.kind, item.name, restarts=restarts)
            if function in rule.by
        ]
        cluster_wide = dict.fromkeys(rule for _, rule in rules if rule.cluster_wide)
        roles = [_role("ClusterRole", f"{PROJECT}-{function}", cluster_wide, None)]
        namespaces = dict.fromkeys(item.namespace for item in bound_workloads)
        for namespace in dict.fromkeys((*namespaces, AGENT_NAMESPACE)):
            local = dict.fromkeys(rule for item, rule in rules if not rule.cluster_wide and item.namespace == namespace)
            local |= {} if namespace in namespaces else {_AGENT_RULE: None}
            roles.append(_role("Role", f"{PROJECT}-{function}", local, namespace))
        made += [item for role in roles for item in (role, _bound(role, group))]
    return made


VERIFY_ACTIONS: Final[Mapping[str, str]] = {
    "lambda:GetFunctionConfiguration": "find the stack",
    "lambda:ListFunctions": "find the functions by their roles",
    "lambda:InvokeFunction": "ask the functions",
    "lambda:GetDurableExecution": "read the result of the remediator's self-test",
    "lambda:GetDurableExecutionHistory": "find the callback of the remediator's self-test",
    "lambda:SendDurableExecutionCallbackSuccess": "answer the callback",
    "lambda:GetAccountSettings": "read the quota of concurrent executions",
    "ssm:GetParametersByPath": "read bindings and settings",
    "eks:ListClusters": "compare bindings with clusters",
    "eks:DescribeCluster": "read endpoint, authority and logging of a cluster",
    "iam:GetRole": "find out whether bound roles exist",
    "iam:SimulatePrincipalPolicy": "simulate the remediator's policies",
    "events:ListRuleNamesByTarget": "find the rules of the checker",
    "events:DescribeRule": "read pattern, schedule and state of a rule",
    "events:ListTargetsByRule": "find the dead-letter queue of a rule",
    "events:TestEventPattern": "test the deployed patterns",
    "events:PutEvents": "send the event of the round trip",
    "dynamodb:GetItem": "read the row that the event left",
    "cloudtrail:DescribeTrails": "find a trail",
    "cloudtrail:GetTrailStatus": "find out whether the trail logs",
    "cloudtrail:GetEventSelectors": "find out whether the trail logs management events",
    "logs:DescribeSubscriptionFilters": "find the node watcher's subscription",
    "cloudwatch:DescribeAlarms": "read the state of alarms",
    "cloudwatch:GetMetricStatistics": "count the last sweeps",
    "sns:ListSubscriptionsByTopic": "find unconfirmed subscriptions",
    "sns:GetTopicAttributes": "find the key of the topics",
    "sns:Publish": "send a test message, with --notify",
    "kms:DescribeKey": "read the state of the key",
    "sqs:GetQueueUrl": "find the dead-letter queues",
    "sqs:GetQueueAttributes": "count dead letters",
}
"""What a person needs in AWS for `irsa-remediator verify`, each with the reason. What is refused leaves a check not known."""
