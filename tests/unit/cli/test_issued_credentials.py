"""What CloudTrail shows about the credentials of migrated pods."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cli.queries.issued_credentials import IssuedCredentials, issued_to, read_issued
from cli.queries.migration import read_migration
from lambdas.contract.parameters import Mechanism
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import BindingValue, Parameter
from sandbox.aws.cloudtrail import role_session
from tests.unit.cli.test_migration import BOUND, NODES, PATH, TARGET, migrating, run
from tests.world import NOON

CLUSTER_ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/demo"


def record(uid: str = "u-1", **changes: Any) -> dict[str, Any]:
    """The record of a call by which EKS gets credentials for a pod."""
    made = role_session(BOUND, cluster_arn=CLUSTER_ARN, subject="kube-system/aws-node", pod="aws-node-1", uid=uid, region="eu-west-1")
    return {**made, **changes}


def tagged(**values: str) -> dict[str, Any]:
    """The same record with other values of the session tags."""
    made = record()
    tags = [{**tag, "value": values.get(tag["key"].replace("-", "_"), tag["value"])} for tag in made["requestParameters"]["tags"]]
    return {**made, "requestParameters": {"roleArn": BOUND, "tags": tags}}


OTHERS: dict[str, Any] = {
    "another cluster": tagged(eks_cluster_arn="arn:aws:eks:eu-west-1:111122223333:cluster/other"),
    "another ServiceAccount": tagged(kubernetes_service_account="cart"),
    "a refused call": record(errorCode="AccessDenied"),
    "a call of a person": record(userIdentity={"type": "AssumedRole"}),
    "a call of another kind": record(eventName="TagSession"),
    "another role": record(requestParameters={"roleArn": "arn:aws:iam::111122223333:role/other"}),
    "no tags": record(requestParameters={"roleArn": BOUND, "tags": "none"}),
    "odd tags": record(requestParameters={"roleArn": BOUND, "tags": [1, {"key": []}]}),
    "nothing": {},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_only_calls_of_eks_for_the_service_account_of_the_cluster_count(other: dict[str, Any]) -> None:
    assert issued_to([record("u-1"), other], BOUND, CLUSTER_ARN, TARGET) == {"u-1"}
    assert issued_to([other], BOUND, CLUSTER_ARN, TARGET) == frozenset()


def test_the_pods_of_a_finished_migration_are_counted_as_their_records_arrive() -> None:
    world, fakes = migrating()
    unfinished = read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies)
    assert read_issued(unfinished, fakes.dependencies) is None
    run(fakes, Mechanism.POD_IDENTITY)
    done = read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies)
    assert read_issued(done, fakes.dependencies) == IssuedCredentials(pods=NODES, seen=0)
    uids = [pod.facts.uid for pod in world.clusters["demo"].pods.values()]
    fakes.identities.sessions += [(world.now, record(uid)) for uid in (uids[0], uids[0], "gone")]
    found = read_issued(done, fakes.dependencies)
    assert found == IssuedCredentials(pods=NODES, seen=1)
    assert "to 1 of 4 pods so far" in found.sentence
    fakes.identities.sessions += [(world.now, record(uid)) for uid in uids]
    fakes.identities.sessions.append((NOON - timedelta(days=1), record("old")))
    assert read_issued(done, fakes.dependencies) == IssuedCredentials(pods=NODES, seen=NODES)


def test_a_lookup_that_is_denied_is_not_known() -> None:
    world, fakes = migrating()
    run(fakes, Mechanism.POD_IDENTITY)
    done = read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies)
    world.fail("identities.role_sessions", AccessDenied("look up: AccessDeniedException", denial=Denial.FORBIDDEN), times=None)
    found = read_issued(done, fakes.dependencies)
    assert found
    assert found.sentence == "Whether AWS issued credentials to the pods is not known: look up: AccessDeniedException"


def test_records_without_session_tags_name_no_pod() -> None:
    world, fakes = migrating()
    run(fakes, Mechanism.POD_IDENTITY)
    world.parameters[PATH] = Parameter(value=BindingValue(role=BOUND, mechanism=Mechanism.POD_IDENTITY, session_tags=False).text)
    done = read_migration(TARGET, Mechanism.POD_IDENTITY, fakes.dependencies)
    assert read_issued(done, fakes.dependencies) == IssuedCredentials(
        pods=NODES, unknown="without session tags, a record does not name the pod"
    )
