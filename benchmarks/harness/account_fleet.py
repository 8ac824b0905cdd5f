"""A fleet of many accounts: one API server for each account serves its clusters, and a few of the clusters have a fault."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trustme

from benchmarks.harness.static_fleet import accept_token, fill_cluster
from lambdas.contract.parameters import binding_path
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local_aws import REGION
from sandbox.aws.many_accounts import ManyAccounts
from sandbox.cluster import aws_node
from sandbox.cluster.embedded_cluster import EmbeddedCluster
from sandbox.resource_stack import ResourceStack
from sandbox.simulation.aws_account import NAMESPACE, ROLE, role_arn
from sandbox.simulation.scenario import World
from sandbox.simulation.trust_policies import trust_policy

CLOSED: Final = "999999999999"
"""An account whose role cannot be assumed."""
READER: Final = "reader"
_ROOT: Final = Path(__file__).resolve().parents[2]
_ISSUER: Final = f"https://oidc.eks.{REGION}.amazonaws.com/id/{'77D0' * 8}"
_FAULTY_EVERY: Final = 10


@dataclass
class AccountFleet(ResourceStack):
    """`accounts` accounts with `clusters` clusters each, in one region of them all.

    In every tenth account, the first cluster has an add-on record without its role, and the second one does not answer.
    """

    accounts: int
    clusters: int
    nodes: int = 3
    aws: ManyAccounts = field(default_factory=lambda: ManyAccounts(closed=(CLOSED,)))

    @property
    def numbers(self) -> list[str]:
        """The accounts that can be read."""
        return [f"{1000 + number:012}" for number in range(self.accounts)]

    @property
    def faulty(self) -> list[str]:
        """The accounts with a broken and an unknown cluster."""
        return self.numbers[::_FAULTY_EVERY]

    def _set_up(self) -> None:
        self._stack.enter_context(self.aws)
        self.aws.roles.create("oncall")
        silent = self._stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        self._silent = f"https://127.0.0.1:{silent.getsockname()[1]}"
        for account in self.numbers:
            self._fill(account)

    def _fill(self, account: str) -> None:
        role, world = role_arn(ROLE, account), World()
        server = self._stack.enter_context(EmbeddedCluster(account, authenticate=accept_token, certificate=trustme.CA()))
        fill_cluster(server.store, nodes=self.nodes, role=role)
        iam, ssm, eks = self.aws.client_of(account, "iam"), self.aws.client_of(account, "ssm"), self.aws.eks_of(account, REGION)
        policy = trust_policy(world, issuer=_ISSUER.removeprefix("https://"), account=account, namespace=NAMESPACE)
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(policy))
        iam.create_open_id_connect_provider(Url=_ISSUER, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["9" * 40])
        ca_data = base64.b64encode(server.ca_pem).decode()
        for number in range(self.clusters):
            is_faulty = account in self.faulty
            url = self._silent if is_faulty and number == 1 else server.url
            name = f"cluster-{number}"
            eks.add_cluster(ClusterSpec(name=name, endpoint=url, ca_data=ca_data, issuer=_ISSUER))
            record = {} if is_faulty and number == 0 else {"serviceAccountRoleArn": role}
            eks.add_addon(name, "vpc-cni", addonVersion=world.addon_version, **record)
            ssm.put_parameter(Name=binding_path(name, NAMESPACE, aws_node.NAME), Value=role, Type="String", Overwrite=True)

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `irsa-remediator fleet` for all accounts, and for the one that cannot be read, in a process of its own."""
        roles = [f"arn:aws:iam::{account}:role/{READER}" for account in (*self.numbers, CLOSED)]
        arguments = ["fleet", *(word for role in roles for word in ("--account-role", role)), *options]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IRSA_"))}
        environment: dict[str, Any] = {**kept, **self.aws.environment("oncall"), "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments], capture_output=True, text=True, env=environment, cwd=_ROOT, check=False, timeout=600
        )
