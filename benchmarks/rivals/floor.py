"""The floor: bare boto3 and urllib3, the same calls, nothing else. No log, no metric, no error turned into words."""

import os

import boto3
import calls

SERVICES = ("dynamodb", "ssm", "eks", "iam")
REGION = os.environ["AWS_REGION"]
clients = {name: boto3.client(name, region_name=REGION) for name in SERVICES}


def lambda_handler(event, context):
    cluster, began_at = event["detail"]["cluster"], calls.now()
    if calls.signal(clients["dynamodb"], cluster):
        return {"signalled": True}
    known = calls.facts(clients, cluster)
    record = calls.record_of(clients["eks"], cluster)
    described = known["cluster"]
    state = calls.in_cluster(calls.https(described), described, calls.token(cluster, REGION))
    if not calls.healthy(known, record, state):
        raise RuntimeError("the world is healthy, and this was not seen")
    calls.record_sound(clients["dynamodb"], cluster, began_at)
    return {"verdict": "healthy"}
