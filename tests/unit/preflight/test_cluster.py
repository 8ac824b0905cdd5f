"""An existing cluster before an upgrade: the findings, and the missing calls."""

import shlex
from dataclasses import replace
from typing import Any

import pytest

from lambdas.domain.errors import AccessDenied, Denial
from preflight.cluster import ClusterReport, Upgrade
from preflight.context import AddonRole
from preflight.report import PreflightReport
from preflight.run import compare_with_cluster
from tests.unit.preflight.clusters import report_on, report_on_demo
from tests.world import described, right_trust, role_arn

BOUND, OTHER = role_arn("demo-vpc-cni"), role_arn("old-vpc-cni")

ROWS: dict[str, tuple[dict[str, Any], list[str], int]] = {
    "sound": ({}, [], 0),
    "sound-without-binding": ({"binding": None}, [], 0),
    "record-empty": ({"addon": {"role_arn": None}}, ["record-without-role"], 1),
    "record-empty-without-binding": ({"binding": None, "addon": {"role_arn": None}}, ["record-without-role"], 1),
    "record-of-another-role": ({"addon": {"role_arn": OTHER}}, ["record-differs"], 1),
    "annotation-of-another-role-without-binding": ({"binding": None, "annotation": OTHER}, ["record-differs", "chain-degraded"], 1),
    "annotation-gone": ({"annotation": None, "pods": {"role": None}}, ["chain-degraded", "chain-degraded"], 0),
    "nowhere-a-role": ({"binding": None, "annotation": None, "addon": {"role_arn": None}, "pods": {"role": None}}, ["no-role"], 0),
    "trust-wrong": ({"role": {"trust": right_trust("https://oidc.eks.eu-west-1.amazonaws.com/id/9A1C")}}, ["chain-broken"], 1),
    "role-gone": ({"role": None}, ["chain-broken"], 1),
    "provider-gone": ({"oidc_provider": None}, ["chain-broken"], 1),
    "association": (
        {
            "associations": [BOUND],
            "addon": {"role_arn": None},
            "role": {
                "trust": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "pods.eks.amazonaws.com"},
                            "Action": ["sts:AssumeRole", "sts:TagSession"],
                        }
                    ],
                }
            },
        },
        ["chain-broken", "chain-degraded", "pod-identity"],  # the agent is not installed, and the pods use IRSA, which the role refuses
        1,
    ),
    "no-addon": ({"addon": None}, ["no-record"], 2),
    "no-addon-no-role": ({"addon": None, "binding": None, "annotation": None, "pods": {"role": None}}, ["no-role"], 0),
    "no-addon-nothing-runs": ({"addon": None, "workload": None, "cluster": {"nodes": 0}}, ["addon-absent"], 0),
    "updating": ({"addon": {"status": "UPDATING"}}, ["update-in-progress"], 2),
    "degraded-otherwise": (
        {"addon": {"status": "DEGRADED", "issues": [{"code": "ConfigurationConflict", "message": "conflict"}]}},
        ["chain-degraded"],
        0,
    ),
    "version-of-yesterday": ({"addon": {"version": "v1.13.4-eksbuild.1"}}, ["version-outgrown"], 0),
}


def rules_of(it: ClusterReport) -> list[str]:
    return [found.rule.name for found in it.findings]


@pytest.mark.parametrize(("description", "rules", "exit_code"), ROWS.values(), ids=ROWS)
def test_each_cluster_is_judged(description: dict[str, Any], rules: list[str], exit_code: int) -> None:
    found = report_on_demo(description)
    assert rules_of(found) == rules
    assert PreflightReport(clusters=(found,)).exit_code == exit_code


def test_a_version_that_is_not_offered_is_refused_with_those_that_are() -> None:
    found = report_on_demo({}, Upgrade(addon_version="v9.9.9-eksbuild.1"))
    assert rules_of(found) == ["version-not-offered"]
    assert found.findings[0].message.endswith("it offers v1.16.0-eksbuild.1, v1.15.1-eksbuild.1 (default).")


@pytest.mark.parametrize(
    ("target", "refused", "rules"),
    [
        ("v1.22.1-eksbuild.1", "ec2:DescribeSecurityGroups", ["calls-missing", "release-known-bad"]),
        ("v1.22.1-eksbuild.1", "ec2:DescribeTags", []),
        ("v1.22.2-eksbuild.1", "ec2:DescribeSecurityGroups", []),
        ("v1.22.2-eksbuild.1", "ec2:DescribeSubnets", ["calls-missing"]),
    ],
)
def test_the_calls_of_the_target_release_are_compared_with_the_role(target: str, refused: str, rules: list[str]) -> None:
    found = report_on_demo({"simulated": {refused: "implicitDeny"}}, Upgrade(addon_version=target))
    assert [rule for rule in rules_of(found) if rule != "version-not-offered"] == rules


def test_a_kubernetes_version_that_does_not_exist_is_refused() -> None:
    assert rules_of(report_on_demo({"cluster": {"version": "1.98"}}, Upgrade(kubernetes_version="1.99"))) == ["version-not-offered"]


@pytest.mark.parametrize("asked", ["1.30", "1.27"], ids=["two minor versions up", "down"])
def test_a_kubernetes_version_that_eks_does_not_go_to_in_one_step_is_refused_and_no_call_is_proposed(asked: str) -> None:
    found = report_on_demo({"cluster": {"version": "1.28"}}, Upgrade(kubernetes_version=asked))
    assert rules_of(found) == ["kubernetes-version-refused"]
    assert "takes it to 1.29 next" in found.findings[0].message
    assert found.commands == ()


def test_an_upgrade_that_outgrows_the_addon_names_the_default() -> None:
    found = report_on_demo({}, Upgrade(kubernetes_version="1.29"))
    assert rules_of(found) == ["version-outgrown"]
    assert found.addon_target == found.addon_default == "v1.18.0-eksbuild.1"


def test_the_calls_upgrade_the_control_plane_first_and_name_role_and_preserve() -> None:
    found = report_on_demo({}, Upgrade(kubernetes_version="1.29"))
    assert found.commands == (
        "aws eks update-cluster-version --region eu-west-1 --name demo --kubernetes-version 1.29",
        "aws eks wait cluster-active --region eu-west-1 --name demo",
        "aws eks update-addon --region eu-west-1 --cluster-name demo --addon-name vpc-cni --addon-version v1.18.0-eksbuild.1 "
        f"--service-account-role-arn {BOUND} --resolve-conflicts PRESERVE",
    )


def test_the_binding_s_role_is_named_where_the_record_has_another() -> None:
    (call,) = report_on_demo({"addon": {"role_arn": OTHER}}).commands
    assert f"--service-account-role-arn {BOUND}" in call
    assert "--addon-version" not in call  # it has the default already


def test_beside_an_association_no_role_is_named() -> None:
    found = report_on_demo({"associations": [BOUND]})
    assert "--service-account-role-arn" not in found.commands[-1]
    assert "--pod-identity-associations" in found.without_role


@pytest.mark.parametrize("record", [BOUND, OTHER, None], ids=["right", "other", "none"])
def test_a_creation_without_the_role_is_always_reported(record: str | None) -> None:
    found = report_on_demo({"addon": {"role_arn": record}})
    assert found.without_role.startswith("Without --service-account-role-arn")
    assert (record != OTHER) or OTHER in found.without_role


def test_text_from_outside_cannot_add_words_to_a_command() -> None:
    (*_, call) = report_on_demo({}, Upgrade(addon_version="v1; rm -rf /")).commands
    words = shlex.split(call)
    assert "v1; rm -rf /" in words
    assert words.count("--resolve-conflicts") == 1


def test_an_unreadable_cluster_is_not_assessed() -> None:
    world = described()
    world.fail("cluster.service_account", AccessDenied("forbidden", denial=Denial.FORBIDDEN), times=None)
    found = report_on("demo", Upgrade(), world)
    assert rules_of(found) == ["chain-unreadable"]
    assert found.commands


def test_a_cluster_that_is_not_there_is_not_judged() -> None:
    found = report_on("nowhere", Upgrade(), described())
    assert rules_of(found) == ["chain-unreadable"]
    assert found.commands == ()


def test_unreadable_versions_are_unknown() -> None:
    world = described()
    world.fail("eks.offered_versions", AccessDenied("not allowed", denial=Denial.FORBIDDEN))
    found = report_on("demo", Upgrade(), world)
    assert rules_of(found) == ["versions-unreadable"]
    assert PreflightReport(clusters=(found,)).exit_code == 2


def test_windows_nodes_keep_the_policy_of_their_node_role() -> None:
    world = described({"addon": {"role_arn": None}})
    name, node = next(iter(world.clusters["demo"].nodes.items()))
    world.clusters["demo"].nodes[name] = replace(node, os="windows")
    assert "windows-nodes" in rules_of(report_on("demo", Upgrade(), world))


def test_nothing_is_written() -> None:
    world = described({"addon": {"role_arn": None, "issues": ()}, "annotation": None})
    report_on("demo", Upgrade(kubernetes_version="1.29"), world)
    assert world.writes == []


@pytest.mark.parametrize(
    ("installed", "asked", "wanted"),
    [
        ("v1.15.1-eksbuild.1", "", ""),  # the default
        ("v1.16.0-eksbuild.1", "", ""),  # later than the default
        ("v1.13.4-eksbuild.1", "", "v1.15.1-eksbuild.1"),  # no longer offered
        ("v1.9.0-eksbuild.1", "", "v1.15.1-eksbuild.1"),  # 9 is less than 15
        ("v1.16.0-eksbuild.1", "v1.15.1-eksbuild.1", "v1.15.1-eksbuild.1"),  # whoever asks for an older one gets it
        ("v1.16.0-eksbuild.1", "v1.16.0-eksbuild.1", ""),
    ],
)
def test_the_default_is_proposed_where_it_is_a_step_forward(installed: str, asked: str, wanted: str) -> None:
    found = report_on_demo({"addon": {"version": installed}}, Upgrade(addon_version=asked))
    assert found.addon_target == wanted
    assert ("--addon-version" in found.commands[-1]) is bool(wanted)


@pytest.mark.parametrize(
    ("role", "description", "rules"),
    [
        (BOUND, {}, []),
        (OTHER, {}, ["record-differs"]),
        (BOUND, {"annotation": OTHER}, []),
        (OTHER, {"binding": None}, ["file-differs-from-cluster"]),
        ("", {"associations": [BOUND]}, []),
        ("", {}, ["role-dropped"]),
        (None, {}, []),
        (BOUND, {"binding": None, "annotation": OTHER}, ["record-differs"]),
        ("", {"binding": None, "annotation": None, "addon": {"role_arn": None}, "pods": {"role": None}}, []),
    ],
    ids=[
        "same",
        "another than the binding",
        "that of the binding",
        "another than the annotation",
        "none beside an association",
        "none",
        "not known yet",
        "that of the record",
        "none anywhere",
    ],
)
def test_the_role_of_a_file_is_compared_with_the_running_cluster(role: str | None, description: dict[str, Any], rules: list[str]) -> None:
    declared = AddonRole(cluster="demo", role=role, resource="cni")
    assert [finding.rule.name for finding in compare_with_cluster(declared, [report_on_demo(description)])] == rules


def test_a_file_about_another_cluster_is_not_compared() -> None:
    assert compare_with_cluster(AddonRole(cluster="other", role=OTHER, resource="cni"), [report_on_demo()]) == []
