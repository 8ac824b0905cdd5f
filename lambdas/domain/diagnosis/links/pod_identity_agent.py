"""Whether the EKS Pod Identity agent answers on each node where pods of the ServiceAccount run."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from lambdas.contract.names import AGENT_NAMESPACE, CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, object_name, ok, unknown
from lambdas.domain.diagnosis.links.annotation import identity_severity
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.node_reachability import nodes_without_agent, reachable_pods
from lambdas.domain.snapshot.snapshot import AddonFacts, AgentFacts, ClusterFacts, ComputeType, PodFacts, Snapshot, Unknown

MOST_NODES: Final = 3
UNSUPPORTED: Final = {ComputeType.FARGATE: "Fargate", ComputeType.WINDOWS: "Windows"}
"""Nodes on which EKS Pod Identity does not work, with their names.

Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
"""
_FARGATE: Final = "fargate-"
"""Prefix of the names of Fargate nodes.

Source: https://docs.aws.amazon.com/eks/latest/userguide/fargate-getting-started.html
"""


def is_agent_shown(snapshot: Snapshot) -> bool:
    """Whether a ready agent was read on each node of the pods."""
    return isinstance(snapshot.agent, AgentFacts) and isinstance(snapshot.agent.pods, tuple) and not _nodes_without(snapshot)


def _nodes_without(snapshot: Snapshot) -> list[PodFacts]:
    """One pod of the ServiceAccount for each node without a ready agent, the oldest of the node."""
    agent, types = snapshot.agent, _compute_types(snapshot)
    agents = agent.pods if isinstance(agent, AgentFacts) and isinstance(agent.pods, tuple) else ()
    missing = nodes_without_agent(reachable_pods(snapshot), agents)
    return [pod for pod in missing if types.get(pod.node) is not ComputeType.AUTO]


def joining_nodes(snapshot: Snapshot) -> tuple[str, ...]:
    """The nodes of the pods without a ready agent, where each is within the grace period of a joining node; else none."""
    grace, missing = timedelta(seconds=snapshot.settings.node_grace_s), _nodes_without(snapshot)
    has_agent = isinstance(snapshot.agent, AgentFacts) and isinstance(snapshot.agent.pods, tuple) and bool(snapshot.agent.pods)
    types = _compute_types(snapshot)
    are_joining = all(snapshot.began_at - pod.created_at < grace and types.get(pod.node) not in UNSUPPORTED for pod in missing)
    return tuple(pod.node for pod in missing) if has_agent and are_joining else ()


def _compute_types(snapshot: Snapshot) -> Mapping[str, ComputeType]:
    """The types of nodes that are known. The name of a Fargate node shows its type."""
    read = snapshot.agent.compute_types if isinstance(snapshot.agent, AgentFacts) else {}
    by_name = {pod.node: ComputeType.FARGATE for pod in reachable_pods(snapshot) if pod.node.startswith(_FARGATE)}
    return {**by_name, **read} if isinstance(read, Mapping) else by_name


def _may_be_on_auto_mode(snapshot: Snapshot) -> bool:
    """Whether pods may run on nodes of EKS Auto Mode, which have a built-in agent and no pod of it. aws-node does not run there."""
    is_read = isinstance(snapshot.agent, AgentFacts) and isinstance(snapshot.agent.compute_types, Mapping)
    has_auto_mode = isinstance(snapshot.cluster, ClusterFacts) and snapshot.cluster.auto_mode
    return has_auto_mode and not is_read and snapshot.addon_name != CNI_ADDON


def agent_finding(snapshot: Snapshot, found: str) -> Finding:
    """The state of the agent, as the rest of link 3. `found` is what was read about the association."""
    agent = snapshot.agent
    if not isinstance(agent, AgentFacts):
        return unknown(Link.MECHANISM, f"{found}; whether the agent runs was not read")
    if isinstance(agent.pods, Unknown):
        return unknown(Link.MECHANISM, f"{found}; whether the agent is ready on each node could not be read ({agent.pods.reason})")
    types, missing = _compute_types(snapshot), _nodes_without(snapshot)
    nodes = {pod.node for pod in reachable_pods(snapshot) if pod.node}
    if not missing and (nodes or agent.pods):
        built_in = sum(types.get(node) is ComputeType.AUTO for node in nodes)
        note = f", built into EKS Auto Mode on {built_in} of them" if built_in else ""
        return ok(Link.MECHANISM, f"{found}; the agent is ready on {len(nodes)} of {pluralize(len(nodes), 'node')} with its pods{note}")
    unsupported = [pod for pod in missing if types.get(pod.node) in UNSUPPORTED]
    if not agent.pods and (not missing or len(unsupported) < len(missing)):
        return _no_agent_pod(snapshot, agent, found, unsupported)
    return _not_on_node(snapshot, agent.pods, missing, found)


def _no_agent_pod(snapshot: Snapshot, agent: AgentFacts, found: str, unsupported: Sequence[PodFacts]) -> Finding:
    """Neither an agent of the chart nor of the add-on has a pod. An agent under other labels is not found.

    aws-node starts only with credentials, so a ready pod without others shows that an agent answered.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html
    """
    if _may_be_on_auto_mode(snapshot):
        return unknown(Link.MECHANISM, f"{found}; no pod of the agent was found, and whether the nodes are of EKS Auto Mode was not read")
    served = [pod for pod in reachable_pods(snapshot) if pod.ready and credential_source(pod) is CredentialSource.ASSOCIATION]
    if served and snapshot.addon_name == CNI_ADDON:
        ready = pluralize(len(served), "pod with its credentials is", "pods with its credentials are")
        return unknown(Link.MECHANISM, f"{found}; no pod of the agent was found, though {ready} ready")
    if isinstance(agent.addon, Unknown):
        return unknown(Link.MECHANISM, f"{found}; no pod of the agent was found, and its add-on could not be read ({agent.addon.reason})")
    if isinstance(agent.addon, AddonFacts):
        state = f"its add-on is {agent.addon.status}, and it has no pod"
        remedy = Remedy("read why its DaemonSet has no pod", f"kubectl -n {AGENT_NAMESPACE} describe daemonset {POD_IDENTITY_AGENT_ADDON}")
    else:
        state = "its add-on is not installed, and it has no pod"
        options = f"--cluster-name {snapshot.target.cluster} --addon-name {POD_IDENTITY_AGENT_ADDON}"
        remedy = Remedy("install the agent", aws_command("eks create-addon", snapshot.region, options))
    depends = "A pod identity association decides the role, but the" if snapshot.association else "The"
    return broken(
        Link.MECHANISM,
        Verdict.POD_IDENTITY_AGENT_MISSING,
        f"{depends} Pod Identity agent is missing: {state}.",
        Evidence(f"add-on {POD_IDENTITY_AGENT_ADDON}", "status", agent.addon.status if isinstance(agent.addon, AddonFacts) else "none"),
        severity=identity_severity(snapshot),
        remedies=(remedy, *_use_irsa(snapshot, unsupported)),
    )


def _not_on_node(snapshot: Snapshot, agents: Sequence[PodFacts], missing: Sequence[PodFacts], found: str) -> Finding:
    """Nodes on which no agent is ready. A node that just joined has the grace period of the settings, unless no agent can run there."""
    grace, types = timedelta(seconds=snapshot.settings.node_grace_s), _compute_types(snapshot)
    unsupported = [pod for pod in missing if types.get(pod.node) in UNSUPPORTED]
    others = [pod for pod in missing if pod not in unsupported]
    late = [pod for pod in others if snapshot.began_at - pod.created_at >= grace]
    if not late and not unsupported:
        return unknown(Link.MECHANISM, f"{found}; the agent is not ready on {_listed(others)}, within the grace period of a joining node")
    if _may_be_on_auto_mode(snapshot) and not unsupported:
        return unknown(Link.MECHANISM, f"{found}; no agent pod is on {_listed(late)}, and whether these are Auto Mode nodes was not read")
    there = {pod.node: pod for pod in agents}
    sentences = [f"EKS Pod Identity does not work on {_kinds(unsupported, types)}, where pods run: {_listed(unsupported)}."] * bool(
        unsupported
    )
    sentences += [f"The Pod Identity agent is not ready on {pluralize(len(late), 'node')} where pods run: {_listed(late)}."] * bool(late)
    return broken(
        Link.MECHANISM,
        Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE,
        " ".join(sentences),
        *(_agent_evidence(pod.node, there.get(pod.node)) for pod in (*unsupported, *late)[:MOST_NODES]),
        severity=identity_severity(snapshot),
        remedies=(*_use_irsa(snapshot, unsupported), *_agent_remedies(snapshot, late, there, types)),
    )


def _agent_evidence(node: str, agent: PodFacts | None) -> Evidence:
    if agent is None:
        return Evidence(f"Node {node}", "agent", "no pod")
    state = agent.waiting or agent.termination_message[:200] or "not ready"
    return Evidence(f"Pod {agent.name}", f"agent on node {node}", state, agent.created_at)


def _use_irsa(snapshot: Snapshot, unsupported: Sequence[PodFacts]) -> tuple[Remedy, ...]:
    if not unsupported:
        return ()
    kinds = _kinds(unsupported, _compute_types(snapshot))
    return (Remedy(f"use IRSA for these pods, or run them on Linux nodes of EC2: EKS Pod Identity does not work on {kinds}"),)


def _kinds(pods: Sequence[PodFacts], types: Mapping[str, ComputeType]) -> str:
    kinds = {name for pod in pods for compute_type, name in UNSUPPORTED.items() if types.get(pod.node) is compute_type}
    return f"{' and '.join(sorted(kinds))} nodes"


def _agent_remedies(
    snapshot: Snapshot, late: Sequence[PodFacts], there: Mapping[str, PodFacts], types: Mapping[str, ComputeType]
) -> tuple[Remedy, ...]:
    """What to do about the agent on the first node. Hybrid nodes have a DaemonSet of their own, which the add-on does not create by
    default.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-add-ons.html
    """
    if not late:
        return ()
    node = late[0].node
    if agent := there.get(node):
        return (Remedy("read why the agent's pod is not ready", f"kubectl -n {AGENT_NAMESPACE} describe pod {object_name(agent.name)}"),)
    if types.get(node) is ComputeType.HYBRID:
        return (
            Remedy(
                "let the add-on create the agent's DaemonSet for hybrid nodes (hybrid-bottlerocket for Bottlerocket) beside its other"
                " configuration values, and set enableCredentialsFile in the NodeConfig of the nodes",
                aws_command(
                    "eks update-addon",
                    snapshot.region,
                    f"--cluster-name {snapshot.target.cluster} --addon-name {POD_IDENTITY_AGENT_ADDON}",
                    """--configuration-values '{"daemonsets":{"hybrid":{"create":true}}}' --resolve-conflicts PRESERVE""",
                ),
            ),
        )
    return (
        Remedy(
            f"compare the tolerations and the node affinity of the agent's DaemonSet with node {object_name(node)}",
            f"kubectl -n {AGENT_NAMESPACE} get daemonset {POD_IDENTITY_AGENT_ADDON} -o yaml",
        ),
    )


def _listed(pods: Sequence[PodFacts]) -> str:
    names = [pod.node for pod in pods]
    return ", ".join(names[:MOST_NODES]) + (f" and {len(names) - MOST_NODES} more" if len(names) > MOST_NODES else "")
