"""What only a migration writes, with the caller's own rights: trust policies, and what IRSA or Pod Identity leaves behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lambdas.adapters.aws_errors import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.aws_session import AwsSession


class AwsMigrationWriter:
    """Implements `MigrationWriter`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def set_trust(self, role_arn: str, policy: Mapping[str, object]) -> None:
        role = role_arn.rpartition("/")[2]
        with translated(f"set the trust policy of role {role}"):
            self._session.client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(policy))

    def delete_association(self, cluster: str, association_id: str) -> None:
        with translated(f"delete pod identity association {association_id} of cluster {cluster}"):
            self._session.client("eks").delete_pod_identity_association(clusterName=cluster, associationId=association_id)

    def remove_addon_role(self, cluster: str, addon: str) -> str:
        """Call `UpdateAddon` without a role, which removes the role of the record. Returns the update's ID.

        Version, configuration and associations stay, because the call omits them as well.
        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html
        """
        with translated(f"remove the role of add-on {addon} in cluster {cluster}"):
            answer = self._session.client("eks").update_addon(clusterName=cluster, addonName=addon, resolveConflicts="PRESERVE")
        return str(answer["update"]["id"])
