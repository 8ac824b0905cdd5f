"""Manifests of a usual EKS cluster: nodes, and a workload of each kind."""

from __future__ import annotations

import hashlib
from typing import Any

from sandbox.cluster.aws_node import ROLE_KEY
from sandbox.cluster.clock import stamp, utc_now

NOT_READY_TAINT = "node.kubernetes.io/not-ready"
CNI_MISSING = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
_HEALTHY = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}


def node(
    index: int,
    *,
    ready: bool = True,
    version: str = "1.28",
    region: str = "eu-west-1",
    node_group: str = "default",
    compute_type: str = "ec2",
    arch: str = "amd64",
    os: str = "linux",
) -> dict[str, Any]:
    """A worker node; its name, address and instance id are derived from the index.

    A node that is not ready is as a kubelet registers it: the CNI is not initialized.
    """
    address = f"10.0.{index // 250}.{index % 250 + 4}"
    name = f"ip-{address.replace('.', '-')}.{region}.compute.internal"
    zone, instance = f"{region}{'abc'[index % 3]}", _instance_id(index)
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": os,
        "kubernetes.io/arch": arch,
        "node.kubernetes.io/instance-type": "m5.large",
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
        "eks.amazonaws.com/nodegroup": node_group,
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "eks.amazonaws.com/compute-type": compute_type,
    }
    spec: dict[str, Any] = {"providerID": f"aws:///{zone}/{instance}"}
    if not ready:
        spec["taints"] = [{"key": NOT_READY_TAINT, "effect": "NoSchedule"}]
    status = {
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "capacity": {"cpu": "2", "memory": "7910Mi", "pods": "29", "ephemeral-storage": "20959212Ki"},
        "allocatable": {"cpu": "1930m", "memory": "7220Mi", "pods": "29", "ephemeral-storage": "18242267924"},
        "conditions": conditions(ready=ready),
        "nodeInfo": _node_info(version, arch, instance) | (_WINDOWS if os == "windows" else {}),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec, "status": status}


def conditions(*, ready: bool, since: str = "") -> list[dict[str, Any]]:
    """The four conditions that a kubelet reports; not ready means that the CNI is missing."""
    when = since or stamp(utc_now())
    times = {"lastHeartbeatTime": when, "lastTransitionTime": when}
    found = [{"type": kind, "status": "False", **times, "reason": reason, "message": text} for kind, (reason, text) in _HEALTHY.items()]
    return [*found, ready_condition(ready=ready) | times]


def ready_condition(*, ready: bool) -> dict[str, Any]:
    if ready:
        return {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": CNI_MISSING}


_WINDOWS = {"operatingSystem": "windows", "osImage": "Windows Server 2022 Datacenter", "kernelVersion": "10.0.20348.2113"}


def _instance_id(index: int) -> str:
    return f"i-0{hashlib.sha256(str(index).encode()).hexdigest()[:16]}"


def _node_info(version: str, arch: str, instance: str) -> dict[str, Any]:
    digest = hashlib.sha256(instance.encode()).hexdigest()
    return {
        "machineID": digest[:32],
        "systemUUID": f"ec2{digest[:5]}-{digest[5:9]}-{digest[9:13]}-{digest[13:17]}-{digest[17:29]}",
        "bootID": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
        "kernelVersion": "5.10.199-190.747.amzn2.x86_64" if arch == "amd64" else "5.10.199-190.747.amzn2.aarch64",
        "osImage": "Amazon Linux 2",
        "containerRuntimeVersion": "containerd://1.6.19",
        "kubeletVersion": f"v{version}.3-eks-e71965b",
        "kubeProxyVersion": f"v{version}.3-eks-e71965b",
        "operatingSystem": "linux",
        "architecture": arch,
    }


def service_account(name: str, namespace: str = "kube-system", *, role_arn: str | None = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if role_arn:
        metadata["annotations"] = {ROLE_KEY: role_arn}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def deployment(name: str, *, account: str, replicas: int = 2, namespace: str = "kube-system") -> dict[str, Any]:
    """A Deployment whose pods use a ServiceAccount, e.g. `ebs-csi-controller`."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    return _workload("Deployment", name, namespace, _spec(name, account, replicas) | {"strategy": strategy})


def stateful_set(name: str, *, account: str, replicas: int = 2, namespace: str = "default") -> dict[str, Any]:
    """A StatefulSet whose pods use a ServiceAccount."""
    return _workload("StatefulSet", name, namespace, _spec(name, account, replicas) | {"serviceName": name})


def _workload(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _spec(name: str, account: str, replicas: int) -> dict[str, Any]:
    container = {"name": name, "image": f"example/{name}:1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": account, "containers": [container]}}
    return {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
