"""Lists 5,000 pods and nodes with a raw client and with the typed Kubernetes client, without using the result."""

import os
from urllib.parse import urlencode

import boto3
import orjson

from benchmarks.baselines import calls
from benchmarks.harness.measurement import Cost, timed

REGION = os.environ.get("AWS_REGION", "")
PODS = f"/api/v1/namespaces/{calls.NAMESPACE}/pods"
NODES = "/api/v1/nodes"
SELECTOR = f"spec.serviceAccountName={calls.NAME}"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def raw() -> Cost:
    """Measure urllib3 and orjson with the product's requests: the same pages, compressed, nodes as a Table."""
    described = boto3.client("eks", region_name=REGION).describe_cluster(name="demo")["cluster"]
    pool, bearer = calls.https_pool(described), calls.token("demo", REGION)

    def pages(path: str, accept: str, **query: str) -> int:
        count, rest = 0, ""
        while True:
            parameters = urlencode({**query, "limit": "250", **({"continue": rest} if rest else {})})
            headers = {"Authorization": f"Bearer {bearer}", "Accept": accept, "Accept-Encoding": "gzip"}
            page = orjson.loads(pool.request("GET", f"{described['endpoint']}{path}?{parameters}", headers=headers).data)
            count += len(page.get("items") or page.get("rows") or ())
            rest = page["metadata"].get("continue", "")
            if not rest:
                return count

    def both() -> None:
        pods = pages(PODS, "application/json", fieldSelector=SELECTOR)
        assert pods == pages(NODES, TABLE, includeObject="None")

    both()
    return timed(both)


def typed() -> Cost:
    """Measure `CoreV1Api` with 500 objects a page, as kubectl does."""
    from kubernetes import client

    described = boto3.client("eks", region_name=REGION).describe_cluster(name="demo")["cluster"]
    configuration = client.Configuration()
    configuration.host, configuration.ssl_ca_cert = described["endpoint"], calls.ca_file(described)
    api = client.ApiClient(configuration, header_name="Authorization", header_value=f"Bearer {calls.token('demo', REGION)}")
    core = client.CoreV1Api(api)

    def both() -> None:
        for listed, query in (
            (lambda **more: core.list_namespaced_pod(calls.NAMESPACE, **more), {"field_selector": SELECTOR}),
            (core.list_node, {}),
        ):
            page = listed(limit=500, **query)
            while page.metadata._continue:
                page = listed(limit=500, _continue=page.metadata._continue, **query)

    core.list_namespaced_pod(calls.NAMESPACE, limit=1)  # loads the models; a full warm-up would take many seconds
    core.list_node(limit=1)
    return timed(both)
