"""The generated admission policies, installed in a cluster for a while."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from lambdas.contract import admission
from lambdas.contract.access import BoundWorkload
from lambdas.contract.workloads import WorkloadKind
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.e2e.identities import REMEDIATOR, token
from tests.waiting import eventually

AWS_NODE: Final = BoundWorkload("kube-system", "aws-node", WorkloadKind.DAEMON_SET, "aws-node")
_PROBE: Final = f"{aws_node.PODS}/limits-probe"


@contextmanager
def installed(control_plane: ControlPlane, bound: Mapping[BoundWorkload, Sequence[str]]) -> Iterator[None]:
    """Install the policies, and wait until they are in force. The remediator's group needs the right to delete pods in kube-system."""
    admin = control_plane.client()
    manifests = admission.limit_policies(bound)
    for manifest in manifests:
        admin.apply(admission.path_of(manifest), manifest, manager="administrator")
    wait_until_limited(control_plane, limited=True)
    yield
    for manifest in reversed(manifests):
        admin.delete(admission.path_of(manifest))
    wait_until_limited(control_plane, limited=False)


def wait_until_limited(control_plane: ControlPlane, *, limited: bool) -> None:
    """Wait until the deletion of a pod that is not bound is denied, or is no longer. It is a dry run."""
    admin = control_plane.client()
    thief = control_plane.client(token(REMEDIATOR, cluster=control_plane.cluster_name))
    spec = {"nodeSelector": {"no": "where"}, "containers": [{"name": "probe", "image": "example/probe:1"}]}
    admin.create(aws_node.PODS, {"metadata": {"name": "limits-probe"}, "spec": spec})
    wanted = 403 if limited else 200
    eventually(lambda: thief.ask("DELETE", f"{_PROBE}?dryRun=All").status, lambda status: status == wanted)
    admin.delete(f"{_PROBE}?gracePeriodSeconds=0")
