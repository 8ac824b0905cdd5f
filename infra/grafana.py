"""`python -m infra.grafana`: the dashboard of the contract's metrics for Grafana, with CloudWatch as its data source.

Sources: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
https://grafana.com/docs/grafana/latest/datasources/aws-cloudwatch/query-editor/
A query needs `metricQueryType` and `metricEditorMode`, or Grafana reads it in another mode: https://github.com/grafana/grafana/issues/90000
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from lambdas.contract.metrics import GAUGES, PANELS, Gauge, Metric, Panel, Unit, latest_gauges, search_expression
from lambdas.contract.names import METRIC_NAMESPACE, PROJECT

Json = dict[str, Any]

_SOURCE: Final[Json] = {"type": "cloudwatch", "uid": "${datasource}"}
_PERIOD_S: Final = 300
_ROW: Final = 24
_IN_A_ROW: Final = 3
_GAUGE_HEIGHT: Final = 4
_HEIGHT: Final = 8
_BUILDER, _CODE = 0, 1


def dashboard() -> Json:
    """Return the dashboard as Grafana imports it. Account and region follow from the data source and a variable."""
    gauge_width, width = _ROW // len(GAUGES), _ROW // _IN_A_ROW
    gauges = [_stat(gauge, _position(index, gauge_width, _GAUGE_HEIGHT, 0)) for index, gauge in enumerate(GAUGES)]
    graphs = [_graph(panel, _position(index, width, _HEIGHT, _GAUGE_HEIGHT)) for index, panel in enumerate(PANELS)]
    panels = [{"id": number, **panel} for number, panel in enumerate([*gauges, *graphs], 1)]
    return {
        "title": PROJECT,
        "uid": PROJECT,
        "tags": ["eks", "irsa"],
        "schemaVersion": 39,
        "timezone": "utc",
        "time": {"from": "now-12h", "to": "now"},
        "refresh": "5m",
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "cloudwatch", "label": "Data source"},
                {"name": "region", "type": "query", "query": "regions()", "datasource": _SOURCE, "label": "Region", "refresh": 1},
                {"name": "log_group", "type": "textbox", "query": "", "label": "Log group of the checker (output CheckerLog of the stack)"},
            ]
        },
        "panels": panels,
    }


def _position(index: int, width: int, height: int, below: int) -> Json:
    return {"x": index * width % _ROW, "y": below + index * width // _ROW * height, "w": width, "h": height}


def _stat(gauge: Gauge, position: Json) -> Json:
    return {
        "type": "stat",
        "title": gauge.title,
        "description": f"{gauge.what}, at the latest sweep",
        "gridPos": position,
        "datasource": _SOURCE,
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": f"/^{gauge.field}$/"}},
        "targets": [
            {
                "refId": "A",
                "datasource": _SOURCE,
                "queryMode": "Logs",
                "region": "$region",
                "logGroupNames": ["$log_group"],
                "expression": " | ".join(latest_gauges(gauge)),
            }
        ],
    }


def _graph(panel: Panel, position: Json) -> Json:
    queries = [(metric, statistic) for metric in panel.metrics for statistic in panel.statistics or (metric.statistic,)]
    unit = "s" if any(metric.unit is Unit.SECONDS for metric in panel.metrics) else "short"
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": "; ".join(metric.what for metric in panel.metrics),
        "gridPos": position,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [_query(chr(ord("A") + index), *query) for index, query in enumerate(queries)],
    }


def _query(name: str, metric: Metric, statistic: str) -> Json:
    common = {
        "refId": name,
        "datasource": _SOURCE,
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "region": "$region",
        "period": str(_PERIOD_S),
        "statistic": statistic,
        "matchExact": True,
    }
    if metric.dimensions:
        return common | {"metricEditorMode": _CODE, "expression": search_expression(METRIC_NAMESPACE, metric, _PERIOD_S)}
    return common | {"metricEditorMode": _BUILDER, "namespace": METRIC_NAMESPACE, "metricName": metric.name, "dimensions": {}}


def dashboard_text() -> str:
    """Return the dashboard as JSON."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(dashboard_text())
