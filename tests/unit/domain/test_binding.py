"""From parameters to a binding: precedence, defaults, refused values, and the bound ServiceAccounts."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path, split_binding_path
from lambdas.domain.snapshot.bindings import (
    BindingValue,
    Parameter,
    bound_clusters,
    bound_targets,
    canonical_json,
    desired_settings,
    has_default,
    parse_binding_value,
    resolve_binding,
)
from lambdas.domain.snapshot.snapshot import Association, AssociationSettings, Binding, InvalidBinding, Missing

TARGET = ServiceAccountRef("blue", "kube-system", "aws-node")
OWN, DEFAULT = binding_path("blue", "kube-system", "aws-node"), binding_path("_default", "kube-system", "aws-node")
ARN = "arn:aws:iam::111122223333:role/blue-cni"


def _found(parameters: dict[str, Parameter | str], partition: str = "aws") -> Binding | InvalidBinding | Missing:
    given = {path: item if isinstance(item, Parameter) else Parameter(value=item) for path, item in parameters.items()}
    return resolve_binding(given, TARGET, account="111122223333", partition=partition, region="eu-west-1")


def test_a_binding_of_the_cluster_precedes_the_default() -> None:
    assert _found({OWN: ARN, DEFAULT: ARN + "-default"}) == Binding(path=OWN, role_arn=ARN)


def test_every_part_of_a_parameter_is_in_the_binding() -> None:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    value = {
        "role": "arn:{partition}:iam::{account}:role/{cluster}",
        "mechanism": "pod-identity",
        "target_role": "arn:{partition}:iam::444455556666:role/{region}",
        "session_tags": False,
        "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Sid": "é"}]},
    }
    assert _found({OWN: Parameter(value=json.dumps(value), version=7, changed_at=at)}) == Binding(
        path=OWN,
        role_arn="arn:aws:iam::111122223333:role/blue",
        version=7,
        changed_at=at,
        mechanism=Mechanism.POD_IDENTITY,
        target_role_arn="arn:aws:iam::444455556666:role/eu-west-1",
        session_tags=False,
        policy='{"Statement":[{"Action":"s3:*","Effect":"Allow","Resource":"*","Sid":"é"}],"Version":"2012-10-17"}',
    )


def test_the_default_applies_without_a_binding_of_the_cluster() -> None:
    assert _found({DEFAULT: ARN}) == Binding(path=DEFAULT, role_arn=ARN)


def test_an_invalid_binding_of_the_cluster_does_not_fall_back_to_the_default() -> None:
    assert isinstance(_found({OWN: "nonsense", DEFAULT: ARN}), InvalidBinding)


def test_a_missing_binding_names_the_parameter_to_write() -> None:
    assert _found({binding_path("green", "kube-system", "aws-node"): ARN}) == Missing(OWN)


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        pytest.param("arn:{partition}:iam::{account}:role/{cluster}-vpc-cni", "arn:aws:iam::111122223333:role/blue-vpc-cni", id="all"),
        pytest.param("arn:aws:iam::111122223333:role/{region}/cni", "arn:aws:iam::111122223333:role/eu-west-1/cni", id="in the path"),
        pytest.param(f"  {ARN}\n", ARN, id="space around it"),
        pytest.param("arn:aws:iam::111122223333:role/a/b/c", "arn:aws:iam::111122223333:role/a/b/c", id="a path"),
        pytest.param("arn:aws:iam::444455556666:role/shared", "arn:aws:iam::444455556666:role/shared", id="another account"),
        pytest.param("arn:aws:iam::111122223333:role/" + "r" * 64, "arn:aws:iam::111122223333:role/" + "r" * 64, id="longest name"),
    ],
)
def test_a_role_arn_is_read(text: str, arn: str) -> None:
    assert _found({OWN: text}) == Binding(path=OWN, role_arn=arn)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is not a role ARN", id="empty"),
        pytest.param("blue-cni", "is not a role ARN", id="a name"),
        pytest.param("arn:aws:iam::111122223333:user/dana", "is not a role ARN", id="a user"),
        pytest.param("arn:aws:iam::111122223333:role/", "is not a role ARN", id="no name"),
        pytest.param("arn:aws:iam::11112222333:role/blue", "is not a role ARN", id="eleven digits"),
        pytest.param("arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/blue", "is not a role ARN", id="digits of another script"),
        pytest.param("arn:aws:iam::111122223333:role/" + "r" * 65, "is not a role ARN", id="one character too long"),
        pytest.param(f"{ARN}\nAWS_x", "is not a role ARN", id="a second line"),
        pytest.param(f"{ARN},{ARN}", "is not a role ARN", id="two of them"),
        pytest.param("arn:aws:iam::111122223333:role/{stage}", "unknown placeholder, {stage}", id="placeholder"),
        pytest.param("arn:aws-cn:iam::111122223333:role/blue", "partition aws-cn; this account is in aws", id="partition"),
        pytest.param("arn:aws-new:iam::111122223333:role/blue", "is not a role ARN", id="a partition we do not know"),
    ],
)
def test_an_invalid_value_is_refused_with_the_reason(text: str, says: str) -> None:
    found = _found({OWN: text})
    assert isinstance(found, InvalidBinding)
    assert found.path == OWN
    assert says in found.reason


def test_a_role_arn_must_have_the_partition_of_the_account() -> None:
    assert isinstance(_found({OWN: "arn:aws-cn:iam::111122223333:role/blue"}, partition="aws-cn"), Binding)


@pytest.mark.parametrize("kind", ["SecureString", "StringList"])
def test_a_binding_must_have_the_type_string(kind: str) -> None:
    assert _found({OWN: Parameter(value=ARN, type=kind)}) == InvalidBinding(path=OWN, reason=f"is a {kind}; a binding is a String")


ROOT = "/eks-irsa-remediator/bindings"


@pytest.mark.parametrize(
    "path",
    [
        f"{ROOT}/blue/kube-system",
        f"{ROOT}/blue/kube-system/aws-node/more",
        f"{ROOT}//kube-system/aws-node",
        f"{ROOT}/blue/Kube/aws-node",
        f"{ROOT}/-blue/kube-system/aws-node",
        "/eks-irsa-remediator/settings/blue/mode",
        "/other/bindings/blue/kube-system/aws-node",
    ],
)
def test_other_parameters_bind_nothing(path: str) -> None:
    assert bound_targets([path], ["blue", "-blue", ""]) == ()
    assert bound_clusters([path]) == ()


def test_bound_service_accounts_are_listed_once_and_sorted() -> None:
    paths = [DEFAULT, OWN, binding_path("blue", "shop", "uploader"), binding_path("green", "shop", "uploader")]
    assert bound_targets(paths, ["blue"]) == (TARGET, ServiceAccountRef("blue", "shop", "uploader"))
    assert bound_clusters(paths) == ("blue", "green")
    assert has_default(paths)
    assert not has_default(paths[1:])


def test_a_binding_path_parses_to_its_parts() -> None:
    assert split_binding_path(OWN) == ("blue", "kube-system", "aws-node")
    assert ServiceAccountRef.from_key(TARGET.key) == TARGET


@pytest.mark.parametrize("key", ["", "a/b", "a/b/c/d", "a/B/c", "_default/b/c", "a/../c"])
def test_an_invalid_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"not a ServiceAccount key|unpack"):
        ServiceAccountRef.from_key(key)


def _object(**members: str) -> str:
    return json.dumps(members)


def test_a_binding_names_a_mechanism_and_a_target_role() -> None:
    role = "arn:{partition}:iam::{account}:role/{cluster}-cni"
    text = _object(role=role, mechanism="pod-identity", target_role=f"{ARN}-far")
    assert _found({OWN: text}) == Binding(path=OWN, role_arn=ARN, mechanism=Mechanism.POD_IDENTITY, target_role_arn=f"{ARN}-far")
    assert _found({OWN: _object(role=ARN, mechanism="irsa")}) == Binding(path=OWN, role_arn=ARN, mechanism=Mechanism.IRSA)
    assert _found({OWN: f" {_object(role=ARN)} "}) == Binding(path=OWN, role_arn=ARN)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"role": ', "is neither a role ARN nor a JSON object", id="cut"),
        pytest.param('{"role": "r"} x', "is neither a role ARN nor a JSON object", id="text behind it"),
        pytest.param("{}", "has no role", id="empty"),
        pytest.param('{"role": 1}', "has a role that is not a text", id="a number"),
        pytest.param('{"role": "r", "mechanism": null}', "has a mechanism that is not a text", id="null"),
        pytest.param('{"role": "r", "session_tags": "no"}', "has a session_tags that is not true or false", id="tags as text"),
        pytest.param('{"role": "r", "policy": "{}"}', "has a policy that is not a policy document", id="policy as text"),
        pytest.param('{"role": "r", "session_tags": false}', "has session tags, which needs the mechanism pod-identity", id="tags alone"),
        pytest.param('{"role": "r", "mechanism": "irsa", "policy": {"a": 1}}', "has a policy, which needs", id="policy with irsa"),
        pytest.param(
            '{"role": "r", "mechanism": "pod-identity", "policy": {"a": 1}}', "add session_tags: false", id="policy with session tags"
        ),
        pytest.param('{"role": "blue-cni"}', "is not a role ARN", id="a name"),
        pytest.param('{"role": "r", "mode": "irsa"}', "has the unknown key 'mode'", id="an unknown key"),
        pytest.param(
            '{"role": "r", "mechanism": "pods"}', "has the unknown mechanism 'pods'; there are irsa and pod-identity", id="unknown"
        ),
        pytest.param('{"role": "r", "mechanism": "irsa", "target_role": "r"}', "needs the mechanism pod-identity", id="target with irsa"),
        pytest.param(_object(role=ARN, mechanism="pod-identity", target_role="r"), "has a target role that is not", id="target"),
        pytest.param("{" * 100_000 + '"', "is not a role ARN", id="deep"),
        pytest.param('{"a":' * 100_000, "is neither a role ARN nor a JSON object", id="deep JSON"),
    ],
)
def test_an_invalid_object_says_what_is_wrong(text: str, says: str) -> None:
    found = _found({OWN: text})
    assert isinstance(found, InvalidBinding)
    assert says in found.reason
    assert len(found.reason) < 400


POLICY = '{"Statement":[{"Action":"s3:GetObject","Effect":"Allow","Resource":"arn:aws:s3:::{cluster}-data/*"}]}'


def test_a_binding_names_session_tags_and_a_policy() -> None:
    text = json.dumps({"role": ARN, "mechanism": "pod-identity", "session_tags": False, "policy": json.loads(POLICY)})
    found = _found({OWN: text})
    assert isinstance(found, Binding)
    assert (found.session_tags, found.policy) == (False, POLICY.replace("{cluster}", "blue"))


PRESENT = Association(id="a-1", role_arn="other", target_role_arn="far", has_session_tags=False, policy="{}")


@pytest.mark.parametrize(
    ("binding", "found", "wanted"),
    [
        pytest.param(Binding(path=OWN, role_arn=ARN), None, AssociationSettings(role_arn=ARN), id="the defaults of EKS"),
        pytest.param(
            Binding(path=OWN, role_arn=ARN), PRESENT, AssociationSettings(role_arn=ARN, has_session_tags=False, policy="{}"), id="kept"
        ),
        pytest.param(
            Binding(path=OWN, role_arn=ARN, target_role_arn="t", session_tags=False, policy="p"),
            replace(PRESENT, policy="q"),
            AssociationSettings(role_arn=ARN, target_role_arn="t", has_session_tags=False, policy="p"),
            id="named",
        ),
    ],
)
def test_what_a_binding_does_not_name_stays_as_it_is(binding: Binding, found: Association | None, wanted: AssociationSettings) -> None:
    assert desired_settings(binding, found) == wanted


def test_equal_policies_are_equal_texts() -> None:
    assert canonical_json('{"b": 1,\n "a": [2]}') == canonical_json('{"a":[2],"b":1}') == '{"a":[2],"b":1}'
    assert canonical_json("no JSON") == "no JSON"


@pytest.mark.parametrize(
    "text",
    [ARN, _object(role=ARN, mechanism="irsa"), '{"role": "r", "mechanism": "pod-identity", "session_tags": false, "policy": {"a": 1}}'],
)
def test_a_parsed_value_is_written_as_it_was(text: str) -> None:
    value = parse_binding_value(text)
    assert isinstance(value, BindingValue)
    assert value.text == text
