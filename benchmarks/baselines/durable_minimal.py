"""Minimal durable function: reads the incident, makes the calls of `boto3_minimal`, sends a message and patches the ServiceAccount."""

import json
import os

import boto3
import calls
from aws_durable_execution_sdk_python import durable_execution

REGION = os.environ["AWS_REGION"]
clients = {name: boto3.client(name, region_name=REGION) for name in ("dynamodb", "ssm", "eks", "iam", "sns", "events")}


def collect(cluster):
    clients["dynamodb"].get_item(TableName=os.environ["IRSA_INCIDENTS_TABLE"], Key=calls.row_key(cluster), ConsistentRead=True)
    known = calls.read_facts(clients, cluster)
    calls.read_addon(clients["eks"], cluster)
    described = known["cluster"]
    pool, bearer = calls.https_pool(described), calls.token(cluster, REGION)
    account, _, _ = calls.read_cluster(pool, described, bearer)
    calls.get(pool, described, bearer, "/api/v1/nodes")
    return {"bound": known["bound"], "endpoint": described["endpoint"], "version": account["metadata"]["resourceVersion"]}, pool, bearer


def notify(cluster):
    clients["sns"].publish(TopicArn=os.environ["IRSA_CHAT_TOPIC_ARN"], Message=json.dumps({"cluster": cluster}))
    entry = {"Source": "minimal", "DetailType": "Started", "Detail": json.dumps({"cluster": cluster})}
    clients["events"].put_events(Entries=[entry])
    return {"sent": True}


@durable_execution
def lambda_handler(event, context):
    cluster, connection = event["cluster"], {}

    def snapshot(_):
        found, connection["pool"], connection["bearer"] = collect(cluster)
        return found

    def annotate(_):
        change = {"metadata": {"resourceVersion": found["version"], "annotations": {calls.ROLE_KEY: found["bound"]}}}
        path = f"/api/v1/namespaces/{calls.NAMESPACE}/serviceaccounts/{calls.NAME}"
        headers = {"Authorization": f"Bearer {connection['bearer']}", "Content-Type": "application/merge-patch+json"}
        response = connection["pool"].request("PATCH", found["endpoint"] + path, headers=headers, body=json.dumps(change))
        return {"status": response.status}

    found = context.step(snapshot, name="collect")
    context.step(lambda _: notify(cluster), name="notify")
    return context.step(annotate, name="annotate")
