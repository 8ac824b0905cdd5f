"""The binding that a plan was made from, and whether it still holds. Pure."""

from dataclasses import dataclass

from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Missing


@dataclass(frozen=True, kw_only=True)
class PlannedBinding:
    """Path, version and role of the binding that a plan was made from."""

    path: str
    version: int
    role_arn: str

    def why_outdated(self, binding: Binding | InvalidBinding | Missing) -> str | None:
        """What has changed since the plan, or None where nothing has."""
        if isinstance(binding, Missing):
            return f"the binding {self.path} was deleted after the plan was made"
        if isinstance(binding, InvalidBinding) or PlannedBinding.of(binding) != self:
            return f"the binding {binding.path} was changed after the plan was made"
        return None

    @classmethod
    def of(cls, binding: Binding) -> "PlannedBinding":
        """The binding of a plan that is made now."""
        return cls(path=binding.path, version=binding.version, role_arn=binding.role_arn)
