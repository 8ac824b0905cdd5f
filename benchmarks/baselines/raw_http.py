"""Raw client: urllib3 and orjson send the requests of the product's warm check one after the other."""

import os
from datetime import UTC, datetime

import calls
import orjson
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION, ENDPOINT, TABLE = os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL"], os.environ["IRSA_INCIDENTS_TABLE"]
KEYS = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN"))
aws = urllib3.PoolManager()
known = {}


def call_aws(service, method, path, body=b"", headers=None):
    request = AWSRequest(method, ENDPOINT + path, data=body, headers=headers or {})
    SigV4Auth(KEYS, service, REGION).add_auth(request)
    return orjson.loads(aws.request(method, ENDPOINT + path, body=body or None, headers=dict(request.headers)).data)


def update_row(cluster, expression, condition, values):
    body = {
        "TableName": TABLE,
        "Key": calls.row_key(cluster),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    headers = {"X-Amz-Target": "DynamoDB_20120810.UpdateItem", "Content-Type": "application/x-amz-json-1.0"}
    return call_aws("dynamodb", "POST", "/", orjson.dumps(body), headers)


def warm_up(cluster):
    """Fill what a warm process holds: facts, a token and an open connection."""
    import boto3

    facts = calls.read_facts({name: boto3.client(name, region_name=REGION) for name in ("ssm", "eks", "iam")}, cluster)
    known.update(facts, pool=calls.https_pool(facts["cluster"]), token=calls.token(cluster, REGION))


def get(path):
    headers = {"Authorization": f"Bearer {known['token']}", "Accept": "application/json", "Accept-Encoding": "gzip"}
    return orjson.loads(known["pool"].request("GET", known["cluster"]["endpoint"] + path, headers=headers).data)


def lambda_handler(event, context):
    cluster, at = event["detail"]["cluster"], datetime.now(UTC).isoformat()
    if not known:
        warm_up(cluster)
    update_row(cluster, "ADD signals :one", "attribute_exists(incident_id)", {":one": {"N": "1"}})
    addon = call_aws("eks", "GET", f"/clusters/{cluster}/addons/vpc-cni")["addon"]
    associations = f"/clusters/{cluster}/pod-identity-associations?namespace={calls.NAMESPACE}&serviceAccount={calls.NAME}"
    listed = call_aws("eks", "GET", associations)
    state = (
        get(f"/api/v1/namespaces/{calls.NAMESPACE}/serviceaccounts/{calls.NAME}"),
        get(f"/apis/apps/v1/namespaces/{calls.NAMESPACE}/daemonsets/{calls.NAME}"),
        get(f"/api/v1/namespaces/{calls.NAMESPACE}/pods?fieldSelector=spec.serviceAccountName%3D{calls.NAME}&limit=250")["items"],
    )
    if not calls.is_healthy(known, (addon["serviceAccountRoleArn"], len(listed["associations"])), state):
        raise RuntimeError("a healthy cluster was not recognized")
    values = {":at": {"S": at}}
    update_row(cluster, "SET known_good_at = :at", "attribute_not_exists(known_good_at) OR known_good_at < :at", values)
    return {"verdict": "no-fault-found"}
