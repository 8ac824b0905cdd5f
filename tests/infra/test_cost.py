"""The counted figures of `docs/cost.md` match the stack."""

from benchmarks.harness import cost_model
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.domain.fleet import KNOWN_GOOD_MAX_AGE
from tests.infra.templates import Template, of_type


def test_counted_figures_follow_from_contract_and_template(minimal: Template) -> None:
    sweeps, clusters = cost_model.SWEEPS, cost_model.CLUSTERS
    counted = {name: item.count for name, item in cost_model.list_prices(cost_model.COST_PAGE.read_text(encoding="utf-8")).items()}
    of_check, of_gauges = 1, 0.5  # a consistent and an eventually consistent read
    assert counted["DynamoDB read units"] == sweeps * clusters * (of_check + of_gauges)
    assert counted["permanent metrics"] == 1
    assert counted["DynamoDB write units"] == sweeps * clusters * SWEEP_RATE_MINUTES * 60 / KNOWN_GOOD_MAX_AGE.total_seconds()
    assert counted["Lambda requests"] == sweeps * (clusters + 1)
    assert counted["alarms on the remediator"] == len(of_type(minimal, "AWS::CloudWatch::Alarm"))
    assert counted["KMS key for the topics"] == len(of_type(minimal, "AWS::KMS::Key"))
