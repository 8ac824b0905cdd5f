"""Files on the nodes of the embedded cluster. Programs on a node write them, and no API serves them."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

IPAMD_LOG: Final = "/var/log/aws-routed-eni/ipamd.log"
CNI_CONFIGURATION: Final = "/etc/cni/net.d/10-aws.conflist"
"""The file from which a kubelet knows that its node has a pod network.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.15.1/cmd/aws-vpc-cni/main.go
"""


class NodeFiles:
    """The files by node and path. A file outlives the pods of its node."""

    def __init__(self) -> None:
        self._lines: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def append(self, node: str, path: str, *lines: str) -> None:
        """Append lines to a file, which is created if it does not exist."""
        self._lines[node, path].extend(lines)

    def exists(self, node: str, path: str) -> bool:
        return (node, path) in self._lines

    def read(self, node: str, path: str) -> str:
        """The content of a file; empty if it does not exist."""
        return "".join(f"{line}\n" for line in list(self._lines.get((node, path), ())))

    def delete_all(self, node: str) -> None:
        """Delete every file of a node that was removed."""
        for key in [key for key in list(self._lines) if key[0] == node]:
            del self._lines[key]
