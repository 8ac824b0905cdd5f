"""An asset with two small functions and the real packages, run by the real emulator."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import asset
from sandbox.aws.local_aws import LocalAws
from sandbox.functions.dead_letters import DeadLetters
from sandbox.functions.lambda_api import LambdaApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real asset with the functions of `handlers.py` in it."""
    folder = tmp_path_factory.mktemp("asset") / "asset"
    shutil.copytree(asset.build(asset.Target.this_machine()), folder)
    shutil.copy(Path(__file__).with_name("handlers.py"), folder / "handlers.py")
    return folder


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        local.roles.create("remediator")
        yield local


@pytest.fixture(scope="module")
def dead_letters(aws: LocalAws) -> DeadLetters:
    return DeadLetters(aws.client)


@pytest.fixture(scope="module")
def front(aws: LocalAws, dead_letters: DeadLetters) -> Iterator[LambdaApi]:
    with LambdaApi(region=aws.region, retry_after_s=0.05, on_dead_letter=dead_letters) as running:
        aws.route("lambda", running)
        yield running
