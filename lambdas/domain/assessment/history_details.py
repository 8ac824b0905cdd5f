"""What history keeps of an incident's first look: what a page for a post-mortem tells, in a kilobyte or two."""

from typing import Any, Final

from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.finding import State

MOST_REMEDIES: Final = 4
LONGEST_REMEDY: Final = 2000


def history_details(first: AssessmentSummary) -> dict[str, Any]:
    """Sentence and severity; broken links and remedies in words; who did it and with what; versions. Empty parts are left out."""
    actor = first.actor
    did = f"{actor.get('what', '')} by {actor['who']}" + (f" ({actor['agent']})" if actor.get("agent") else "") if actor else ""
    versions = [f"Kubernetes {first.cluster['version']}"] if first.cluster.get("version") else []
    versions += [f"{first.addon['name']} {first.addon['version']}"] if first.addon else []
    told: dict[str, Any] = {
        "sentence": first.sentence,
        "severity": first.severity,
        "broken": [f"{link.title}: {link.sentence}" for link in first.links if link.state == State.BROKEN],
        "remedies": [remedy[:LONGEST_REMEDY] for remedy in first.remedies[:MOST_REMEDIES]],
        "actor": did.strip(),
        "versions": versions,
    }
    return {name: value for name, value in told.items() if value}
