"""The environment of a scenario in which the functions, rules, roles and topics are those that CDK has deployed."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.asset import REPOSITORY
from lambdas.contract.environment import Function, variable
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.control_plane.processes import ProcessGroup
from sandbox.event_bus.rules import make_queue
from sandbox.functions.function import Function as LocalFunction
from sandbox.functions.lambda_api import LambdaApi
from sandbox.local_deployment.assembly import STACK, Assembly, synthesize
from sandbox.local_deployment.cdk import Cdk, clean_variables, run_to_end
from sandbox.local_deployment.deployed_function import DeployedFunction
from sandbox.local_deployment.differences import ACCESS_ENTRY
from sandbox.local_deployment.emulated_aws import EmulatedAws
from sandbox.local_deployment.emulator import Emulator
from sandbox.local_deployment.inventory import resources
from sandbox.local_deployment.log_follower import LogFollower
from sandbox.local_deployment.rule_delivery import RuleDelivery
from sandbox.simulation.aws_account import CHECKER, CLUSTER, OPERATOR, REMEDIATOR, ROLE, Topics, role_arn
from sandbox.simulation.deployment import ALIAS
from sandbox.simulation.environment import SandboxEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.local_deployment.differences import Resource
    from sandbox.simulation.scenario import World

CNI_POLICY: Final = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"
"""Source: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html"""

LOG_LABELS: Final = {Function.CHECKER: CHECKER, Function.REMEDIATOR: REMEDIATOR}
"""Function -> its name in the lines of a run."""


class DeployedEnvironment(SandboxEnvironment):
    """Sets up the world, deploys the stacks, and removes them on request. The list of differences says what is not as in AWS.

    Args:
        on_step: called with each step of the set-up.
        on_progress: called with the last line of the command that a step runs.
    """

    AWS = "AWS emulator"

    def __init__(
        self,
        world: World,
        *,
        cluster: str = "embedded",
        on_step: Callable[[str], None] = lambda _: None,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_progress = on_progress
        self.processes = ProcessGroup(folder=Path(tempfile.mkdtemp(prefix="deploy-local-")))
        self.emulator = Emulator(self.processes)
        self.assembly: Assembly
        super().__init__(world, cluster=cluster, on_step=on_step)

    def _local_aws(self) -> EmulatedAws:
        return EmulatedAws(self.emulator, may_pass=self._may_pass)

    def _set_up(self) -> None:
        self._stack.callback(self.processes.close)
        super()._set_up()

    # --- the stacks --------------------------------------------------------------------------------------------------------------

    def _deploy(self) -> None:
        self._set_policies()
        queue, queue_arn = make_queue(self.aws.client("sqs"), "chat-messages")
        self._cdk = Cdk(self.processes, self.emulator.variables_of_tools(), self._on_progress)
        self._on_step("cdk synth, and the functions' package for this machine")
        self.assembly = synthesize(self._cdk, self.processes.folder)
        self._on_step("cdk bootstrap")
        self._run_cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
        self._before = resources(self.emulator.client)
        self._on_step(f"cdk deploy: {self.assembly.resources} resources")
        self._run_cdk("deploy", "--all", "--require-approval", "never", "--progress", "events")
        self._on_step("cluster access, seed data and log readers")
        self._read_deployment(queue, queue_arn)

    def _run_cdk(self, command: str, *arguments: str) -> None:
        self._cdk.run(command, *arguments, "--app", str(self.assembly.folder))

    def _set_policies(self) -> None:
        """The bound role gets the policy of the plug-in, and the person of the scenario the right to update add-ons."""
        iam = self.aws.client("iam")
        if self.world.role_exists:
            iam.attach_role_policy(RoleName=ROLE, PolicyArn=CNI_POLICY)
        statements = [
            {"Effect": "Allow", "Action": ["eks:UpdateAddon"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": role_arn(ROLE)},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=OPERATOR, PolicyName="update-addons", PolicyDocument=policy)

    def _read_deployment(self, queue: str, queue_arn: str) -> None:
        (stack,) = self.emulator.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.topics = Topics(chat=outputs["ChatTopicArn"], people=outputs["PeopleTopicArn"], chat_queue=queue)
        sns = self.emulator.client("sns")
        self._allow_delivery(queue, queue_arn)
        self._subscription = sns.subscribe(TopicArn=self.topics.chat, Protocol="sqs", Endpoint=queue_arn)["SubscriptionArn"]
        functions = self.emulator.client("lambda").list_functions()["Functions"]
        self.deployed = {kind: item for kind in Function for item in functions if item["Handler"] == kind.handler}
        self.table = self.deployed[Function.CHECKER]["Environment"]["Variables"][variable("incidents_table")]

    def _allow_delivery(self, queue: str, queue_arn: str) -> None:
        """Source: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self.topics.chat}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.emulator.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})

    def _create_access_entries(self) -> None:
        exports = {item["Name"]: item["Value"] for item in self.emulator.client("cloudformation").list_exports()["Exports"]}
        for entry in self._removed(ACCESS_ENTRY):
            self.aws.client("eks").create_access_entry(
                clusterName=entry["ClusterName"],
                principalArn=exports[entry["PrincipalArn"]["Fn::ImportValue"]],
                kubernetesGroups=entry["KubernetesGroups"],
                type=entry["Type"],
            )

    def _removed(self, kind: str) -> list[Resource]:
        return [item["Properties"] for item in self.assembly.removed.values() if item["Type"] == kind]

    def verify(self, columns: int) -> tuple[int, str]:
        """Run `irsa-remediator verify` as a person does after a deployment; returns its status and its output."""
        variables = {**clean_variables(self.processes.folder), **self.emulator.variables_of_tools(), "COLUMNS": str(columns)}
        variables |= {"AWS_ENDPOINT_URL": self.aws.endpoint}
        used = {name: value for name, value in variables.items() if value}
        program = self.processes.start("verify", [sys.executable, "-m", "cli", "verify"], used, is_isolated=True, folder=REPOSITORY)
        return run_to_end(program, self._on_progress)

    def deployed_resources(self) -> frozenset[str]:
        """The resources of the account that did not exist before the deployment."""
        return resources(self.emulator.client) - self._before

    def destroy(self) -> frozenset[str]:
        """Destroy the stacks; returns what is left of the deployed resources."""
        self._follower.stop()
        eks = self.aws.client("eks")
        for principal in eks.list_access_entries(clusterName=CLUSTER)["accessEntries"]:
            eks.delete_access_entry(clusterName=CLUSTER, principalArn=principal)
        self.emulator.client("sns").unsubscribe(SubscriptionArn=self._subscription)
        self._on_step("cdk destroy")
        self._run_cdk("destroy", "--all", "--force")
        return self.deployed_resources()

    def delete_incidents_table(self) -> None:
        """Delete the table, which a destroyed stack keeps, as `docs/deploy.md` says."""
        self.emulator.client("dynamodb").delete_table(TableName=self.table)

    # --- permissions -------------------------------------------------------------------------------------------------------------

    def _may_pass(self, principal: str, role: str, service: str) -> bool:
        """Ask the emulator's policy simulator, which knows the deployed policies."""
        source = f"arn:aws:iam::{ACCOUNT}:user/{principal}" if principal == OPERATOR else role_arn(principal)
        return self.emulator.allows(source, "iam:PassRole", role, {"iam:PassedToService": service})

    # --- the functions -----------------------------------------------------------------------------------------------------------

    def _start_functions(self) -> None:
        client = self.emulator.client("lambda")
        remediator = self.deployed[Function.REMEDIATOR]
        self.functions = self._stack.enter_context(LambdaApi(region=REGION, others=self.emulator.forward))
        durable = LocalFunction(name=remediator["FunctionName"], asset=Path(), handler=remediator["Handler"], durable=True)
        self.functions.add_pool(DeployedFunction(durable, ALIAS, client))
        self.aws.route("lambda", self.functions)
        self.bus = self._stack.enter_context(RuleDelivery(self.emulator.client))  # type: ignore[assignment]  # has the methods that a run uses
        self.aws.eks.hook(on_event=self.bus.put_soon)
        groups: Mapping[str, str] = {label: self.deployed[kind]["LoggingConfig"]["LogGroup"] for kind, label in LOG_LABELS.items()}
        self._follower = self._stack.enter_context(LogFollower(self.emulator.client("logs"), groups, self._line))

    def rules_used(self) -> list[tuple[str, Any]]:
        """Rule and event of each delivery by a deployed rule."""
        return list(self.bus.delivered)  # type: ignore[attr-defined]  # the bus of this environment
