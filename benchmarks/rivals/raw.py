"""The warm check's rival: urllib3 and orjson sending the requests that our warm check sends, one after the other."""

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


def sent(service, method, path, body=b"", headers=None):
    request = AWSRequest(method, ENDPOINT + path, data=body, headers=headers or {})
    SigV4Auth(KEYS, service, REGION).add_auth(request)
    return orjson.loads(aws.request(method, ENDPOINT + path, body=body or None, headers=dict(request.headers)).data)


def updated(cluster, expression, condition, values):
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
    return sent("dynamodb", "POST", "/", orjson.dumps(body), headers)


def first(cluster):
    """What a warm process knows: the facts, a token, an open connection."""
    import boto3

    facts = calls.facts({name: boto3.client(name, region_name=REGION) for name in ("ssm", "eks", "iam")}, cluster)
    known.update(facts, pool=calls.https(facts["cluster"]), token=calls.token(cluster, REGION))


def got(path):
    headers = {"Authorization": f"Bearer {known['token']}", "Accept": "application/json", "Accept-Encoding": "gzip"}
    return orjson.loads(known["pool"].request("GET", known["cluster"]["endpoint"] + path, headers=headers).data)


def lambda_handler(event, context):
    cluster, at = event["detail"]["cluster"], datetime.now(UTC).isoformat()
    if not known:
        first(cluster)
    updated(cluster, "ADD signals :one", "attribute_exists(incident_id)", {":one": {"N": "1"}})
    addon = sent("eks", "GET", f"/clusters/{cluster}/addons/vpc-cni")["addon"]
    listed = sent("eks", "GET", f"/clusters/{cluster}/pod-identity-associations?namespace={calls.NAMESPACE}&serviceAccount={calls.NAME}")
    state = (
        got(f"/api/v1/namespaces/{calls.NAMESPACE}/serviceaccounts/{calls.NAME}"),
        got(f"/apis/apps/v1/namespaces/{calls.NAMESPACE}/daemonsets/{calls.NAME}"),
        got(f"/api/v1/namespaces/{calls.NAMESPACE}/pods?fieldSelector=spec.serviceAccountName%3D{calls.NAME}&limit=250")["items"],
    )
    if not calls.healthy(known, (addon["serviceAccountRoleArn"], len(listed["associations"])), state):
        raise RuntimeError("the world is healthy, and this was not seen")
    values = {":at": {"S": at}}
    updated(cluster, "SET known_good_at = :at", "attribute_not_exists(known_good_at) OR known_good_at < :at", values)
    return {"verdict": "healthy"}
