"""The VPC CNI as EKS installs it: ServiceAccount and DaemonSet `kube-system/aws-node`.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.15.1/config/master/aws-k8s-cni.yaml
"""

from __future__ import annotations

from typing import Any

NAME = "aws-node"
NAMESPACE = "kube-system"
ROLE_KEY = "eks.amazonaws.com/role-arn"
_SELECTOR = {"k8s-app": NAME}
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "aws-vpc-cni"} | _SELECTOR
_REQUESTS = {"requests": {"cpu": "25m"}}
# Environment variables of the manifest, except the computed ones.
_SETTINGS = {
    "ADDITIONAL_ENI_TAGS": "{}",
    "AWS_VPC_CNI_NODE_PORT_SUPPORT": "true",
    "AWS_VPC_ENI_MTU": "9001",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "false",
    "AWS_VPC_K8S_CNI_EXTERNALSNAT": "false",
    "AWS_VPC_K8S_CNI_LOGLEVEL": "DEBUG",
    "AWS_VPC_K8S_CNI_LOG_FILE": "/host/var/log/aws-routed-eni/ipamd.log",
    "AWS_VPC_K8S_CNI_RANDOMIZESNAT": "prng",
    "AWS_VPC_K8S_CNI_VETHPREFIX": "eni",
    "AWS_VPC_K8S_PLUGIN_LOG_FILE": "/var/log/aws-routed-eni/plugin.log",
    "AWS_VPC_K8S_PLUGIN_LOG_LEVEL": "DEBUG",
    "DISABLE_INTROSPECTION": "false",
    "DISABLE_METRICS": "false",
    "DISABLE_NETWORK_RESOURCE_PROVISIONING": "false",
    "ENABLE_IPv4": "true",
    "ENABLE_IPv6": "false",
    "ENABLE_POD_ENI": "false",
    "ENABLE_PREFIX_DELEGATION": "false",
    "WARM_ENI_TARGET": "1",
    "WARM_PREFIX_TARGET": "1",
}
# Volume name -> path on the host.
_HOST_PATHS = {
    "bpf-pin-path": "/sys/fs/bpf",
    "cni-bin-dir": "/opt/cni/bin",
    "cni-net-dir": "/etc/cni/net.d",
    "log-dir": "/var/log/aws-routed-eni",
    "run-dir": "/var/run/aws-node",
    "xtables-lock": "/run/xtables.lock",
}


def _registry(region: str) -> str:
    return f"602401143452.dkr.ecr.{region}.amazonaws.com"


def _labels(version: str) -> dict[str, str]:
    return _LABELS | {"app.kubernetes.io/version": version}


def service_account(*, role_arn: str | None = None, version: str = "v1.15.1") -> dict[str, Any]:
    """The ServiceAccount, with the role annotation if a role is given."""
    metadata: dict[str, Any] = {"name": NAME, "namespace": NAMESPACE, "labels": _labels(version)}
    if role_arn:
        metadata["annotations"] = {ROLE_KEY: role_arn}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def daemon_set(*, version: str = "v1.15.1", max_unavailable: str | int = "10%", region: str = "eu-west-1") -> dict[str, Any]:
    """The DaemonSet, without status."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": _labels(version)},
        "spec": {
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": max_unavailable}},
            "selector": {"matchLabels": _SELECTOR},
            "template": {"metadata": {"labels": _LABELS}, "spec": _pod_spec(version, region)},
        },
    }


def _pod_spec(version: str, region: str) -> dict[str, Any]:
    return {
        "priorityClassName": "system-node-critical",
        "serviceAccountName": NAME,
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 10,
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {},
        "initContainers": [_init_container(version, region)],
        "containers": [_plugin(version, region), _node_agent(region)],
        "volumes": [{"name": name, "hostPath": {"path": path, "type": ""}} for name, path in _HOST_PATHS.items()],
        "affinity": {"nodeAffinity": _node_affinity()},
    }


def _init_container(version: str, region: str) -> dict[str, Any]:
    return {
        "name": "aws-vpc-cni-init",
        "image": f"{_registry(region)}/amazon-k8s-cni-init:{version}",
        "env": _env({"DISABLE_TCP_EARLY_DEMUX": "false", "ENABLE_IPv6": "false"}),
        "securityContext": {"privileged": True},
        "resources": _REQUESTS,
        "volumeMounts": [_mount("cni-bin-dir", "/host/opt/cni/bin")],
    }


def _plugin(version: str, region: str) -> dict[str, Any]:
    probe = {
        "exec": {"command": ["/app/grpc-health-probe", "-addr=:50051", "-connect-timeout=5s", "-rpc-timeout=5s"]},
        "timeoutSeconds": 10,
    }
    fields = [_field("MY_NODE_NAME", "spec.nodeName"), _field("MY_POD_NAME", "metadata.name")]
    mounts = {
        "/host/opt/cni/bin": "cni-bin-dir",
        "/host/etc/cni/net.d": "cni-net-dir",
        "/host/var/log/aws-routed-eni": "log-dir",
        "/var/run/aws-node": "run-dir",
        "/run/xtables.lock": "xtables-lock",
    }
    return {
        "name": NAME,
        "image": f"{_registry(region)}/amazon-k8s-cni:{version}",
        "ports": [{"containerPort": 61678, "name": "metrics"}],
        "livenessProbe": probe | {"initialDelaySeconds": 60},
        "readinessProbe": probe | {"initialDelaySeconds": 1},
        "env": [*_env(_SETTINGS | {"VPC_CNI_VERSION": version}), *fields],
        "resources": _REQUESTS,
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        "volumeMounts": [_mount(name, path) for path, name in mounts.items()],
    }


def _node_agent(region: str) -> dict[str, Any]:
    switched_off = ("enable-ipv6", "enable-network-policy", "enable-cloudwatch-logs", "enable-policy-event-logs")
    return {
        "name": "aws-eks-nodeagent",
        "image": f"{_registry(region)}/amazon/aws-network-policy-agent:v1.0.4",
        "env": [_field("MY_NODE_NAME", "spec.nodeName")],
        "args": [*(f"--{each}=false" for each in switched_off), "--metrics-bind-addr=:8162", "--health-probe-bind-addr=:8163"],
        "resources": _REQUESTS,
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}, "privileged": True},
        "volumeMounts": [
            _mount("cni-bin-dir", "/host/opt/cni/bin"),
            _mount("bpf-pin-path", "/sys/fs/bpf"),
            _mount("log-dir", "/var/log/aws-routed-eni"),
            _mount("run-dir", "/var/run/aws-node"),
        ],
    }


def _node_affinity() -> dict[str, Any]:
    expressions = [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
        {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate", "hybrid", "auto"]},
    ]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}


def _env(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def _mount(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "mountPath": path}
