#!/usr/bin/env python3
"""Builds the CDK app; the only reader of CDK context and of the environment.

Context: `config` names the configuration file (default `deploy.yaml`, which need not exist), `remediator` is a configuration given in
`cdk.json` instead, `bundle=false` leaves the functions' packages out, `nag=false` leaves the security rules out.
"""

import os
import sys
from functools import partial
from pathlib import Path

from infra.nodejs import use_packaged_node

use_packaged_node()  # before CDK starts a Node of its own choice

import aws_cdk as cdk  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.asset import BundlingFailed  # noqa: E402
from infra.code import bundled, unbundled  # noqa: E402
from infra.configuration import Configuration, Environment  # noqa: E402
from infra.configuration_schema import InvalidConfiguration, Problem  # noqa: E402
from infra.configuration_file import load, parse  # noqa: E402
from infra.stack import add_stacks  # noqa: E402

ROOT = Path(__file__).parent


def configuration(app: cdk.App) -> Configuration:
    """The configuration from the file or from the context, not both.

    Raises:
        InvalidConfiguration: names each key, its value and what is allowed.
    """
    named, inline = app.node.try_get_context("config"), app.node.try_get_context("remediator")
    if inline is None:
        return load(ROOT, named)
    if named is not None:
        raise InvalidConfiguration(Problem("config", named, "a file or the context key `remediator`, not both"))
    return parse(inline)


def cdk_environment(environment: Environment) -> cdk.Environment:
    """Where an environment's stacks go; what the configuration leaves open is the account and region of the caller's credentials."""
    return cdk.Environment(
        account=environment.account or os.environ.get("CDK_DEFAULT_ACCOUNT"),
        region=environment.region or os.environ.get("CDK_DEFAULT_REGION"),
    )


def build(app: cdk.App) -> None:
    """Add every stack of the configuration to the app."""
    wanted = configuration(app)
    bundle = app.node.try_get_context("bundle") not in ("false", False)
    code = bundled if bundle else partial(unbundled, ROOT)
    add_stacks(app, configuration=wanted, code=code, cdk_environment=cdk_environment)
    if app.node.try_get_context("nag") not in ("false", False):
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> int:
    """Synthesize; a configuration that cannot be deployed is told in words, without a traceback."""
    app = cdk.App()
    try:
        build(app)
    except InvalidConfiguration as error:
        print(f"The configuration cannot be deployed.\n{error}", file=sys.stderr)
        return 1
    except BundlingFailed as error:
        print(f"The functions' asset cannot be built.\n{error}", file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
