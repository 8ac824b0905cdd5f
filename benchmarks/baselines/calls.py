"""The calls of one healthy check, with boto3 and a plain HTTPS client, for one cluster and one ServiceAccount."""

import base64
import json
import os
import tempfile
from datetime import UTC, datetime

import boto3
import urllib3
from botocore.exceptions import ClientError
from botocore.signers import RequestSigner

NAMESPACE, NAME, ROLE_KEY = "kube-system", "aws-node", "eks.amazonaws.com/role-arn"
ADDON = "vpc-cni"
ROOT = "/eks-irsa-remediator"


def row_key(cluster):
    return {"pk": {"S": f"sa#{cluster}/{NAMESPACE}/{NAME}"}, "sk": {"S": "now"}}


def count_signal(dynamodb, cluster):
    """Count a signal of an open incident; returns whether one is open."""
    try:
        dynamodb.update_item(
            TableName=os.environ["IRSA_INCIDENTS_TABLE"],
            Key=row_key(cluster),
            UpdateExpression="ADD signals :one",
            ConditionExpression="attribute_exists(incident_id)",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def record_healthy(dynamodb, cluster, at):
    dynamodb.update_item(
        TableName=os.environ["IRSA_INCIDENTS_TABLE"],
        Key=row_key(cluster),
        UpdateExpression="SET known_good_at = :at",
        ConditionExpression="attribute_not_exists(known_good_at) OR known_good_at < :at",
        ExpressionAttributeValues={":at": {"S": at}},
    )


def parameters(ssm, cluster):
    found = {}
    for folder in (f"{kind}/{scope}" for kind in ("bindings", "settings") for scope in (cluster, "_default")):
        token = {}
        while token is not None:
            page = ssm.get_parameters_by_path(Path=f"{ROOT}/{folder}", Recursive=True, MaxResults=10, **token)
            found.update((parameter["Name"], parameter["Value"]) for parameter in page["Parameters"])
            token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    return found


def read_facts(clients, cluster):
    """Read from Parameter Store, EKS and IAM all that a check needs before it calls the cluster."""
    bound = parameters(clients["ssm"], cluster)[f"{ROOT}/bindings/{cluster}/{NAMESPACE}/{NAME}"]
    described = clients["eks"].describe_cluster(name=cluster)["cluster"]
    issuer = described["identity"]["oidc"]["issuer"].removeprefix("https://")
    role = clients["iam"].get_role(RoleName=bound.rsplit("/", 1)[-1])["Role"]
    provider = f"arn:aws:iam::{bound.split(':')[4]}:oidc-provider/{issuer}"
    clients["iam"].get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    return {"bound": bound, "cluster": described, "issuer": issuer, "trust": role["AssumeRolePolicyDocument"]}


def read_addon(eks, cluster):
    """Return the add-on's role and the number of Pod Identity associations."""
    addon = eks.describe_addon(clusterName=cluster, addonName=ADDON)["addon"]
    where = {"clusterName": cluster, "namespace": NAMESPACE, "serviceAccount": NAME}
    return addon.get("serviceAccountRoleArn"), len(eks.list_pod_identity_associations(**where)["associations"])


def trusts(document, issuer):
    """Return whether the trust policy, in its common form, allows the ServiceAccount."""
    policy = document if isinstance(document, dict) else json.loads(document)
    subject = f"system:serviceaccount:{NAMESPACE}:{NAME}"
    for statement in policy["Statement"]:
        equal = statement.get("Condition", {}).get("StringEquals", {})
        if equal.get(f"{issuer}:sub") == subject and equal.get(f"{issuer}:aud") == "sts.amazonaws.com":
            return True
    return False


def token(cluster, region):
    """Return a token as `aws eks get-token` does."""
    session = boto3.session.Session()
    sts = session.client("sts", region_name=region)
    signer = RequestSigner(sts.meta.service_model.service_id, region, "sts", "v4", session.get_credentials(), session.events)
    request = {
        "method": "GET",
        "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def ca_file(described):
    """Write the cluster's certificate authority to a file and return its path."""
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as file:
        file.write(base64.b64decode(described["certificateAuthority"]["data"]))
    return file.name


def https_pool(described):
    return urllib3.PoolManager(ca_certs=ca_file(described), cert_reqs="CERT_REQUIRED")


def get(pool, described, bearer, path):
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    answer = pool.request("GET", described["endpoint"] + path, headers=headers)
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return json.loads(answer.data)


def read_cluster(pool, described, bearer):
    """Return ServiceAccount, DaemonSet and pods."""
    account = get(pool, described, bearer, f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}")
    workload = get(pool, described, bearer, f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{NAME}")
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?fieldSelector=spec.serviceAccountName%3D{NAME}&limit=250"
    pods = get(pool, described, bearer, path)["items"]
    return account, workload, pods


def is_healthy(known, record, cluster_state):
    """Return whether the chain is intact."""
    (recorded, associations), (account, workload, pods) = record, cluster_state
    carried = {env.get("value") for pod in pods for c in pod["spec"]["containers"] for env in c["env"] if env["name"] == "AWS_ROLE_ARN"}
    return (
        associations == 0
        and recorded == known["bound"]
        and account["metadata"].get("annotations", {}).get(ROLE_KEY) == known["bound"]
        and carried == {known["bound"]}
        and workload["status"]["numberReady"] == workload["status"]["desiredNumberScheduled"]
        and trusts(known["trust"], known["issuer"])
    )


def now():
    return datetime.now(UTC).isoformat(timespec="microseconds")
