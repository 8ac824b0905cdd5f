"""Whether the EKS Pod Identity agent answers on each node where pods of the ServiceAccount run."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lambdas.contract.names import AGENT_NAMESPACE, CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, object_name, ok, unknown
from lambdas.domain.diagnosis.links.annotation import identity_severity
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import AddonFacts, AgentFacts, ClusterFacts, PodFacts, Snapshot, Unknown

MOST_NODES: Final = 3
BUILT_IN: Final = "EKS Auto Mode has a built-in agent; other nodes were not checked"
_FARGATE: Final = "fargate-"
"""Prefix of the names of Fargate nodes.

Source: https://docs.aws.amazon.com/eks/latest/userguide/fargate-getting-started.html
"""


def is_agent_shown(snapshot: Snapshot) -> bool:
    """Whether a ready agent pod was read on each node of the pods."""
    return isinstance(snapshot.agent, AgentFacts) and isinstance(snapshot.agent.pods, tuple) and not _nodes_without(snapshot)


def _nodes_without(snapshot: Snapshot) -> list[PodFacts]:
    """One pod of the ServiceAccount for each node without a ready agent, the oldest of the node."""
    agent = snapshot.agent
    ready = {pod.node for pod in agent.pods if _serves(pod)} if isinstance(agent, AgentFacts) and isinstance(agent.pods, tuple) else set()
    oldest: dict[str, PodFacts] = {}
    for pod in sorted(reachable_pods(snapshot), key=lambda item: (item.created_at, item.name)):
        if pod.node and pod.node not in ready:
            oldest.setdefault(pod.node, pod)
    return list(oldest.values())


def _serves(pod: PodFacts) -> bool:
    return pod.ready and not pod.deleting


def _may_be_on_auto_mode(snapshot: Snapshot) -> bool:
    """Whether pods may run on nodes of EKS Auto Mode, where aws-node does not run."""
    return snapshot.addon_name != CNI_ADDON and isinstance(snapshot.cluster, ClusterFacts) and snapshot.cluster.auto_mode


def agent_finding(snapshot: Snapshot, found: str) -> Finding:
    """The state of the agent, as the rest of link 3. `found` is what was read about the association."""
    agent = snapshot.agent
    if not isinstance(agent, AgentFacts):
        return unknown(Link.MECHANISM, f"{found}; whether the agent runs was not read")
    if isinstance(agent.pods, Unknown):
        return unknown(Link.MECHANISM, f"{found}; whether the agent is ready on each node could not be read ({agent.pods.reason})")
    if not agent.pods:
        return _no_agent_pod(snapshot, agent, found)
    missing = _nodes_without(snapshot)
    nodes = {pod.node for pod in reachable_pods(snapshot) if pod.node}
    if not missing:
        return ok(Link.MECHANISM, f"{found}; the agent is ready on {len(nodes)} of {pluralize(len(nodes), 'node')} with its pods")
    return _not_on_node(snapshot, agent.pods, missing, found)


def _no_agent_pod(snapshot: Snapshot, agent: AgentFacts, found: str) -> Finding:
    """Neither an agent of the chart nor of the add-on has a pod. An agent under other labels is not found.

    aws-node does not run on Auto Mode nodes. It starts only with credentials, so a ready pod without others shows that an agent answered.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html
    """
    if _may_be_on_auto_mode(snapshot):
        return ok(Link.MECHANISM, f"{found}; {BUILT_IN}")
    served = [pod for pod in reachable_pods(snapshot) if pod.ready and credential_source(pod) is CredentialSource.ASSOCIATION]
    if served and snapshot.addon_name == CNI_ADDON:
        ready = pluralize(len(served), "pod with its credentials is", "pods with its credentials are")
        return unknown(Link.MECHANISM, f"{found}; no pod of the agent was found, though {ready} ready")
    if isinstance(agent.addon, Unknown):
        return unknown(Link.MECHANISM, f"{found}; no pod of the agent was found, and its add-on could not be read ({agent.addon.reason})")
    cluster = snapshot.target.cluster
    if isinstance(agent.addon, AddonFacts):
        state = f"its add-on is {agent.addon.status}, and it has no pod"
        remedy = Remedy("read why its DaemonSet has no pod", f"kubectl -n {AGENT_NAMESPACE} describe daemonset {POD_IDENTITY_AGENT_ADDON}")
    else:
        state = "its add-on is not installed, and it has no pod"
        remedy = Remedy("install the agent", f"aws eks create-addon --cluster-name {cluster} --addon-name {POD_IDENTITY_AGENT_ADDON}")
    return broken(
        Link.MECHANISM,
        Verdict.POD_IDENTITY_AGENT_MISSING,
        f"A pod identity association decides the role, but the Pod Identity agent is missing: {state}.",
        Evidence(f"add-on {POD_IDENTITY_AGENT_ADDON}", "status", agent.addon.status if isinstance(agent.addon, AddonFacts) else "none"),
        severity=identity_severity(snapshot),
        remedies=(remedy,),
    )


def _not_on_node(snapshot: Snapshot, agents: Sequence[PodFacts], missing: Sequence[PodFacts], found: str) -> Finding:
    """Nodes on which no agent is ready. A node that just joined has the grace period of the settings."""
    grace = timedelta(seconds=snapshot.settings.node_grace_s)
    late = [pod for pod in missing if snapshot.began_at - pod.created_at >= grace]
    names = _listed([pod.node for pod in late or missing])
    if not late:
        return unknown(Link.MECHANISM, f"{found}; the agent is not ready on {names}, within the grace period of a joining node")
    if _may_be_on_auto_mode(snapshot):
        return unknown(Link.MECHANISM, f"{found}; no agent pod is on {names}, and whether these are Auto Mode nodes was not read")
    there = {pod.node: pod for pod in agents}
    return broken(
        Link.MECHANISM,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
        f"The Pod Identity agent is not ready on {pluralize(len(late), 'node')} where pods run: {names}.",
        *(_agent_evidence(pod.node, there.get(pod.node)) for pod in late[:MOST_NODES]),
        severity=identity_severity(snapshot),
        remedies=_remedies(snapshot, late, there),
    )


def _agent_evidence(node: str, agent: PodFacts | None) -> Evidence:
    if agent is None:
        return Evidence(f"Node {node}", "agent", "no pod")
    state = agent.waiting or agent.termination_message[:200] or "not ready"
    return Evidence(f"Pod {agent.name}", f"agent on node {node}", state, agent.created_at)


def _remedies(snapshot: Snapshot, late: Sequence[PodFacts], there: dict[str, PodFacts]) -> tuple[Remedy, ...]:
    """What to do on the nodes: Fargate and Windows nodes never run the agent.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
    """
    windows = {node.name for node in snapshot.nodes if node.os == "windows"} if isinstance(snapshot.nodes, tuple) else set()
    unsupported = [pod.node for pod in late if pod.node.startswith(_FARGATE) or pod.node in windows]
    if len(unsupported) == len(late):
        return (Remedy("use IRSA for these pods: EKS Pod Identity does not work on Fargate and Windows nodes"),)
    node = next(pod.node for pod in late if pod.node not in unsupported)
    agent = there.get(node)
    if agent:
        return (Remedy("read why the agent's pod is not ready", f"kubectl -n {AGENT_NAMESPACE} describe pod {object_name(agent.name)}"),)
    return (
        Remedy(
            f"compare the tolerations and the node affinity of the agent's DaemonSet with node {object_name(node)}",
            f"kubectl -n {AGENT_NAMESPACE} get daemonset {POD_IDENTITY_AGENT_ADDON} -o yaml",
        ),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NODES]) + (f" and {len(names) - MOST_NODES} more" if len(names) > MOST_NODES else "")
