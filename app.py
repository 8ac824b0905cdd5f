#!/usr/bin/env python3
"""Builds the CDK app. No other module reads the CDK context or the environment.

Context: `config` names the configuration file (default `deploy.yaml`, which is optional); `remediator` holds a configuration in `cdk.json`
instead; `bundle=false` omits the functions' packages; `nag=false` disables the security rules. The context of `cdk.json` also applies
without the CDK command line, so that `make synth` refuses what `cdk synth` and `cdk deploy` refuse.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from infra.nodejs import use_packaged_node

use_packaged_node()  # before CDK starts Node.js

import aws_cdk as cdk  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.asset import BundlingFailed  # noqa: E402
from infra.configuration import Configuration, Environment  # noqa: E402
from infra.configuration_checks import find_conflicts  # noqa: E402
from infra.configuration_file import load, parse  # noqa: E402
from infra.configuration_schema import InvalidConfiguration, Problem  # noqa: E402
from infra.functions import bundled_code, placeholder_code  # noqa: E402
from infra.size_limits import find_excesses  # noqa: E402
from infra.stack import add_stacks  # noqa: E402

ROOT = Path(__file__).parent


def configuration(app: cdk.App) -> Configuration:
    """Return the configuration from the file or from the context. Account and region default to those of the caller's credentials.

    Raises:
        InvalidConfiguration: both are given, or the configuration has problems.
    """
    named, inline = app.node.try_get_context("config"), app.node.try_get_context("remediator")
    if inline is not None and named is not None:
        raise InvalidConfiguration(Problem("config", named, "a file or the context key `remediator`, not both"))
    written = load(ROOT, named) if inline is None else parse(inline)
    placed = replace(written, environments=tuple(map(_with_defaults, written.environments)))
    problems = tuple(find_conflicts(placed))
    if problems:
        raise InvalidConfiguration(*problems)
    return placed


def _with_defaults(environment: Environment) -> Environment:
    account = environment.account or os.environ.get("CDK_DEFAULT_ACCOUNT")
    return replace(environment, account=account, region=environment.region or os.environ.get("CDK_DEFAULT_REGION"))


def cdk_environment(environment: Environment) -> cdk.Environment:
    """Return the account and region of an environment as CDK's type."""
    return cdk.Environment(account=environment.account, region=environment.region)


def build(app: cdk.App) -> None:
    """Add every stack of the configuration to the app."""
    bundle = app.node.try_get_context("bundle") not in ("false", False)
    code = bundled_code if bundle else placeholder_code
    add_stacks(app, configuration=configuration(app), code=code, cdk_environment=cdk_environment)
    if app.node.try_get_context("nag") not in ("false", False):
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> int:
    """Synthesize the app. Prints an invalid or too large configuration as a message without traceback and returns 1."""
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"])
    try:
        build(app)
    except InvalidConfiguration as error:
        print(f"The configuration is invalid.\n{error}", file=sys.stderr)
        return 1
    except BundlingFailed as error:
        print(f"The functions' asset cannot be built.\n{error}", file=sys.stderr)
        return 1
    excesses = [excess for stack in app.synth().stacks for excess in find_excesses(stack.stack_name, stack.template)]
    if excesses:
        print("The templates exceed limits of AWS.", *excesses, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
