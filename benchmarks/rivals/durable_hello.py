"""The durable SDK's hello, grown by what a first write needs at least: the incident, the floor's calls, a message, the patch."""

import json
import os

import boto3
import calls
from aws_durable_execution_sdk_python import durable_execution

REGION = os.environ["AWS_REGION"]
clients = {name: boto3.client(name, region_name=REGION) for name in ("dynamodb", "ssm", "eks", "iam", "sns", "events")}


def look(cluster):
    clients["dynamodb"].get_item(TableName=os.environ["IRSA_INCIDENTS_TABLE"], Key=calls.row_key(cluster), ConsistentRead=True)
    known = calls.facts(clients, cluster)
    calls.record_of(clients["eks"], cluster)
    described = known["cluster"]
    pool, bearer = calls.https(described), calls.token(cluster, REGION)
    account, _, _ = calls.in_cluster(pool, described, bearer)
    calls.get(pool, described, bearer, "/api/v1/nodes")
    return {"bound": known["bound"], "endpoint": described["endpoint"], "version": account["metadata"]["resourceVersion"]}, pool, bearer


def told(cluster):
    clients["sns"].publish(TopicArn=os.environ["IRSA_CHAT_TOPIC_ARN"], Message=json.dumps({"cluster": cluster}))
    entry = {"Source": "hello", "DetailType": "Started", "Detail": json.dumps({"cluster": cluster})}
    clients["events"].put_events(Entries=[entry])
    return {"told": True}


@durable_execution
def lambda_handler(event, context):
    cluster, kept = event["cluster"], {}

    def seen(_):
        found, kept["pool"], kept["bearer"] = look(cluster)
        return found

    def patched(_):
        change = {"metadata": {"resourceVersion": found["version"], "annotations": {calls.ROLE_KEY: found["bound"]}}}
        path = f"/api/v1/namespaces/{calls.NAMESPACE}/serviceaccounts/{calls.NAME}"
        headers = {"Authorization": f"Bearer {kept['bearer']}", "Content-Type": "application/merge-patch+json"}
        answer = kept["pool"].request("PATCH", found["endpoint"] + path, headers=headers, body=json.dumps(change))
        return {"status": answer.status}

    found = context.step(seen, name="look")
    context.step(lambda _: told(cluster), name="tell")
    return context.step(patched, name="annotate")
