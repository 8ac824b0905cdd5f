"""The modules that adapters load at import and at first use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import UnknownServiceError

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.ttl_cache import TtlCache

ROOT = Path(__file__).parents[3]
HEAVY = {"boto3", "botocore", "kubernetes", "urllib3", "aws_lambda_powertools", "pydantic", "asyncio"}


def loaded(code: str) -> set[str]:
    shown = f"{code}\nimport sys, json; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    ran = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_importing_every_adapter_loads_no_client_library() -> None:
    names = [path.stem for path in (ROOT / "lambdas/adapters").glob("*.py") if path.stem not in ("__init__", "service_models")]
    assert len(names) > 15
    assert not loaded("\n".join(f"import lambdas.adapters.{name}" for name in names)) & HEAVY


def test_a_client_comes_from_botocore_alone_whose_models_orjson_reads() -> None:
    code = "from lambdas.adapters.aws_session import AwsSession\nAwsSession('eu-west-1').client('eks')"
    assert {"botocore", "orjson"} <= loaded(code)
    assert not {"boto3", "kubernetes", "asyncio"} & loaded(code)


def test_a_client_is_created_once() -> None:
    session = AwsSession("eu-west-1")
    assert session.client("ssm") is session.client("ssm")
    assert session.client("ssm").meta.region_name == "eu-west-1"


def test_the_model_loader_reads_the_same_models_as_botocore() -> None:
    from botocore.loaders import Loader

    from lambdas.adapters.service_models import model_loader

    for service in ("eks", "dynamodb", "iam"):
        for kind in ("service-2", "endpoint-rule-set-1"):
            assert model_loader().load_service_model(service, kind) == Loader().load_service_model(service, kind)


def test_an_unknown_service_raises_the_error_of_botocore() -> None:
    with pytest.raises(UnknownServiceError, match="Unknown service: 'moon'"):
        AwsSession("eu-west-1").client("moon")


def test_values_are_cached_until_they_expire_and_errors_are_not_cached() -> None:
    now, asked = [0.0], []

    def ask() -> int:
        asked.append(now[0])
        if len(asked) == 1:
            raise ValueError("first")
        return len(asked)

    kept: TtlCache[int] = TtlCache(10, clock=lambda: now[0])
    with pytest.raises(ValueError, match="first"):
        kept.get("key", ask)
    assert [kept.get("key", ask), kept.get("key", ask), kept.get("other", ask)] == [2, 2, 3]
    now[0] = 9.9
    assert kept.get("key", ask) == 2
    now[0] = 10.0
    assert kept.get("key", ask) == 4
    never: TtlCache[int] = TtlCache(0, clock=lambda: now[0])
    assert never.get("key", ask) != never.get("key", ask)
