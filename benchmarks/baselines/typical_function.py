"""Typical function: boto3, the typed Kubernetes client and Powertools for log and metrics, with the same calls."""

import os

import boto3
import calls
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from kubernetes import client

REGION = os.environ["AWS_REGION"]
logger = Logger(service="typical")
metrics = Metrics(namespace="Typical", service="typical")
clients = {name: boto3.client(name, region_name=REGION) for name in ("dynamodb", "ssm", "eks", "iam")}


def connect(described, cluster):
    configuration = client.Configuration()
    configuration.host = described["endpoint"]
    configuration.ssl_ca_cert = calls.ca_file(described)
    return client.ApiClient(configuration, header_name="Authorization", header_value=f"Bearer {calls.token(cluster, REGION)}")


@metrics.log_metrics
@logger.inject_lambda_context
def lambda_handler(event, context):
    cluster, began_at = event["detail"]["cluster"], calls.now()
    metrics.add_metric(name="Checks", unit=MetricUnit.Count, value=1)
    if calls.count_signal(clients["dynamodb"], cluster):
        return {"signalled": True}
    known = calls.read_facts(clients, cluster)
    recorded, associations = calls.read_addon(clients["eks"], cluster)
    api = connect(known["cluster"], cluster)
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    account = core.read_namespaced_service_account(calls.NAME, calls.NAMESPACE)
    workload = apps.read_namespaced_daemon_set(calls.NAME, calls.NAMESPACE)
    pods = core.list_namespaced_pod(calls.NAMESPACE, field_selector=f"spec.serviceAccountName={calls.NAME}", limit=250).items
    carried = {env.value for pod in pods for c in pod.spec.containers for env in c.env if env.name == "AWS_ROLE_ARN"}
    healthy = (
        associations == 0
        and recorded == known["bound"]
        and (account.metadata.annotations or {}).get(calls.ROLE_KEY) == known["bound"]
        and carried == {known["bound"]}
        and workload.status.number_ready == workload.status.desired_number_scheduled
        and calls.trusts(known["trust"], known["issuer"])
    )
    if not healthy:
        raise RuntimeError("a healthy cluster was not recognized")
    calls.record_healthy(clients["dynamodb"], cluster, began_at)
    logger.info("healthy", cluster=cluster)
    return {"verdict": "no-fault-found"}
