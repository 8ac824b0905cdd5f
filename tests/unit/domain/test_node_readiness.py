"""Why a node is not Ready: its conditions distinguish the causes."""

from dataclasses import replace

import pytest

from lambdas.domain.diagnosis.node_readiness import NodeCause, cause, not_ready_otherwise, waiting_for_cni
from lambdas.domain.snapshot.snapshot import NodeFacts

NODE = NodeFacts(name="n", ready=False, reason="KubeletNotReady", message="", since=None, created_at=None)
CNI = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"


@pytest.mark.parametrize(
    ("node", "why"),
    [
        pytest.param(replace(NODE, ready=True, message=CNI), None, id="Ready, whatever it says"),
        pytest.param(replace(NODE, message=CNI), NodeCause.CNI, id="cni plugin not initialized"),
        pytest.param(replace(NODE, message="runtime network not ready: cni config uninitialized"), NodeCause.CNI, id="cni config"),
        pytest.param(replace(NODE, ready=None, message=CNI), NodeCause.LOST, id="lost, whatever it said last"),
        pytest.param(replace(NODE, ready=None, shut_down=True), NodeCause.SHUT_DOWN, id="lost, and the cloud says why"),
        pytest.param(
            replace(NODE, message=f"{CNI}; InsufficientFreeAddressesInSubnet"), NodeCause.ADDRESSES, id="no address, and so no CNI"
        ),
        pytest.param(replace(NODE, message="IPAMDNoIPs"), NodeCause.ADDRESSES, id="the monitoring agent's word"),
        pytest.param(replace(NODE, pressures=("DiskPressure",)), NodeCause.DISK, id="disk"),
        pytest.param(replace(NODE, pressures=("MemoryPressure", "DiskPressure")), NodeCause.DISK, id="disk before memory"),
        pytest.param(replace(NODE, pressures=("MemoryPressure",)), NodeCause.MEMORY, id="memory"),
        pytest.param(replace(NODE, message=CNI, pressures=("DiskPressure",)), NodeCause.CNI, id="the CNI before pressure"),
        pytest.param(replace(NODE, message=CNI, os="windows"), NodeCause.OTHER_NETWORK, id="Windows has no aws-node"),
        pytest.param(replace(NODE, message=CNI, compute_type="auto"), NodeCause.OTHER_NETWORK, id="Auto Mode brings its own network"),
        pytest.param(replace(NODE, message=CNI, compute_type="hybrid"), NodeCause.OTHER_NETWORK, id="hybrid nodes run Cilium"),
        pytest.param(replace(NODE, message=CNI, compute_type="fargate"), NodeCause.OTHER_NETWORK, id="Fargate"),
        pytest.param(replace(NODE, message=CNI, compute_type="ec2"), NodeCause.CNI, id="a label of an ordinary node"),
        pytest.param(replace(NODE, message="PLEG is not healthy"), NodeCause.OTHER, id="something else"),
        pytest.param(replace(NODE, pressures=("PIDPressure",)), NodeCause.OTHER, id="a pressure without a word of ours"),
    ],
)
def test_the_cause_is_read_from_the_node(node: NodeFacts, why: NodeCause | None) -> None:
    assert cause(node) is why
    assert (node in waiting_for_cni([node])) == (why is NodeCause.CNI)
    assert (node in not_ready_otherwise([node])) == (why not in (None, NodeCause.CNI))
