"""Words that are stored or published, literally. Changing one breaks stored data, or a rule, filter or script of a user.

A word that changes needs a migration or a new schema version, and a line in CHANGELOG.md.
"""

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from cli.errors import ExitCode
from cli.queries.guards import Proof
from lambdas.adapters import incident_items
from lambdas.application import self_test
from lambdas.application.remediation.results import ActionState, CanaryState, DeliveryState, ReplacementState
from lambdas.contract import approval, guard, metrics, names
from lambdas.contract.environment import VARIABLES, Function
from lambdas.contract.events import SCHEMA_VERSION, SUBSCRIPTIONS, OwnEvent
from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from lambdas.contract.parameters import Mechanism, ServiceAccountRef
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.self_test import SELF_TEST, SELF_TEST_SCHEMA_VERSION, Answer
from lambdas.contract.settings import AddonRecord, Claim, Digest, GuardSetting, Mode, RestartBy, Settings, Severity, WhenUnverified
from lambdas.contract.stack_checks import CheckId
from lambdas.domain.assessment import summary
from lambdas.domain.diagnosis.finding import Link, Remedy, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.details import IncidentDetails, TimelineEntry, TimelineEvent
from lambdas.domain.incidents.incident import REMEDIATOR, CheckRequirement, Outcome, PastIncident
from lambdas.domain.planning.actions import DONE
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.requests.request import RoleEffect, Trigger
from lambdas.domain.snapshot.guard import GuardState
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind

WORDS: dict[str, tuple[object, str]] = {
    # History items (`verdict`, removed after 90 days), the metric `Verdicts`, published events, names of runbooks.
    "verdicts": (
        Verdict,
        "healthy no-fault-found not-applicable pod-identity-in-use association-missing association-differs pod-identity-agent-missing "
        "pod-identity-agent-not-on-node pod-identity-not-trusted no-access cluster-gone cluster-initializing addon-not-installed "
        "service-account-mismatch binding-invalid oidc-provider-missing trust-other-issuer trust-condition-wrong permissions-missing "
        "update-in-progress addon-degraded addon-role-missing annotation-missing annotation-wiped annotation-differs "
        "annotation-key-misspelt annotation-unclaimed guard-differs role-kept "
        "pods-stale role-in-pod-template pods-not-created pods-without-credentials pods-stuck "
        "pods-not-ready "
        "webhook-missed sts-unreachable sts-error nodes-waiting-for-cni nodes-not-ready flapping",
    ),
    # History items (`outcome`), the metric `Repairs`, published events, `history -o json`.
    "outcomes": (Outcome, "verified recovered blocked needs-action interrupted"),
    # Values of bindings (`mechanism`), `bindings list -o json`, `adopt -o json`.
    "mechanisms": (Mechanism, "irsa pod-identity"),
    # The SNS message attribute `outcome`, and the row's attribute `notified`.
    "notification kinds": (
        NotificationKind,
        "repairing approval-requested not-approved blocked needs-action reminder verified recovered",
    ),
    # Checkpoints of durable executions, published events, `plan -o json`.
    "block reasons": (
        BlockReason,
        "no-binding needs-person precondition-failed precondition-unknown update-in-progress grace-period observe-mode "
        "addon-record-notify-only addon-degraded role-not-allowed "
        "role-outside-bounds declared-elsewhere trust-too-broad cooldown too-many-repairs tug-of-war circuit-breaker "
        "maintenance-window consequence",
    ),
    # History items (`changes`, which the tug-of-war policy reads), checkpoints, published events.
    "action kinds": (
        DONE,
        "annotate-service-account replace-canary-pod restart-workload replace-stale-pods update-addon-role restore-annotation "
        "create-association update-association",
    ),
    # Checkpoints of durable executions.
    "verification states": (VerificationState, "verified waiting worse stalled role-insufficient partial more-stale-pods"),
    "action states": (ActionState, "done busy conflict rejected failed"),
    "canary states": (CanaryState, "waiting has-role no-role not-ready node-lost"),
    "replacement states": (ReplacementState, "waiting done stuck outdated"),
    "delivery states": (DeliveryState, "sent skipped failed"),
    # `check -o json` and checkpoints.
    "link states": (State, "ok broken unknown not-applicable"),
    # History items (`details`) and the page of an incident.
    "timeline events": (TimelineEvent, "assessment approval canary-replacement rolling-replacement verification"),
    # Rows of the incidents table.
    "check requirements": (CheckRequirement, "nodes uncached"),
    # The metric dimension `trigger`, and published events.
    "triggers": (Trigger, "addon-event api-call node-alarm node-not-ready parameter-changed identity-changed refused-call sweep person"),
    # Values of settings in Parameter Store.
    "modes": (Mode, "observe approve enforce"),
    "severities": (Severity, "info warning critical"),
    "values of addon_record": (AddonRecord, "update notify-only"),
    "values of when_unverified": (WhenUnverified, "restore restore-own refuse"),
    "values of restart_by": (RestartBy, "restart deletion"),
    "values of claim": (Claim, "on-repair always"),
    "values of guard": (GuardSetting, "optional warn-only wanted"),
    # Names of admission policies in clusters, and `guard -o json`.
    "policies of a ServiceAccount": (PolicyKind, "guard warning"),
    "guard states": (GuardState, "installed absent stale differs foreign unbound not-served unknown"),
    # Published events and stored requests (`effect` of the actor).
    "effects on the role": (RoleEffect, "changed kept none-after not-known"),
    "guard proofs": (Proof, "kept removed not-known"),
    # Names of functions, log groups and grants.
    "functions": (Function, "checker remediator node_watcher"),
    "digests": (Digest, "off daily"),
    # `detail-type` of events on the bus, which have spaces there.
    "own events": (
        OwnEvent,
        "Check_Requested Node_Not_Ready Identity_Changed Delivery_Test Sweep Digest "
        "Remediation_Started Remediation_Verified Remediation_Needs_Action Remediation_Blocked",
    ),
    # Logical names of the rules, which `verify` and `replay` print.
    "subscriptions": (
        SUBSCRIPTIONS,
        "AddonEvents AddonCalls IdentityCalls "
        "RefusedCalls RefusedCniCalls RefusedTokens NodeAlarms ParameterChanges OwnEvents KubernetesEvents",
    ),
    # `verify -o json`, which scripts filter by, and the report of a function's self-test.
    "answers": (Answer, "shown refuted not-known"),
    "checks of the stack": (
        CheckId,
        "function-answers function-version byte-code parameters-readable table-readable durable-execution cluster-described cluster-dns "
        "cluster-tcp cluster-tls cluster-login cluster-rbac admission-policies bound-roles-readable event-rules event-patterns "
        "event-round-trip sweep-schedule cloudtrail audit-log node-alarm subscriptions chat notification-key test-message pass-role "
        "update-addon bindings settings alarms dead-letters environment-size concurrency",
    ),
    # Parameter names below `/eks-irsa-remediator/settings/<cluster>/`.
    "settings": (
        [field.name for field in fields(Settings)],
        "mode addon_record when_unverified restart_by claim guard "
        "cooldown_s max_repairs_per_hour approval_timeout_s verification_timeout_s update_timeout_s "
        "node_grace_s maintenance_window circuit_breaker_clusters notify_from digest",
    ),
    # The environment of the deployed functions, which `irsa-remediator` reads too.
    "environment variables": (
        VARIABLES,
        "IRSA_ACCOUNT IRSA_REGION IRSA_PARTITION IRSA_INCIDENTS_TABLE IRSA_REMEDIATOR_ARN IRSA_CHAT_TOPIC_ARN IRSA_PEOPLE_TOPIC_ARN "
        "IRSA_ENVIRONMENT_NAME IRSA_EVENT_BUS IRSA_OUR_ROLE_ARNS IRSA_MAY_SIMULATE IRSA_MAY_LOOK_UP_EVENTS IRSA_RUNBOOK_ROOT "
        "IRSA_BOUND_ROLES IRSA_SETTINGS_FLOOR IRSA_CLUSTERS",
    ),
    # Keys in the notification that requests an approval; the chat channel's buttons read them.
    "approval keys": (approval.CONTEXT_KEYS, "callbackId region plan"),
    # CloudWatch metrics in the namespace `EksIrsaRemediator`.
    "metrics": (
        [metric.name for metric in metrics.ALL],
        "Checks DriftFound Verdicts Repairs TimeToRecover LoginFailures Sweeps ClustersWithoutBinding MalformedEvents NotificationFailures",
    ),
    # Fields of the line that the checker logs at each sweep; the dashboards query them.
    "gauges": ([gauge.field for gauge in metrics.GAUGES], "clustersBroken clustersUnknown clustersSound incidentsOpen"),
}


@pytest.mark.parametrize("kind", WORDS)
def test_the_words_are(kind: str) -> None:
    found, words = WORDS[kind]
    assert sorted(str(word).replace(" ", "_") for word in found) == sorted(words.split())  # type: ignore[attr-defined]


def test_the_attributes_of_the_incidents_table_are() -> None:
    assert (PARTITION_KEY, SORT_KEY, EXPIRES_AT) == ("pk", "sk", "expires_at")
    assert REMEDIATOR == "remediator"
    assert set(incident_items.OPEN_ATTRIBUTES) == {
        "incident_id",
        "opened_at",
        "signals",
        "first_request",
        "started",
        "execution_arn",
        "execution_number",
        "holder",
        "callback_id",
        "binding_path",
        "heartbeat_at",
        "notified",
        "repairing",
        "has_begun_repair",
        "lease_holder",
        "lease_since",
        "latest_request",
        "latest_refusal",
        "requirements",
    }
    assert set(incident_items.HEALTHY_ATTRIBUTES) == {"known_good_at", "nodes_seen_at", "nodes_unsettled"}
    assert incident_items.GONE_NOTIFIED_AT == "gone_notified_at"
    assert incident_items.AFFECTED_AT == "affected_at"


def test_the_attributes_of_an_item_of_history_are() -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    past = PastIncident(
        id="7f3a",
        target=ServiceAccountRef("prod-blue", "kube-system", "aws-node"),
        opened_at=at,
        closed_at=at,
        outcome=Outcome.VERIFIED,
        verdict="annotation-missing",
        trigger="sweep",
        changes=("annotate-service-account",),
        signals=1,
        binding_path="/b",
        binding_version=1,
        old_value="arn",
        details=IncidentDetails(timeline=(TimelineEntry(at=at, event=TimelineEvent.ASSESSMENT),)),
    )
    assert set(incident_items.past_item(past)) - {PARTITION_KEY, SORT_KEY, EXPIRES_AT} == {
        "incident_id",
        "opened_at",
        "closed_at",
        "outcome",
        "verdict",
        "caused_by",
        "changes",
        "signals",
        "binding_path",
        "binding_version",
        "old_value",
        "details",
    }


def test_the_names_in_clusters_parameters_and_events_are() -> None:
    assert names.PARAMETER_ROOT == "/eks-irsa-remediator"
    assert names.ANY_CLUSTER == "_default"
    assert names.FIELD_MANAGER == "eks-irsa-remediator"
    assert (names.CHECKER_GROUP, names.REMEDIATOR_GROUP) == ("eks-irsa-remediator:checker", "eks-irsa-remediator:remediator")
    assert names.EVENT_SOURCE == "eks-irsa-remediator"
    assert names.METRIC_NAMESPACE == "EksIrsaRemediator"
    assert names.ALARM_PREFIX == "eks-irsa-remediator-nodes-"
    assert policy_name(PolicyKind.GUARD, "kube-system", "aws-node") == "kube-system.aws-node.guard.eks-irsa-remediator"
    assert names.LEFT_OUT_BY == "eks-irsa-remediator/role-left-out-by"
    assert (guard.ROLE_KEY, guard.ACCOUNT_KEY) == ("eks-irsa-remediator/role", "eks-irsa-remediator/service-account")
    assert SCHEMA_VERSION == "1"
    assert (SELF_TEST, SELF_TEST_SCHEMA_VERSION) == ("selfTest", "1")


def test_exit_codes_have_their_documented_numbers() -> None:
    assert {code.name: code.value for code in ExitCode} == {"OK": 0, "BROKEN": 1, "UNKNOWN": 2, "INTERRUPTED": 130}


def test_the_links_have_the_numbers_that_documents_and_history_use() -> None:
    assert [link.name for link in sorted(Link)] == [
        "CLUSTER",
        "WORKLOAD",
        "MECHANISM",
        "ROLE",
        "OIDC_PROVIDER",
        "TRUST",
        "PERMISSIONS",
        "ADDON_RECORD",
        "ANNOTATION",
        "PODS",
        "PERMISSION_ERRORS",
        "NODES",
    ]
    assert [link.value for link in sorted(Link)] == list(range(1, 13))


FIELDS: dict[type, str] = {
    # Checkpoints of a durable execution that continues after a new version was deployed.
    summary.AssessmentSummary: (
        "target began_at verdict verdicts severity sentence links counts cluster time_limits actions proposed blocked remedies wait "
        "needs_approval desired_role annotation binding_path binding_version owner owner_at owner_annotated actor addon repair_deadline "
        "warnings corrected_trust notify_from unproven unproven_calls later_calls refusals"
    ),
    summary.LinkSummary: "link title state sentence verdict evidence",
    summary.Counts: (
        "pods pods_right pods_ready pods_deleting pods_lost nodes nodes_ready nodes_waiting nodes_lost errors_with_role "
        "errors_without_role pods_not_starting rolled_out pods_wanted"
    ),
    summary.BlockedSummary: "link reason sentence until",
    summary.ActorSummary: "who what agent at",
    summary.ClusterSummary: "name version region status standard_until extended_until",
    summary.AddonSummary: "name version status role default latest",
    summary.TimeLimits: "approval_timeout_s verification_timeout_s update_timeout_s node_grace_s",
    Remedy: "text command diff",
    # The report of a self-test, which a command line of another release reads.
    self_test.SelfTestReport: "schema_version version region runtime settings_floor answers is_resumed is_answered",
    self_test.CheckAnswer: "check answer detail cluster took_ms",
    self_test.RuntimeFacts: "function function_version memory_mib is_compiled endpoints",
}


@pytest.mark.parametrize("record", FIELDS, ids=lambda record: record.__name__)
def test_the_fields_of_a_checkpoint_are(record: type) -> None:
    assert sorted(field.name for field in fields(record)) == sorted(FIELDS[record].split())


def test_the_dimensions_of_the_metrics_are() -> None:
    assert {metric.name: metric.dimensions for metric in metrics.ALL if metric.dimensions} == {
        "Checks": ("trigger",),
        "DriftFound": ("trigger",),
        "Verdicts": ("cluster", "verdict"),
        "Repairs": ("outcome",),
        "LoginFailures": ("cluster",),
        "NotificationFailures": ("channel",),
    }
