"""The daily schedule's turn: whoever asked for a digest gets one, from the remediator, which may read history and tell people."""

from datetime import datetime

from lambdas.application.readers import Readers
from lambdas.contract.environment import Environment
from lambdas.domain.incidents.daily_digest import clusters_asking
from lambdas.domain.ports import RemediatorPort


def ask_for_digest(until: datetime, readers: Readers, remediator: RemediatorPort, environment: Environment) -> list[str]:
    """Start one execution for all clusters of ours whose settings ask for a digest, if any do. Returns the clusters."""
    asking = [item for item in clusters_asking(readers.parameters.load(), readers.eks.clusters()) if environment.serves(item)]
    if asking:
        remediator.sum_up(until, asking)
    return asking
