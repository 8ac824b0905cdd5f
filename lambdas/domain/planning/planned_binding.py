"""The binding that a plan was made from, and whether it still holds. Pure."""

from dataclasses import dataclass, field

from lambdas.domain.errors import Conflict
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Missing


@dataclass(frozen=True, kw_only=True)
class PlannedBinding:
    """Path, version and role of the binding that a plan was made from.

    `needs_approval`: the plan is applied only after a person has approved it. It is no part of the binding.
    """

    path: str
    version: int
    role_arn: str
    needs_approval: bool = field(default=False, compare=False)

    def require_unchanged(self, binding: Binding | InvalidBinding | Missing) -> Binding:
        """The binding as it was read now.

        Raises:
            Conflict: it was deleted or changed since the plan.
        """
        if isinstance(binding, Missing):
            raise Conflict(f"the binding {self.path} was deleted after the plan was made")
        if isinstance(binding, InvalidBinding) or PlannedBinding.of(binding) != self:
            raise Conflict(f"the binding {binding.path} was changed after the plan was made")
        return binding

    @classmethod
    def of(cls, binding: Binding) -> "PlannedBinding":
        """The binding of a plan that is made now."""
        return cls(path=binding.path, version=binding.version, role_arn=binding.role_arn)
