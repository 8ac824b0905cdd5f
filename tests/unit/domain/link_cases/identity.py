"""Cases of the desired role: existence, OIDC provider, trust and permissions."""

from dataclasses import replace

from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.simulation import ALLOWED
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    InvalidBinding,
    Missing,
    OidcProvider,
    RoleFacts,
)
from tests.unit.domain.link_cases.fixtures import BROKEN, NOT_APPLICABLE, OK, UNKNOWN, UNREAD, Case
from tests.unit.domain.snapshot_fixtures import addon, cluster, snapshot_with
from tests.unit.notifications.snapshots import ROLE, SHOP, healthy_snapshot, service_account, trust
from tests.world.simulations import REFUSED, simulation

CASES: dict[str, Case] = {
    # 4 role
    "role: exists": (snapshot_with(), Link.ROLE, OK, None),
    "role: binding invalid": (
        snapshot_with(binding=InvalidBinding(path="p", reason="is no ARN"), role=NOT_READ),
        Link.ROLE,
        BROKEN,
        Verdict.BINDING_INVALID,
    ),
    "role: has a path that the parameter lacks": (
        snapshot_with(role=Missing("role", other="arn:aws:iam::111122223333:role/team/prod-blue-vpc-cni")),
        Link.ROLE,
        BROKEN,
        Verdict.BINDING_INVALID,
    ),
    "role: does not exist": (snapshot_with(role=Missing("role")), Link.ROLE, BROKEN, Verdict.BINDING_INVALID),
    "role: not told": (snapshot_with(role=UNREAD), Link.ROLE, UNKNOWN, None),
    "role: not read": (snapshot_with(role=NOT_READ), Link.ROLE, UNKNOWN, None),
    "role: no binding": (snapshot_with(binding=Missing("p"), addon=addon(role_arn=None), role=NOT_READ), Link.ROLE, NOT_APPLICABLE, None),
    # 5 OIDC provider
    "provider: there": (snapshot_with(), Link.OIDC_PROVIDER, OK, None),
    "provider: none": (snapshot_with(oidc_provider=Missing("p")), Link.OIDC_PROVIDER, BROKEN, Verdict.OIDC_PROVIDER_MISSING),
    "provider: other audience": (
        snapshot_with(oidc_provider=OidcProvider(arn="a", client_ids=("example.com",))),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: no audience": (
        snapshot_with(oidc_provider=OidcProvider(arn="a", client_ids=())),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: one audience of two": (
        snapshot_with(oidc_provider=OidcProvider(arn="a", client_ids=("x", "sts.amazonaws.com"))),
        Link.OIDC_PROVIDER,
        OK,
        None,
    ),
    "provider: without the audience that the ServiceAccount asks for": (
        snapshot_with(service_account=replace(service_account(), audience="vault")),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: with the audience that the ServiceAccount asks for": (
        snapshot_with(
            service_account=replace(service_account(), audience="vault"), oidc_provider=OidcProvider(arn="a", client_ids=("vault",))
        ),
        Link.OIDC_PROVIDER,
        OK,
        None,
    ),
    "provider: the cluster has no issuer": (
        snapshot_with(cluster=cluster(issuer=None), oidc_provider=Missing("OIDC issuer")),
        Link.OIDC_PROVIDER,
        BROKEN,
        Verdict.OIDC_PROVIDER_MISSING,
    ),
    "provider: not told": (snapshot_with(oidc_provider=UNREAD), Link.OIDC_PROVIDER, UNKNOWN, None),
    "provider: no role to guard": (snapshot_with(oidc_provider=NOT_READ), Link.OIDC_PROVIDER, NOT_APPLICABLE, None),
    # 6 trust
    "trust: lets us in": (snapshot_with(), Link.TRUST, OK, None),
    "trust: other issuer": (
        snapshot_with(role=RoleFacts(arn=ROLE, trust=trust("oidc.eks.eu-west-1.amazonaws.com/id/OTHER"))),
        Link.TRUST,
        BROKEN,
        Verdict.TRUST_OTHER_ISSUER,
    ),
    "trust: other subject": (
        snapshot_with(role=RoleFacts(arn=ROLE, trust=trust(subject="system:serviceaccount:a:b"))),
        Link.TRUST,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "trust: another audience than the ServiceAccount asks for": (
        snapshot_with(
            service_account=replace(service_account(), audience="vault"), oidc_provider=OidcProvider(arn="a", client_ids=("vault",))
        ),
        Link.TRUST,
        BROKEN,
        Verdict.TRUST_CONDITION_WRONG,
    ),
    "trust: an operator that we do not know": (
        snapshot_with(
            role=RoleFacts(
                arn=ROLE,
                trust={
                    "Statement": [
                        {**trust()["Statement"][0], "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}
                    ]
                },
            )
        ),
        Link.TRUST,
        UNKNOWN,
        None,
    ),
    "trust: not told": (snapshot_with(role=UNREAD), Link.TRUST, UNKNOWN, None),
    "trust: no role": (snapshot_with(role=Missing("role")), Link.TRUST, NOT_APPLICABLE, None),
    # 7 permissions
    "permissions: one is shown to be allowed": (
        snapshot_with(simulated={"ec2:CreateTags": ALLOWED}),
        Link.PERMISSIONS,
        UNKNOWN,
        None,
    ),
    "permissions: five are shown to be allowed": (
        snapshot_with(simulated={call: found for call, found in simulation().items() if "NetworkInterface" not in call}),
        Link.PERMISSIONS,
        UNKNOWN,
        None,
    ),
    "permissions: all, of a release that was not examined": (
        snapshot_with(simulated=simulation(), addon=addon(version="v1.99.0-eksbuild.1")),
        Link.PERMISSIONS,
        UNKNOWN,
        None,
    ),
    "permissions: six denied": (
        snapshot_with(simulated={call: REFUSED if "NetworkInterface" in call else found for call, found in simulation().items()}),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "permissions: not granted to ask": (snapshot_with(), Link.PERMISSIONS, UNKNOWN, None),
    "permissions: all": (snapshot_with(simulated=simulation()), Link.PERMISSIONS, OK, None),
    "permissions: one denied": (
        snapshot_with(simulated=simulation("ec2:CreateTags")),
        Link.PERMISSIONS,
        BROKEN,
        Verdict.PERMISSIONS_MISSING,
    ),
    "permissions: nothing to ask about": (snapshot_with(simulated=NOT_READ), Link.PERMISSIONS, NOT_APPLICABLE, None),
    "permissions: a workload that we do not know": (
        snapshot_with(healthy_snapshot(SHOP), simulated={}),
        Link.PERMISSIONS,
        NOT_APPLICABLE,
        None,
    ),
}
