"""What the emulator and the sandbox get right and wrong, each shown by a program.

A claim that a new version of the emulator meets fails here, so that a difference of `make deploy-local` or a double of ours can go.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3

from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local_aws import REGION, LocalAws
from sandbox.control_plane.processes import ProcessGroup
from sandbox.local_deployment.emulator import Emulator
from tests.local_deployment.claims import CLAIMS, CLUSTER, Claim, Stack, role, user

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    processes = ProcessGroup(folder=Path(tempfile.mkdtemp(prefix="deploy-local-")))
    try:
        running = Emulator(processes)
        running.start("http://127.0.0.1:9")  # no function runs
        yield running
    finally:
        processes.close()


@pytest.fixture
def emulated(emulator: Emulator) -> Iterator[Stack]:
    eks = emulator.client("eks")

    def client(service: str, key: str = "", secret: str = "") -> Any:
        return emulator.client_of(service, key, secret) if key else emulator.client(service)

    def ask(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
        with urllib3.PoolManager(ca_certs=str(emulator.authority)) as http:
            answer = http.request("GET", emulator.url + target, headers=headers)
        return answer.status, answer.data

    def add_cluster() -> None:
        eks.create_cluster(name=CLUSTER, roleArn=role(stack), resourcesVpcConfig={})

    stack = Stack(client, ask, lambda: user(stack), add_cluster)
    yield stack
    if CLUSTER in eks.list_clusters()["clusters"]:
        for addon in eks.list_addons(clusterName=CLUSTER)["addons"]:
            eks.delete_addon(clusterName=CLUSTER, addonName=addon)
        eks.delete_cluster(name=CLUSTER)


@pytest.fixture
def sandboxed() -> Iterator[Stack]:
    with LocalAws() as aws:
        aws.eks.configure(create_s=0, update_s=30)

        def client(service: str, key: str = "", secret: str = "") -> Any:
            if not key:
                return aws.client(service)
            keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
            return boto3.session.Session().client(service, region_name=REGION, endpoint_url=aws.endpoint, **keys)  # type: ignore[call-overload]

        def ask(target: str, headers: dict[str, str]) -> tuple[int, bytes]:
            with urllib3.PoolManager() as http:
                answer = http.request("GET", aws.endpoint + target, headers=headers)
            return answer.status, answer.data

        def signer() -> tuple[str, str]:
            created = aws.roles.create_user("signer")
            return created.access_key_id, created.secret_access_key

        def add_cluster() -> None:
            aws.eks.add_cluster(ClusterSpec(name=CLUSTER, endpoint="https://127.0.0.1", ca_data=""))

        yield Stack(client, ask, signer, add_cluster)


def by_text(claim: Claim) -> str:
    return f"{claim.api}: {claim.text}"


@pytest.mark.parametrize("claim", CLAIMS, ids=by_text)
def test_the_emulator_behaves_as_the_table_says(emulated: Stack, claim: Claim) -> None:
    assert claim.holds(emulated) is claim.emulator


@pytest.mark.parametrize("claim", CLAIMS, ids=by_text)
def test_the_sandbox_behaves_as_the_table_says(sandboxed: Stack, claim: Claim) -> None:
    assert claim.holds(sandboxed) is claim.sandbox


def test_the_emulator_starts_no_execution_of_a_durable_function(emulated: Stack) -> None:
    """It requires a field `Enabled` of DurableConfig, which the API does not have.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_DurableConfig.html
    """
    client, package = emulated.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {'Status': 'SUCCEEDED', 'Result': 'null'}\n")
    client.create_function(
        FunctionName="durable",
        Runtime="python3.13",
        Handler="index.handler",
        Role=role(emulated),
        Code={"ZipFile": package.getvalue()},
        DurableConfig={"ExecutionTimeout": 60},
        Publish=True,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="durable")
    started = client.invoke(FunctionName="durable", Qualifier="1", DurableExecutionName="one", Payload=b"{}")
    assert started["StatusCode"] == 200
    assert "DurableExecutionArn" not in started
