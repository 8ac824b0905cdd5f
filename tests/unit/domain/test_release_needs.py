"""Diagnosis and plan by the calls that the installed release needs."""

from dataclasses import replace

import pytest

from lambdas.contract.call_needs import MANAGED_POLICIES
from lambdas.contract.settings import Severity, WhenUnverified
from lambdas.contract.workloads import EBS_CSI_CONTROLLER
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import installed_version
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.requests.request import Actor
from lambdas.domain.snapshot.simulation import NOT_KNOWN, CallDecision, RefusalCause
from lambdas.domain.snapshot.snapshot import NOT_READ, ContainerFacts, HealthIssue, Missing, Snapshot, Unknown, VersionAdvice
from tests.unit.domain.snapshot_fixtures import addon, cluster, errors, kinds, planned, settings, snapshot_with, some_pods, workload
from tests.unit.notifications.snapshots import EBS, healthy_snapshot, pods, service_account
from tests.world.simulations import policy, simulation

CNI_POLICY = next(known.grants for known in MANAGED_POLICIES if (known.policy, known.version) == ("AmazonEKS_CNI_Policy", 5))
SUBNETS, GROUPS, MODIFY = "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:ModifyNetworkInterfaceAttribute"
IPV6 = cluster(ip_family="ipv6")


def release(version: str, **changes: object) -> Snapshot:
    """A healthy cluster with this release of the VPC CNI, whose role has a copy of AmazonEKS_CNI_Policy v5."""
    return snapshot_with(addon=addon(version=version), **{"simulated": policy(CNI_POLICY), **changes})


def container(tag: str, **environment: str) -> ContainerFacts:
    image = f"602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni{tag}"
    return ContainerFacts(name="aws-node", image=image, environment=environment)


def self_managed(tag: str, **environment: str) -> Snapshot:
    facts = workload(
        containers=(ContainerFacts(name="aws-eks-nodeagent", image="agent:v9.9.9", environment={}), container(tag, **environment))
    )
    return snapshot_with(addon=Missing("vpc-cni"), workload=facts, simulated=policy(CNI_POLICY))


def permissions(snapshot: Snapshot) -> Finding:
    return diagnose(snapshot)[Link.PERMISSIONS]


def changes(finding: Finding) -> str:
    return "\n".join(line for remedy in finding.remedies for line in remedy.lines)


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("v1.15.1-eksbuild.1", State.OK),
        ("v1.21.2-eksbuild.1", State.OK),
        ("v1.22.0-eksbuild.1", State.BROKEN),
        ("v1.22.1-eksbuild.1", State.BROKEN),
        ("v1.22.2-eksbuild.1", State.OK),
        ("v1.23.1-eksbuild.1", State.OK),
        ("v1.99.0-eksbuild.1", State.UNKNOWN),
        ("unreadable", State.UNKNOWN),
    ],
)
def test_a_copy_of_the_older_managed_policy_suffices_by_release(version: str, state: State) -> None:
    assert permissions(release(version)).state is state


def test_a_role_that_would_stop_working_pods_is_not_restored() -> None:
    snapshot = release("v1.22.1-eksbuild.1", service_account=service_account(None), pods=pods(15, None))
    found, made = permissions(snapshot), planned(snapshot)
    assert made.actions == ()
    assert {blocked.reason for blocked in made.blocked if blocked.link is Link.ANNOTATION} == {BlockReason.PRECONDITION_FAILED}
    assert found.sentence == (
        "prod-blue-vpc-cni may not call ec2:DescribeSecurityGroups, and vpc-cni v1.22.1 does not start without it."
        " 15 pods run on the node role now and would not start with this role, so the remediator does not set it."
    )
    assert "--policy-arn arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" in changes(found)
    assert "or update vpc-cni from v1.22.1-eksbuild.1 to v1.22.2 or newer" in changes(found)


def test_the_same_role_is_restored_for_a_release_that_does_not_need_the_call() -> None:
    made = planned(release("v1.22.2-eksbuild.1", service_account=service_account(None), pods=pods(15, None)))
    assert kinds(made)[0] == "annotate-service-account"


@pytest.mark.parametrize(
    ("version", "call", "family", "broken"),
    [
        ("v1.20.1", SUBNETS, "ipv4", False),
        ("v1.22.2", SUBNETS, "ipv4", True),
        ("v1.20.1", MODIFY, "ipv6", False),
        ("v1.20.1", MODIFY, "ipv4", True),
        ("unreadable", SUBNETS, "ipv4", True),
    ],
)
def test_an_event_counts_if_the_release_needs_the_call(version: str, call: str, family: str, broken: bool) -> None:
    snapshot = release(version, cluster=cluster(ip_family=family), permission_errors=errors("aws-node-03", call=call), simulated=NOT_READ)
    found = diagnose(snapshot)[Link.PERMISSION_ERRORS]
    assert found.is_broken is broken
    assert (call in found.advice) is not broken


def test_a_survived_refusal_neither_pages_nor_blocks_a_repair() -> None:
    lost = {"service_account": service_account(None), "permission_errors": errors("aws-node-00", call=SUBNETS)}
    wiped = snapshot_with(**lost, pods=some_pods(None, None))
    assert kinds(planned(wiped))[0] == "annotate-service-account"
    assert diagnose(wiped).severity is Severity.WARNING
    assert diagnose(snapshot_with(permission_errors=lost["permission_errors"])).is_healthy


def test_without_an_event_the_calls_whose_refusal_sends_none_are_named() -> None:
    old, new = (diagnose(release(version))[Link.PERMISSION_ERRORS].sentence for version in ("v1.20.1", "v1.22.1"))
    assert old == "no MissingIAMPermissions event since the pods were created; refusals of STS and of ec2:DetachNetworkInterface send none"
    assert GROUPS in new


def test_ipv6_needs_its_own_calls_and_a_restart() -> None:
    found = permissions(release("v1.20.1", cluster=IPV6))
    assert found.sentence.startswith("prod-blue-vpc-cni may not call ec2:AssignIpv6Addresses")
    assert "AmazonEKS_CNI_Policy v6 does not suffice" in changes(found)
    assert "rollout restart ds/aws-node" in changes(found)
    assert permissions(release("v1.20.1", cluster=IPV6, simulated=simulation(MODIFY, "ec2:AssignPrivateIpAddresses"))).state is State.OK


def test_no_call_is_needed_that_the_plug_in_never_makes() -> None:
    assert "ec2:DescribeTags" not in simulation()
    assert permissions(release("v1.20.1", simulated=policy(CNI_POLICY - {"ec2:DescribeTags"}))).state is State.OK


def test_an_unknown_ip_family_leaves_the_needs_unknown() -> None:
    assert permissions(release("v1.20.1", cluster=cluster(ip_family="ipv7"))).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("tag", "version"),
    [(":v1.22.1-eksbuild.1", "v1.22.1-eksbuild.1"), (":v1.22.1@sha256:0", "v1.22.1"), ("@sha256:0", ""), (":latest", ""), ("", "")],
)
def test_the_version_of_a_self_managed_plug_in_is_the_tag_of_its_image(tag: str, version: str) -> None:
    snapshot = self_managed(tag)
    assert installed_version(snapshot) == version
    assert permissions(snapshot).state is (State.BROKEN if version else State.UNKNOWN)


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({"ENABLE_SUBNET_DISCOVERY": "false"}, State.OK),
        ({"ENABLE_SUBNET_DISCOVERY": "F"}, State.OK),
        ({"ENABLE_SUBNET_DISCOVERY": "true"}, State.BROKEN),
        ({"ENABLE_SUBNET_DISCOVERY": "1"}, State.BROKEN),
        ({"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true"}, State.OK),
    ],
)
def test_the_environment_of_the_plug_in_decides_what_it_needs(environment: dict[str, str], state: State) -> None:
    assert permissions(self_managed(":v1.22.1", **environment)).state is state


@pytest.mark.parametrize("variable", ["DISABLE_NETWORK_RESOURCE_PROVISIONING", "ENABLE_IMDS_ONLY_MODE"])
def test_a_role_is_not_accused_of_calls_that_a_plug_in_without_provisioning_does_not_make(variable: str) -> None:
    found = replace(self_managed(":v1.20.1", **{variable: "true"}), simulated=simulation("ec2:CreateTags", "ec2:CreateNetworkInterface"))
    assert permissions(found).state is State.OK
    assert permissions(replace(found, workload=workload(containers=(container(":v1.20.1"),)))).state is State.BROKEN


def test_the_severity_of_a_missing_call_follows_its_effect() -> None:
    assert permissions(release("v1.20.1", simulated=simulation("ec2:CreateTags"))).severity is Severity.CRITICAL
    assert permissions(release("v1.20.1", simulated=simulation("ec2:CreateNetworkInterface"))).severity is Severity.WARNING


CAUSES = {
    RefusalCause.NO_STATEMENT: "aws iam attach-role-policy --role-name prod-blue-vpc-cni",
    RefusalCause.EXPLICIT_DENY: "remove the Deny of ec2:CreateTags from the policy guard of prod-blue-vpc-cni",
    RefusalCause.PERMISSIONS_BOUNDARY: "allow ec2:CreateTags in the permissions boundary of prod-blue-vpc-cni",
    RefusalCause.ORGANIZATION: "ask the administrators of the AWS organization to allow ec2:CreateTags",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_a_refusal_has_its_own_remedy(cause: RefusalCause) -> None:
    decision = CallDecision(allowed=False, cause=cause, policies=("guard",))
    found = changes(permissions(release("v1.20.1", simulated=simulation(CreateTags=decision))))
    assert [name for name, text in CAUSES.items() if text in found] == [cause]


def test_a_refusal_of_a_call_that_the_simulation_allows_names_the_policies_that_it_does_not_read() -> None:
    snapshot = release("v1.20.1", simulated=simulation(), permission_errors=errors("aws-node-03", call="ec2:CreateTags"))
    found = diagnose(snapshot)[Link.PERMISSION_ERRORS]
    assert found.sentence.startswith("AWS refused ec2:CreateTags to prod-blue-vpc-cni, whose policies allow it")
    assert "VPC endpoints and the resource control policies" in changes(found)
    assert "attach-role-policy" not in changes(found)
    assert set(CAUSES) | {RefusalCause.NOT_SIMULATED} == set(RefusalCause)


@pytest.mark.parametrize(
    ("partition", "remedy"),
    [
        ("aws", "attach AmazonEKS_CNI_Policy, which grants the calls since version 6 of 2026-03-04"),
        ("aws-cn", "allow the calls in a policy"),
    ],
)
def test_a_version_of_a_managed_policy_is_known_in_the_commercial_partition_alone(partition: str, remedy: str) -> None:
    found = permissions(release("v1.22.1", partition=partition))
    assert found.remedies[0].text.startswith(remedy)
    assert GROUPS in found.remedies[0].command or partition == "aws"


def test_a_role_that_would_take_calls_from_working_pods_is_not_restored() -> None:
    lacks = simulation("ec2:CreateNetworkInterface")
    found = permissions(release("v1.20.1", simulated=lacks, service_account=service_account(None), pods=pods(3, None)))
    assert "3 pods run on the node role now and would not make this call with this role" in found.sentence


def wiped(version: str = "v1.22.1", **changes: object) -> Snapshot:
    """The annotation is gone, pods run on the node role, and the permissions of the role are not known."""
    facts = {"service_account": service_account(None), "pods": pods(15, None), "simulated": Unknown("not granted")}
    return release(version, **{**facts, **changes})


UNDECIDED = {
    "IPv4": wiped(),
    "one pod": wiped(pods=pods(1, None), workload=workload(desired=1)),
    "IPv6": wiped("v1.23.1", cluster=IPV6),
    "call not simulated": wiped(simulated={call: decision for call, decision in simulation().items() if call != GROUPS}),
    "call not decided": wiped(simulated=simulation(DescribeSecurityGroups=NOT_KNOWN)),
}


@pytest.mark.parametrize("snapshot", UNDECIDED.values(), ids=UNDECIDED)
def test_a_role_that_a_known_bad_release_may_not_start_with_is_not_set_while_pods_work(snapshot: Snapshot) -> None:
    made = planned(snapshot)
    assert made.actions == ()
    [sentence] = {blocked.sentence for blocked in made.blocked if blocked.reason is BlockReason.PRECONDITION_UNKNOWN}
    works = "1 pod works" if len(snapshot.pods) == 1 else "15 pods work"  # type: ignore[arg-type]
    assert f"does not start without it; {works} without the role now" in sentence


DECIDED = {
    "other release": wiped("v1.22.2"),
    "call allowed": wiped(simulated=simulation()),
    "a pod has started with the role": wiped(pods=(*pods(1, "arn:aws:iam::111122223333:role/prod-blue-vpc-cni"), *pods(15, None)[1:])),
    "pods fail on the node role": wiped(pods=pods(15, None, unready=3)),
    "accepted by the settings": wiped(settings=settings(when_unverified=WhenUnverified.RESTORE)),
}


@pytest.mark.parametrize("snapshot", DECIDED.values(), ids=DECIDED)
def test_a_known_bad_release_blocks_no_repair_where_the_call_is_shown_or_pods_fail(snapshot: Snapshot) -> None:
    assert kinds(planned(snapshot))[0] == "annotate-service-account"


def test_two_causes_have_two_remedies_and_one_document_allows_the_rest() -> None:
    denied = CallDecision(allowed=False, cause=RefusalCause.EXPLICIT_DENY)
    snapshot = release("v1.22.1", cluster=IPV6, simulated=simulation("ec2:AssignIpv6Addresses", SUBNETS, GROUPS, CreateTags=denied))
    found = permissions(snapshot)
    assert [remedy.text.split()[0] for remedy in found.remedies] == ["AmazonEKS_CNI_Policy", "remove", "then", "or"]
    assert found.remedies[0].command.count('"Effect"') == 1
    assert "CreateTags" not in found.remedies[0].command


def test_without_a_simulation_the_document_holds_every_call_of_the_release() -> None:
    snapshot = release("v1.22.1", cluster=IPV6, simulated=NOT_READ, permission_errors=errors("aws-node-03", call="ec2:CreateTags"))
    found = changes(diagnose(snapshot)[Link.PERMISSION_ERRORS])
    assert all(call in found for call in ("ec2:AssignIpv6Addresses", SUBNETS, GROUPS, "network-interface/*"))


def test_a_decision_that_is_not_known_does_not_clear_the_role() -> None:
    found = permissions(release("v1.20.1", simulated=simulation(CreateTags=NOT_KNOWN)))
    assert found.state is State.UNKNOWN
    assert found.sentence == "10 of 11 calls that vpc-cni v1.20.1 needs are shown to be allowed; not known: ec2:CreateTags"


def test_a_call_that_no_simulation_decides_is_not_counted_as_allowed() -> None:
    driver = addon(name="aws-ebs-csi-driver", version="v1.50.0-eksbuild.1")
    snapshot = snapshot_with(healthy_snapshot(EBS), addon_name=driver.name, addon=driver, simulated=simulation(workload=EBS_CSI_CONTROLLER))
    found, summary = permissions(snapshot), summarize(snapshot, diagnose(snapshot), planned(snapshot))
    conditional = ("ec2:CreateTags", "ec2:CreateVolume", "ec2:DeleteSnapshot", "ec2:DeleteVolume")
    assert found.state is State.UNKNOWN
    assert found.sentence == (
        f"9 of 13 calls that aws-ebs-csi-driver v1.50.0 needs are shown to be allowed; not known: {', '.join(conditional)}"
    )
    assert summary.unproven_calls == conditional
    assert summary.verdict is Verdict.NO_FAULT_FOUND


@pytest.mark.parametrize(
    ("snapshot", "later"),
    [
        pytest.param(release("v1.20.1", simulated=simulation()), (), id="all simulated as allowed"),
        pytest.param(
            release("v1.20.1", simulated=simulation(CreateTags=NOT_KNOWN, AttachNetworkInterface=NOT_KNOWN)),
            ("ec2:AttachNetworkInterface",),
            id="a call of the start and one of the growth of the pool",
        ),
        pytest.param(release("v1.20.1", simulated=NOT_READ, cluster=IPV6), (), id="IPv6: every call is made at the start"),
    ],
)
def test_a_pod_that_starts_shows_nothing_about_calls_of_a_pool_that_grows(snapshot: Snapshot, later: tuple[str, ...]) -> None:
    assert summarize(snapshot, diagnose(snapshot), planned(snapshot)).later_calls == later


def test_custom_networking_creates_its_interface_at_the_start() -> None:
    custom = self_managed(":v1.20.1", AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG="true")
    later = summarize(replace(custom, simulated=NOT_READ), diagnose(custom), planned(custom)).later_calls
    assert "ec2:AttachNetworkInterface" in later
    assert "ec2:CreateNetworkInterface" not in later


def test_a_health_issue_about_a_survived_call_is_no_fault() -> None:
    issue, other = (
        HealthIssue(code="AddonPermissionFailure", message=f"is not authorized to perform: {call}") for call in (SUBNETS, "ec2:CreateTags")
    )
    assert Verdict.PERMISSIONS_MISSING not in diagnose(snapshot_with(addon=addon(issues=(issue,)))).verdicts
    assert Verdict.PERMISSIONS_MISSING in diagnose(snapshot_with(addon=addon(issues=(other,)))).verdicts


@pytest.mark.parametrize(
    ("snapshot", "warnings"),
    [
        (release("v1.22.1-eksbuild.1", simulated=NOT_READ), ["v1.22.1-eksbuild.1", "use v1.22.2 or newer"]),
        (release("v1.22.1-eksbuild.1", simulated=simulation()), []),
        (release("v1.22.2-eksbuild.1", simulated=NOT_READ), []),
        (release("v1.22.2-eksbuild.1", simulated=NOT_READ, cluster=IPV6), ["v1.22.2-eksbuild.1", SUBNETS]),
        (release("v1.20.1", versions=VersionAdvice(default="v1.21.2", latest="v1.22.1-eksbuild.1")), ["v1.22.1-eksbuild.1"]),
        (
            release("v1.21.2-eksbuild.1", actor=Actor(who="ci", what="UpdateAddon", addon_version="v1.22.1-eksbuild.1")),
            ["v1.22.1-eksbuild.1"],
        ),
        (release("v1.21.2-eksbuild.1", actor=Actor(who="ci", what="UpdateAddon", addon_version="v1.22.2-eksbuild.1")), []),
        (release("v1.12.6-eksbuild.1"), ["v1.12.6", "use v1.13.0 or newer"]),
    ],
)
def test_a_known_bad_release_is_a_warning(snapshot: Snapshot, warnings: list[str]) -> None:
    diagnosis = diagnose(snapshot)
    found = summarize(snapshot, diagnosis, planned(snapshot)).warnings
    assert len([text for text in found if "is known to fail" in text]) == bool(warnings)
    assert all(part in found[0] for part in warnings)


def test_a_failed_update_to_a_known_bad_release_is_not_to_be_repeated() -> None:
    conflict = HealthIssue(code="ConfigurationConflict", message="Conflicts found")
    for requested, repeats in (("v1.22.1-eksbuild.1", False), ("v1.22.2-eksbuild.1", True)):
        snapshot = release("v1.21.2-eksbuild.1", actor=Actor(who="ci", what="UpdateAddon", addon_version=requested))
        record = diagnose(replace(snapshot, addon=addon(version="v1.21.2-eksbuild.1", status="UPDATE_FAILED", issues=(conflict,))))
        remedy = record[Link.ADDON_RECORD].remedies[0]
        assert (f"--addon-version {requested}" in remedy.command) is repeats
        assert ("use v1.22.2 or newer" in remedy.text) is not repeats


def test_no_update_to_a_known_bad_release_is_advised() -> None:
    snapshot = release("v1.20.1", versions=VersionAdvice(default="v1.21.2", latest="v1.22.1-eksbuild.1"))
    advised = summarize(snapshot, diagnose(snapshot), planned(snapshot)).addon
    assert advised is not None
    assert (advised.default, advised.latest) == ("v1.21.2", "")
