"""`adopt`: write bindings from what is right today, after the same checks that guard a repair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.clients import connection
from cli.options import GlobalOptions, Format
from cli.errors import BROKEN, SOUND, CommandError
from cli.fixing import interactive
from cli.queries.assessment import see
from cli.output import console, progress, write
from cli.queries.targets import TargetSelection, clusters, split
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.workloads import KNOWN
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Link, State
from lambdas.domain.errors import RemediatorError
from lambdas.domain.ports import Parameter
from lambdas.domain.snapshot.bindings import binding_for
from lambdas.domain.snapshot.snapshot import AddonFacts, Binding, ClusterFacts, Missing, ServiceAccountFacts
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies
    from lambdas.domain.ports import ParametersPort


@dataclass(frozen=True, kw_only=True)
class BindingProposal:
    """What would be written for one ServiceAccount, or why nothing is. `taken_from` is `annotation`, `add-on record` or both."""

    target: ServiceAccountRef
    role_arn: str = ""
    taken_from: str = ""
    refusal: str = ""
    bound: bool = False

    @property
    def path(self) -> str:
        """The parameter."""
        return binding_path(self.target.cluster, self.target.namespace, self.target.name)

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        state = "bound" if self.bound else "refused" if self.refusal else "proposed"
        told = {"path": self.path, "cluster": self.target.cluster, "name": f"{self.target.namespace}/{self.target.name}", "state": state}
        return told | {"roleArn": self.role_arn or None, "takenFrom": self.taken_from or None, "reason": self.refusal or None}


class ParameterOverlay:
    """Parameters as they would be with the binding: the check judges the role before anything is written."""

    def __init__(self, parameters: ParametersPort, path: str, role_arn: str) -> None:
        self._parameters = parameters
        self._own = {path: Parameter(value=role_arn)}

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """The parameters, and the one that is proposed."""
        return {**self._parameters.load(cluster), **self._own}


def run(asked: GlobalOptions, wanted: TargetSelection, *, yes: bool, dry_run: bool) -> int:
    """Propose, show, ask, write."""
    outside = connection.connect(asked)
    with progress("looking for roles that are right"):
        proposals = propose(wanted, outside)
    new = [proposal for proposal in proposals if proposal.role_arn and not proposal.refusal and not proposal.bound]
    code = BROKEN if any(proposal.refusal for proposal in proposals) else SOUND
    if asked.output is Format.TABLE:
        console().print(_table(proposals))
    written = _write(new, outside, yes=yes) if new and not dry_run else []
    document = {
        "command": "adopt",
        "exitCode": code,
        "proposals": [proposal.document for proposal in proposals],
        "written": [item.path for item in written],
    }
    write(asked.output, document, Text(_closing(new, written), style="bold" if written else "dim"))
    return code


def propose(wanted: TargetSelection, outside: Dependencies) -> list[BindingProposal]:
    """A proposal for every ServiceAccount that is known by name, or was asked for, in the chosen clusters; those absent are left out."""
    accounts = [split(wanted.service_account)] if wanted.service_account else [(item.namespace, item.service_account) for item in KNOWN]
    found = [
        _proposal(ServiceAccountRef(cluster, *account), outside, asked_for=bool(wanted.service_account) or account == accounts[0])
        for cluster in clusters(wanted, outside)
        for account in accounts
    ]
    return [item for item in found if item]


def _proposal(target: ServiceAccountRef, outside: Dependencies, *, asked_for: bool) -> BindingProposal | None:
    try:
        return _proposed(target, outside, asked_for=asked_for)
    except RemediatorError as error:
        return BindingProposal(target=target, refusal=str(error))


def _proposed(target: ServiceAccountRef, outside: Dependencies, *, asked_for: bool) -> BindingProposal | None:
    readers = outside.readers
    parameters = readers.parameters.load(target.cluster)
    bound = binding_for(parameters, target, account=readers.account, partition=readers.partition, region=readers.region)
    if isinstance(bound, Binding):
        return BindingProposal(target=target, role_arn=bound.role_arn, taken_from=f"parameter {bound.path}", bound=True)
    annotation, record = _roles(target, outside)
    if not annotation and not record:
        return BindingProposal(target=target, refusal="has neither annotation nor role in the add-on record") if asked_for else None
    if annotation and record and annotation != record:
        return BindingProposal(target=target, refusal=f"the annotation says {annotation}, the add-on record {record}: settle which is right")
    source = " and ".join(word for word, role in (("annotation", annotation), ("add-on record", record)) if role)
    proposal = BindingProposal(target=target, role_arn=annotation or record, taken_from=source)
    return replace(proposal, refusal=_unfit(proposal, outside))


def _roles(target: ServiceAccountRef, outside: Dependencies) -> tuple[str, str]:
    """Annotation and add-on record, each empty where there is none."""
    facts = outside.readers.eks.cluster(target.cluster)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}")
    account = outside.readers.clusters.login(facts).service_account(target.namespace, target.name)
    addon_name = next((item.addon for item in KNOWN if (item.namespace, item.service_account) == (target.namespace, target.name)), None)
    addon = outside.readers.eks.addon(target.cluster, addon_name) if addon_name else Missing("no add-on")
    annotation = account.role_annotations.get(ROLE_ANNOTATION, "") if isinstance(account, ServiceAccountFacts) else ""
    return annotation, (addon.role_arn or "") if isinstance(addon, AddonFacts) else ""


def _unfit(proposal: BindingProposal, outside: Dependencies) -> str:
    """Why the role must not be bound: a guarding link that is broken or unread, once the check counts it as bound. Empty: it is fit."""
    parameters = ParameterOverlay(outside.readers.parameters, proposal.path, proposal.role_arn)
    seen = see(proposal.target, replace(outside, readers=replace(outside.readers, parameters=parameters)))
    if seen.look is None:
        return seen.failure
    guards = [link for link in seen.look.links if link.link in (*READABLE_PRECONDITIONS, Link.CLUSTER, Link.PERMISSIONS)]
    broken = next((guard for guard in guards if guard.state == State.BROKEN), None)
    unread = next((guard for guard in guards if guard.state == State.UNKNOWN and guard.link in READABLE_PRECONDITIONS), None)
    return broken.sentence if broken else f"{unread.title} could not be read: {unread.sentence}" if unread else ""


def _write(new: list[BindingProposal], outside: Dependencies, *, yes: bool) -> list[BindingProposal]:
    if not yes and not interactive():
        raise CommandError("there is nobody to ask: standard input is no terminal", next_step="give --yes, or --dry-run to see the proposals")
    if not yes and not typer.confirm(f"Write {len(new)} {'binding' if len(new) == 1 else 'bindings'}?", err=True):
        return []
    for item in new:
        outside.parameters.put(item.path, item.role_arn)
    return new


def _table(proposals: list[BindingProposal]) -> Table:
    """As a difference: `+` would be written, `=` is there, `!` is refused."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for proposal in proposals:
        sign, style = ("=", "dim") if proposal.bound else ("!", "yellow") if proposal.refusal else ("+", "green")
        words = Text(proposal.path, style=style)
        if proposal.refusal:
            words.append(f"\n{plain(proposal.refusal)}", style="yellow")
        else:
            source = "as bound" if proposal.taken_from == f"parameter {proposal.path}" else f"from the {proposal.taken_from}"
            words.append(f"\n{plain(proposal.role_arn)}").append(f"   {source}", style="dim")
        table.add_row(Text(sign, style=style), words)
    return table


def _closing(new: list[BindingProposal], written: list[BindingProposal]) -> str:
    if written:
        return f"{len(written)} written. irsa-remediator check --cluster {written[0].target.cluster} looks at it."
    return "Nothing was written." if new else "Nothing to write."
