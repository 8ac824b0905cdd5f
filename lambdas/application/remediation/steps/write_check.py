"""The checks right before a write: what the plan was made from is read again, and a change since then is a conflict."""

from dataclasses import dataclass
from typing import Final

from lambdas.application.readers import Readers
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Mode
from lambdas.domain.errors import Busy, Conflict, NotFound, PermanentError
from lambdas.domain.planning.actions import CreateAssociation, RestoreAnnotation, UpdateAddonRole, UpdateAssociation
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.planning.role_bounds import why_outside
from lambdas.domain.ports import ClusterPort
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, Binding, ServiceAccountFacts

CHANGING: Final = frozenset({"CREATING", "UPDATING", "DELETING"})
"""Statuses in which EKS accepts no update of an add-on.

Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_Addon.html
"""


@dataclass(frozen=True)
class WriteCheck:
    """The checks for writes about one ServiceAccount."""

    target: ServiceAccountRef
    readers: Readers

    def check_binding(self, role_arn: str, planned: PlannedBinding) -> Binding:
        """Check that this role may be written now. Returns the binding.

        Raises:
            Conflict: the binding has changed since the plan, or the mode no longer allows this write.
            PermanentError: the role is not the one of the binding, or is outside the bounds of the deployment.
        """
        readers, target = self.readers, self.target
        parameters = readers.parameters.load(target.cluster)
        binding = planned.require_unchanged(readers.binding(parameters, target))
        if role_arn != planned.role_arn:
            raise PermanentError(f"{role_arn} is not the role of the binding {planned.path}, so it is not written")
        self._check_bounds(role_arn)
        settings, _ = readers.settings(parameters, target.cluster)
        if settings.mode is Mode.OBSERVE:
            raise Conflict("the mode was set to observe after the plan was made")
        if settings.mode is Mode.APPROVE and not planned.needs_approval:
            raise Conflict("the mode was set to approve after the plan was made")
        return binding

    def check_restored(self, action: RestoreAnnotation) -> None:
        """Check that the former value may be written back.

        Raises:
            PermanentError: the former role is outside the bounds of the deployment.
        """
        if action.value is not None:
            self._check_bounds(action.value)

    def check_annotation(self, role_arn: str, cluster: ClusterPort) -> None:
        """Check that the annotation names this role, so that new pods get it.

        Raises:
            Conflict: it names another role or none.
        """
        found = cluster.service_account(self.target.namespace, self.target.name)
        value = found.role_annotations.get(ROLE_ANNOTATION) if isinstance(found, ServiceAccountFacts) else None
        if value != role_arn:
            raise Conflict("the annotation was changed after the plan was made, so no pod is replaced")

    def check_association(self, binding: Binding) -> None:
        """Check that the association gives what the binding names, so that new pods get it.

        Raises:
            Conflict: the association was changed or deleted.
        """
        found = self.readers.eks.associations(self.target)
        if not found or found[0].settings != desired_settings(binding, found[0]):
            raise Conflict("the pod identity association was changed after the plan was made, so no pod is replaced")

    def has_record_role(self, action: UpdateAddonRole, *, waited: bool) -> bool:
        """Whether the add-on record has the role already. `UpdateAddon` has no precondition, so the record is compared here.

        Raises:
            Conflict: the record has changed since the plan, or another update has ended since then.
            NotFound: the add-on does not exist.
            Busy: an update is in progress.
        """
        record = self._addon(action.addon)
        if record.role_arn == action.role_arn:
            return True
        if record.role_arn != action.old_role_arn:
            raise Conflict(f"the role of the add-on record {action.addon} was changed after the plan was made")
        self._check_idle(action.addon, record, waited=waited)
        return False

    def planned_association(self, action: CreateAssociation | UpdateAssociation, planned: PlannedBinding) -> Association | None:
        """The association as the plan saw it; None where the action creates one. The wanted one is returned, too.

        A rollback gives the association what it gave before, which is not what the binding names.

        Raises:
            Conflict: it was created, changed or deleted after the plan was made, or the binding asks for something else.
            PermanentError: a role is outside the bounds of the deployment.
        """
        is_rollback = isinstance(action, UpdateAssociation) and action.is_rollback
        binding = None if is_rollback else self.check_binding(action.role_arn, planned)
        for role in filter(None, (action.role_arn, action.target_role_arn)):
            self._check_bounds(role)
        found = next(iter(self.readers.eks.associations(self.target)), None)
        if binding and action.wanted != desired_settings(binding, found):
            raise Conflict("the association or the binding was changed after the plan was made")
        if found and found.settings == action.wanted:
            return found
        by = f" by {found.declared_by}" if found and found.declared_by else ""
        if isinstance(action, CreateAssociation):
            if found:
                raise Conflict(f"the association {found.id} was created{by} after the plan was made, and gives {found.role_arn}")
            return None
        if found is None or found.id != action.association_id:
            raise Conflict("the association was deleted after the plan was made")
        if found.settings != action.old or found.owner_addon != action.addon:
            raise Conflict(f"the association {found.id} was changed{by} after the plan was made")
        return found

    def check_addon_idle(self, addon: str, *, waited: bool) -> None:
        """Check that no update of the add-on is running. `waited`: an update was running before, so the add-on was changed.

        Raises:
            Busy, Conflict, NotFound: an update is in progress, was in progress, or the add-on does not exist.
        """
        self._check_idle(addon, self._addon(addon), waited=waited)

    def _addon(self, addon: str) -> AddonFacts:
        record = self.readers.eks.addon(self.target.cluster, addon)
        if not isinstance(record, AddonFacts):
            raise NotFound(f"add-on {addon} of cluster {self.target.cluster} does not exist")
        return record

    def _check_idle(self, addon: str, record: AddonFacts, *, waited: bool) -> None:
        if record.status in CHANGING:
            raise Busy(f"add-on {addon} of cluster {self.target.cluster} is {record.status}")
        if waited:
            raise Conflict(f"add-on {addon} was updated after the plan was made")

    def _check_bounds(self, role_arn: str) -> None:
        if why := why_outside(role_arn, account=self.readers.account, bound_roles=self.readers.bound_roles):
            raise PermanentError(why)
