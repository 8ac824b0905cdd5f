"""`irsa-remediator adopt`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.commands.check import AllClusters, Clusters, ServiceAccount
from cli.errors import CommandError, ExitCode, worst
from cli.options import GlobalOptions
from cli.output import Format, confirm, console, is_interactive, progress, write
from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from cli.clients.dependencies import Dependencies
    from cli.queries.targets import TargetSelection
    from lambdas.domain.ports import ParametersPort
    from lambdas.domain.snapshot.bindings import Parameter


def adopt(
    options: GlobalOptions,
    *,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    all_clusters: AllClusters = False,
    service_account: ServiceAccount = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the proposals and write nothing.")] = False,
) -> int:
    """Write bindings from the associations, annotations and add-on records of today, and bring installed guards up to date.

    Each role is checked as before a repair. A role that fails the check is refused. Shows the proposals and asks for confirmation.
    Exit code 1 where a proposal is refused.

    Example: irsa-remediator adopt --all --dry-run
    """
    from rich.text import Text

    from cli.clients import connection
    from cli.queries.targets import TargetSelection
    from cli.views.guard_table import follow_bindings

    dependencies = connection.connect(options)
    selection = TargetSelection(clusters=tuple(cluster), all_clusters=all_clusters, service_account=service_account)
    with progress("reading associations, annotations and add-on records"):
        proposals = _proposals(selection, dependencies)
    new = [proposal for proposal in proposals if proposal.state == "proposed"]
    code = ExitCode.BROKEN if any(proposal.refusal for proposal in proposals) else ExitCode.OK
    if options.output is Format.TABLE:
        console().print(_table(proposals))
    written = _write(new, dependencies, yes=yes) if new and not dry_run else []
    if written:
        accounts = frozenset(f"{proposal.target.namespace}/{proposal.target.name}" for proposal in written)
        code = worst([code, follow_bindings([proposal.target.cluster for proposal in written], dependencies, accounts)])
    document = {
        "command": "adopt",
        "exitCode": code,
        "proposals": [proposal.document for proposal in proposals],
        "written": [proposal.path for proposal in written],
    }
    write(options.output, document, Text(_result(new, written), style="bold" if written else "dim"))
    return code


@dataclass(frozen=True, kw_only=True)
class BindingProposal:
    """Proposed binding of one ServiceAccount, or `refusal`, the reason why there is none. `source` says where the role was read."""

    target: ServiceAccountRef
    role_arn: str = ""
    source: str = ""
    refusal: str = ""
    is_bound: bool = False
    mechanism: Mechanism | None = None
    target_role_arn: str = ""

    @property
    def path(self) -> str:
        """Path of the parameter."""
        return binding_path(self.target.cluster, self.target.namespace, self.target.name)

    @property
    def value(self) -> str:
        """The text of the parameter."""
        from lambdas.domain.snapshot.bindings import BindingValue

        return BindingValue(role=self.role_arn, mechanism=self.mechanism, target_role=self.target_role_arn).text

    @property
    def state(self) -> str:
        """`bound`, `refused` or `proposed`."""
        return "bound" if self.is_bound else "refused" if self.refusal else "proposed"

    @property
    def document(self) -> dict[str, Any]:
        """The proposal as JSON."""
        name = f"{self.target.namespace}/{self.target.name}"
        fields = {"path": self.path, "cluster": self.target.cluster, "name": name, "state": self.state}
        found = {"roleArn": self.role_arn or None, "mechanism": self.mechanism, "targetRoleArn": self.target_role_arn or None}
        return fields | found | {"source": self.source or None, "reason": self.refusal or None}


class ParameterOverlay:
    """Parameters with a proposed binding, so that an assessment checks the role before the binding is written."""

    def __init__(self, parameters: ParametersPort, path: str, value: str) -> None:
        from lambdas.domain.snapshot.bindings import Parameter

        self._parameters = parameters
        self._overlay = {path: Parameter(value=value)}

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Return the parameters, with the proposed one."""
        return {**self._parameters.load(cluster), **self._overlay}


_NO_ROLE: Final = "has no association, no annotation and no role in the add-on record"


def _proposals(selection: TargetSelection, dependencies: Dependencies) -> list[BindingProposal]:
    """Return a proposal for each known or selected ServiceAccount. Known ServiceAccounts without a role are omitted, except aws-node."""
    from cli.queries.targets import clusters, split_service_account
    from lambdas.contract.workloads import KNOWN
    from lambdas.domain.errors import RemediatorError

    known = [(workload.namespace, workload.service_account) for workload in KNOWN]
    accounts = [split_service_account(selection.service_account)] if selection.service_account else known
    proposals: list[BindingProposal] = []
    for cluster in clusters(selection, dependencies):
        for account in accounts:
            target, is_required = ServiceAccountRef(cluster, *account), account == accounts[0]
            try:
                proposal = _proposal(target, dependencies)
            except RemediatorError as error:
                proposal = BindingProposal(target=target, refusal=str(error))
            if proposal or is_required:
                proposals.append(proposal or BindingProposal(target=target, refusal=_NO_ROLE))
    return proposals


def _proposal(target: ServiceAccountRef, dependencies: Dependencies) -> BindingProposal | None:
    """Return the proposal, or None where neither association, annotation nor add-on record names a role.

    An association decides where it exists, so the annotation beside it is ignored.
    """
    from lambdas.domain.snapshot.snapshot import Binding

    readers = dependencies.readers
    parameters = readers.parameters.load(target.cluster)
    binding = readers.binding(parameters, target)
    if isinstance(binding, Binding):
        return BindingProposal(
            target=target,
            role_arn=binding.role_arn,
            source=f"parameter {binding.path}",
            is_bound=True,
            mechanism=binding.mechanism,
            target_role_arn=binding.target_role_arn or "",
        )
    if found := readers.eks.associations(target):
        by_association = BindingProposal(
            target=target,
            role_arn=found[0].role_arn,
            source="pod identity association",
            mechanism=Mechanism.POD_IDENTITY,
            target_role_arn=found[0].target_role_arn or "",
        )
        return replace(by_association, refusal=_refusal(by_association, dependencies))
    annotation, record = _current_roles(target, dependencies)
    if not annotation and not record:
        return None
    if annotation and record and annotation != record:
        refusal = f"the annotation names {annotation}, but the add-on record names {record}: decide which one is correct"
        return BindingProposal(target=target, refusal=refusal)
    source = " and ".join(name for name, role in (("annotation", annotation), ("add-on record", record)) if role)
    proposal = BindingProposal(target=target, role_arn=annotation or record, source=source)
    return replace(proposal, refusal=_refusal(proposal, dependencies))


def _current_roles(target: ServiceAccountRef, dependencies: Dependencies) -> tuple[str, str]:
    """Return the role of the annotation and the role of the add-on record. Each is empty where it is missing."""
    from lambdas.contract.names import ROLE_ANNOTATION
    from lambdas.contract.workloads import known
    from lambdas.domain.snapshot.snapshot import AddonFacts, ClusterFacts, ServiceAccountFacts

    facts = dependencies.readers.eks.cluster(target.cluster)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}")
    account = dependencies.readers.clusters.login(facts).service_account(target.namespace, target.name)
    workload = known(target.namespace, target.name)
    addon = dependencies.readers.eks.addon(target.cluster, workload.addon) if workload and workload.addon else None
    annotation = account.role_annotations.get(ROLE_ANNOTATION, "") if isinstance(account, ServiceAccountFacts) else ""
    return annotation, (addon.role_arn or "") if isinstance(addon, AddonFacts) else ""


def _refusal(proposal: BindingProposal, dependencies: Dependencies) -> str:
    """Return why the role must not be bound: it is outside the bounds, or a precondition is broken or unread. Empty where it is fit."""
    from cli.queries.assessment import assess_target
    from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Link, State
    from lambdas.domain.planning.role_bounds import why_outside

    readers = dependencies.readers
    if why := why_outside(proposal.role_arn, account=readers.account, bound_roles=readers.bound_roles):
        return why
    parameters = ParameterOverlay(dependencies.readers.parameters, proposal.path, proposal.value)
    assessment = assess_target(proposal.target, replace(dependencies, readers=replace(dependencies.readers, parameters=parameters)))
    if assessment.summary is None:
        return assessment.failure
    preconditions = (*READABLE_PRECONDITIONS, Link.CLUSTER, Link.PERMISSIONS)
    links = [link for link in assessment.summary.links if link.link in preconditions]
    if broken := next((link for link in links if link.state == State.BROKEN), None):
        return broken.sentence
    unread = next((link for link in links if link.state == State.UNKNOWN and link.link in READABLE_PRECONDITIONS), None)
    return f"{unread.title} could not be read: {unread.sentence}" if unread else ""


def _write(new: list[BindingProposal], dependencies: Dependencies, *, yes: bool) -> list[BindingProposal]:
    if not yes and not is_interactive():
        raise CommandError("standard input is not a terminal, so no one can confirm", next_step="give --yes, or --dry-run")
    if not yes and not confirm(f"Write {len(new)} {'binding' if len(new) == 1 else 'bindings'}?"):
        return []
    for proposal in new:
        dependencies.parameters.put(proposal.path, proposal.value)
    return new


def _table(proposals: list[BindingProposal]) -> Table:
    """Return the proposals as a diff: `+` is new, `=` exists, `!` is refused."""
    from rich.table import Table
    from rich.text import Text

    from lambdas.notifications.escape import plain

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for proposal in proposals:
        sign, style = {"bound": ("=", "dim"), "refused": ("!", "yellow"), "proposed": ("+", "green")}[proposal.state]
        text = Text(proposal.path, style=style)
        if proposal.refusal:
            text.append(f"\n{plain(proposal.refusal)}", style="yellow")
        else:
            source = "existing binding" if proposal.source == f"parameter {proposal.path}" else f"from the {proposal.source}"
            text.append(f"\n{plain(proposal.role_arn)}").append(f"   {source}", style="dim")
            text.append(f", mechanism {proposal.mechanism}" if proposal.mechanism else "", style="dim")
        table.add_row(Text(sign, style=style), text)
    return table


def _result(new: list[BindingProposal], written: list[BindingProposal]) -> str:
    if written:
        return f"{len(written)} written. irsa-remediator check --cluster {written[0].target.cluster} shows the result."
    return "Nothing was written." if new else "Nothing to write."
