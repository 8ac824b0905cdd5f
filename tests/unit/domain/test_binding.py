"""From parameters to a binding: precedence, defaults, refused values, and the bound ServiceAccounts."""

import json

import pytest

from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path, split_binding_path
from lambdas.domain.snapshot.bindings import (
    BindingValue,
    Parameter,
    bound_clusters,
    bound_targets,
    has_default,
    parse_binding_value,
    resolve_binding,
)
from lambdas.domain.snapshot.snapshot import Binding, InvalidBinding, Missing

TARGET = ServiceAccountRef("blue", "kube-system", "aws-node")
OWN, DEFAULT = binding_path("blue", "kube-system", "aws-node"), binding_path("_default", "kube-system", "aws-node")
ARN = "arn:aws:iam::111122223333:role/blue-cni"


def _found(parameters: dict[str, Parameter | str], partition: str = "aws") -> Binding | InvalidBinding | Missing:
    given = {path: item if isinstance(item, Parameter) else Parameter(value=item) for path, item in parameters.items()}
    return resolve_binding(given, TARGET, account="111122223333", partition=partition, region="eu-west-1")


def test_a_binding_of_the_cluster_precedes_the_default() -> None:
    assert _found({OWN: ARN, DEFAULT: ARN + "-default"}) == Binding(path=OWN, role_arn=ARN)


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
        pytest.param('{"role": 1}', "is not a JSON object of texts", id="a number"),
        pytest.param('{"role": "r", "mechanism": null}', "is not a JSON object of texts", id="null"),
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


@pytest.mark.parametrize("text", [ARN, _object(role=ARN, mechanism="irsa")])
def test_a_parsed_value_is_written_as_it_was(text: str) -> None:
    value = parse_binding_value(text)
    assert isinstance(value, BindingValue)
    assert value.text == text
