"""Skips the tests where the emulator cannot be installed, unless CI requires them."""

import os

import pytest

from sandbox.local_deployment.emulator import AwsEmulatorUnavailable, install


@pytest.fixture(scope="session", autouse=True)
def _emulator_is_installed() -> None:
    try:
        install()
    except AwsEmulatorUnavailable as problem:
        if os.environ.get("REQUIRE_LOCAL_DEPLOYMENT") == "1":
            pytest.fail(str(problem), pytrace=False)
        pytest.skip(str(problem))
