"""Claims about AWS, each with its source and a program that shows whether the emulator and the sandbox behave so.

The table in `docs/dependencies.md` has one row for each claim.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.exceptions import ClientError

from sandbox.aws.local_aws import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

CLUSTER: Final = "claims"
DELIVERED_S: Final = 5.0
"""Time within which an event or message arrives; on a quiet machine it takes milliseconds."""


@dataclass(frozen=True)
class Stack:
    """An AWS on this machine.

    Args:
        client: a client by service name, for an administrator, or for the key and secret that follow.
        ask: answers a GET with these headers, by path and query; returns status and body.
        signer: key and secret of a user whose presigned URLs are checked.
        add_cluster: creates the cluster `claims`.
    """

    client: Callable[..., Any]
    ask: Callable[[str, dict[str, str]], tuple[int, bytes]]
    signer: Callable[[], tuple[str, str]]
    add_cluster: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement about AWS, and who behaves so."""

    api: str
    text: str
    source: str
    emulator: bool
    sandbox: bool
    holds: Callable[[Stack], bool]

    @property
    def row(self) -> str:
        """The row of the table."""
        marks = ("yes" if self.emulator else "**no**", "yes" if self.sandbox else "**no**")
        return f"| {self.api} | [{self.text}]({self.source}) | {marks[0]} | {marks[1]} |"


def _refused(act: Callable[[], Any]) -> str:
    """The code of the error with which a call is refused, or an empty string."""
    try:
        act()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def user(stack: Stack, *statements: dict[str, Any]) -> tuple[str, str]:
    """Key and secret of a new user with these statements."""
    name, iam = f"u{uuid4().hex}", stack.client("iam")
    iam.create_user(UserName=name)
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return str(key["AccessKeyId"]), str(key["SecretAccessKey"])


def _allow(action: str, resource: str = "*", **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def role(stack: Stack, *statements: dict[str, Any]) -> str:
    """The ARN of a new role with these statements."""
    name, iam = f"r{uuid4().hex}", stack.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"][
        "Arn"
    ]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return str(arn)


def _simulated(stack: Stack, role: str, action: str, **rest: Any) -> str:
    answer = stack.client("iam").simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], **rest)
    return str(answer["EvaluationResults"][0]["EvalDecision"])


def _queue(stack: Stack) -> tuple[str, str]:
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName=f"q{uuid4().hex}")["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _arrived(stack: Stack, url: str, within_s: float = DELIVERED_S) -> str:
    """The body of the next message, or an empty string."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for message in stack.client("sqs").receive_message(QueueUrl=url).get("Messages", ()):
            return str(message["Body"])
        time.sleep(0.1)
    return ""


# --- IAM and STS -----------------------------------------------------------------------------------------------------------------


def _wrong_secret(stack: Stack) -> bool:
    key, _ = user(stack, _allow("*"))
    return _refused(lambda: stack.client("sts", key, "wrong").get_caller_identity()) == "SignatureDoesNotMatch"


def _no_policy(stack: Stack) -> bool:
    key = user(stack)
    return _refused(lambda: stack.client("ssm", *key).get_parameter(Name="/x")).startswith("AccessDenied")


def _simulates(stack: Stack) -> bool:
    arn = role(stack, _allow("ec2:DescribeInstances"))
    return [_simulated(stack, arn, f"ec2:{call}") for call in ("DescribeInstances", "RunInstances")] == ["allowed", "implicitDeny"]


def _simulates_context(stack: Stack) -> bool:
    arn = role(stack, _allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "eks.amazonaws.com"}}))
    entry = {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "string"}
    decisions = [
        _simulated(stack, arn, "iam:PassRole", ContextEntries=[{**entry, "ContextKeyValues": [service]}])
        for service in ("eks.amazonaws.com", "ec2.amazonaws.com")
    ]
    return decisions == ["allowed", "implicitDeny"]


def _by_path(stack: Stack) -> bool:
    key = user(stack, _allow("ssm:GetParametersByPath", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/app/*"))
    ssm = stack.client("ssm", *key)
    return not _refused(lambda: ssm.get_parameters_by_path(Path="/app/x")) and bool(_refused(lambda: ssm.get_parameters_by_path(Path="/b")))


def _source_key(stack: Stack) -> bool:
    key = user(stack, _allow("events:PutEvents", Condition={"StringEquals": {"events:source": "mine"}}))
    events = stack.client("events", *key)

    def put(source: str) -> str:
        return _refused(lambda: events.put_events(Entries=[{"Source": source, "DetailType": "d", "Detail": "{}"}]))

    return not put("mine") and bool(put("other"))


def _presigned(stack: Stack, tamper: str = "") -> tuple[int, bytes]:
    url = stack.client("sts", *stack.signer()).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    return stack.ask(f"/?{urlsplit(url).query}{tamper}", {"accept": "application/json", "host": urlsplit(url).netloc})


def _json_identity(stack: Stack) -> bool:
    status, body = _presigned(stack)
    return status == 200 and body.startswith(b"{") and "GetCallerIdentityResult" in json.loads(body).get("GetCallerIdentityResponse", {})


def _tampered_url(stack: Stack) -> bool:
    return _presigned(stack, "0")[0] == 403


# --- events, messages, tables ----------------------------------------------------------------------------------------------------


def _aws_source(stack: Stack) -> bool:
    entry = {"Source": "aws.eks", "DetailType": "d", "Detail": "{}"}
    return "EventId" not in stack.client("events").put_events(Entries=[entry])["Entries"][0]


def _queue_policy(stack: Stack) -> bool:
    sns, (url, arn) = stack.client("sns"), _queue(stack)
    topic = sns.create_topic(Name=f"t{uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="m")
    return not _arrived(stack, url, within_s=1.0)


def _one_writer(stack: Stack) -> bool:
    dynamodb, name = stack.client("dynamodb"), f"t{uuid4().hex}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    together = threading.Barrier(8)

    def write(number: int) -> str:
        together.wait()
        item = {"k": {"S": "one"}, "n": {"N": str(number)}}
        return _refused(lambda: dynamodb.put_item(TableName=name, Item=item, ConditionExpression="attribute_not_exists(k)"))

    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(write, range(8))) == ["", *["ConditionalCheckFailedException"] * 7]


# --- EKS -------------------------------------------------------------------------------------------------------------------------


def _addon(stack: Stack, **parameters: Any) -> tuple[Any, str]:
    eks, name = stack.client("eks"), "vpc-cni"
    stack.add_cluster()
    eks.create_addon(clusterName=CLUSTER, addonName=name, **parameters)
    deadline = time.monotonic() + DELIVERED_S
    while eks.describe_addon(clusterName=CLUSTER, addonName=name)["addon"]["status"] != "ACTIVE" and time.monotonic() < deadline:
        time.sleep(0.1)
    return eks, name


def _update_found(stack: Stack) -> bool:
    eks, name = _addon(stack)
    update = eks.update_addon(clusterName=CLUSTER, addonName=name, configurationValues="{}")["update"]["id"]
    return not _refused(lambda: eks.describe_update(name=CLUSTER, addonName=name, updateId=update))


def _update_excludes(stack: Stack) -> bool:
    eks, name = _addon(stack)
    eks.update_addon(clusterName=CLUSTER, addonName=name, configurationValues="{}")
    code = _refused(
        lambda: eks.update_addon(clusterName=CLUSTER, addonName=name, configurationValues="{}", clientRequestToken=str(uuid4()))
    )
    return code == "ResourceInUseException"


def _unknown_addon(stack: Stack) -> bool:
    stack.add_cluster()
    return bool(_refused(lambda: stack.client("eks").create_addon(clusterName=CLUSTER, addonName="no-such-addon")))


def _without_role(stack: Stack) -> bool:
    eks, name = _addon(stack)
    return "serviceAccountRoleArn" not in eks.describe_addon(clusterName=CLUSTER, addonName=name)["addon"]


def _addon_versions(stack: Stack) -> bool:
    return not _refused(lambda: stack.client("eks").describe_addon_versions(addonName="vpc-cni"))


# --- CloudFormation --------------------------------------------------------------------------------------------------------------


def _created(stack: Stack, resource: dict[str, Any]) -> str:
    """The physical id of a resource after its stack was created, or an empty string."""
    cloudformation, name = stack.client("cloudformation"), f"s{uuid4().hex}"
    try:
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"R": resource}}))
        deadline = time.monotonic() + DELIVERED_S
        while time.monotonic() < deadline:
            status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            if status == "CREATE_COMPLETE":
                found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
                return next((str(item.get("PhysicalResourceId", "")) for item in found), "")
            if "ROLLBACK" in status or "FAILED" in status:
                break
            time.sleep(0.1)
    except ClientError:
        pass
    return ""


def _metric_math(stack: Stack) -> bool:
    metric = {"Id": "m", "Expression": "SELECT SUM(x) FROM y", "Period": 60}
    alarm = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", "Metrics": [metric]}
    name = _created(stack, {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm})
    return bool(name and stack.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def _durable_config(stack: Stack) -> bool:
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": role(stack, _allow("logs:*")),
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "DurableConfig": {"ExecutionTimeout": 60},
    }
    name = _created(stack, {"Type": "AWS::Lambda::Function", "Properties": function})
    return bool(name and "DurableConfig" in stack.client("lambda").get_function_configuration(FunctionName=name))


def _topic_key(stack: Stack) -> bool:
    key = stack.client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = _created(stack, {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"t{uuid4().hex}", "KmsMasterKeyId": key}})
    return bool(topic) and stack.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"].get("KmsMasterKeyId") == key


def _access_entry(stack: Stack) -> bool:
    stack.add_cluster()
    entry = {"ClusterName": CLUSTER, "PrincipalArn": role(stack, _allow("eks:*"))}
    if not _created(stack, {"Type": "AWS::EKS::AccessEntry", "Properties": entry}):
        return False
    return entry["PrincipalArn"] in stack.client("eks").list_access_entries(clusterName=CLUSTER)["accessEntries"]


_DOCS: Final = "https://docs.aws.amazon.com"
_EKS: Final = f"{_DOCS}/eks/latest/APIReference"
_IAM: Final = f"{_DOCS}/IAM/latest"
_CFN: Final = f"{_DOCS}/AWSCloudFormation/latest/TemplateReference"


def _claim(api: str, text: str, source: str, holds: Callable[[Stack], bool], *, emulator: bool = False, sandbox: bool = False) -> Claim:
    return Claim(api=api, text=text, source=source, holds=holds, emulator=emulator, sandbox=sandbox)


CLAIMS: Final = (
    _claim("IAM", "a wrong signature is rejected", f"{_IAM}/UserGuide/reference_sigv.html", _wrong_secret, emulator=True),
    _claim(
        "IAM", "a call without a policy is denied", f"{_IAM}/UserGuide/reference_policies_evaluation-logic.html", _no_policy, emulator=True
    ),
    _claim(
        "IAM",
        "the simulator evaluates the policies of a role",
        f"{_IAM}/APIReference/API_SimulatePrincipalPolicy.html",
        _simulates,
        emulator=True,
    ),
    _claim("IAM", "the simulator uses the context of the request", f"{_IAM}/APIReference/API_ContextEntry.html", _simulates_context),
    _claim(
        "IAM",
        "GetParametersByPath is evaluated on its path",
        f"{_DOCS}/service-authorization/latest/reference/list_awssystemsmanager.html",
        _by_path,
    ),
    _claim(
        "IAM",
        "events:source limits PutEvents",
        f"{_DOCS}/service-authorization/latest/reference/list_amazoneventbridge.html",
        _source_key,
    ),
    _claim(
        "STS",
        "GetCallerIdentity answers in JSON on request, as aws-iam-authenticator reads it",
        "https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go",
        _json_identity,
        sandbox=True,
    ),
    _claim(
        "STS",
        "a changed presigned URL is rejected",
        f"{_IAM}/UserGuide/reference_sigv-create-signed-request.html",
        _tampered_url,
        emulator=True,
        sandbox=True,
    ),
    _claim(
        "EventBridge",
        "PutEvents rejects the sources of services",
        f"{_DOCS}/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html",
        _aws_source,
        emulator=True,
    ),
    _claim(
        "SNS",
        "a queue receives messages of a topic only if its policy allows them",
        f"{_DOCS}/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html",
        _queue_policy,
        emulator=True,
    ),
    _claim(
        "DynamoDB",
        "one of several conditional writes succeeds",
        f"{_DOCS}/amazondynamodb/latest/developerguide/WorkingWithItems.html",
        _one_writer,
        emulator=True,
        sandbox=True,
    ),
    _claim("EKS", "DescribeUpdate finds the update of an add-on", f"{_EKS}/API_DescribeUpdate.html", _update_found, sandbox=True),
    _claim("EKS", "an update excludes a second one", f"{_EKS}/API_UpdateAddon.html", _update_excludes, sandbox=True),
    _claim("EKS", "an unknown add-on is rejected", f"{_EKS}/API_CreateAddon.html", _unknown_addon, sandbox=True),
    _claim("EKS", "an add-on without role has no field for it", f"{_EKS}/API_Addon.html", _without_role, sandbox=True),
    _claim("EKS", "DescribeAddonVersions lists versions", f"{_EKS}/API_DescribeAddonVersions.html", _addon_versions, sandbox=True),
    _claim("CloudFormation", "an alarm on a query is created", f"{_CFN}/aws-resource-cloudwatch-alarm.html", _metric_math),
    _claim("CloudFormation", "a function keeps its DurableConfig", f"{_CFN}/aws-resource-lambda-function.html", _durable_config),
    _claim("CloudFormation", "a topic keeps its key", f"{_CFN}/aws-resource-sns-topic.html", _topic_key, sandbox=True),
    _claim("CloudFormation", "an access entry is created", f"{_CFN}/aws-resource-eks-accessentry.html", _access_entry),
)


def table() -> str:
    """The table of `docs/dependencies.md`."""
    head = "| API | as in AWS | emulator | sandbox |\n|---|---|---|---|\n"
    return head + "".join(f"{claim.row}\n" for claim in CLAIMS)
