"""The details of an incident's first assessment that history keeps: what the page of a post-mortem shows, in one or two kilobytes."""

from typing import Final

from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.finding import State
from lambdas.domain.incidents.details import IncidentDetails

MOST_REMEDIES: Final = 4
LONGEST_REMEDY: Final = 2000


def history_details(first: AssessmentSummary) -> IncidentDetails:
    """Return sentence, severity, broken links, remedies, actor and versions, without timeline and counts."""
    actor, addon = first.actor, first.addon
    change = f"{actor.what} by {actor.who}" + (f" ({actor.agent})" if actor.agent else "") if actor else ""
    versions = [f"Kubernetes {first.cluster.version}"] if first.cluster.version else []
    versions += [f"{addon.name} {addon.version}"] if addon else []
    return IncidentDetails(
        sentence=first.sentence,
        severity=str(first.severity),
        broken=tuple(f"{link.title}: {link.sentence}" for link in first.links if link.state == State.BROKEN),
        remedies=tuple("\n".join(remedy.lines)[:LONGEST_REMEDY] for remedy in first.remedies[:MOST_REMEDIES]),
        actor=change.strip(),
        versions=tuple(versions),
    )
