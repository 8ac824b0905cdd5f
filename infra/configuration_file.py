"""Reads the deployment configuration from `deploy.yaml` or the CDK context."""

from pathlib import Path
from typing import Final

import yaml

from infra.configuration import Configuration
from infra.configuration_checks import find_conflicts
from infra.configuration_schema import InvalidConfiguration, Problem, parse_mapping

DEFAULT_NAME: Final = "deploy.yaml"


def parse(raw: object) -> Configuration:
    """Return the configuration of a parsed file or of the CDK context. None means the current account and region.

    Raises:
        InvalidConfiguration: lists every problem.
    """
    configuration = parse_mapping(Configuration, {} if raw is None else raw)
    problems = tuple(find_conflicts(configuration))
    if problems:
        raise InvalidConfiguration(*problems)
    return configuration


def load(folder: Path, named: str | None = None) -> Configuration:
    """Return the configuration in `deploy.yaml`, which is optional, or in the named file.

    Raises:
        InvalidConfiguration: the named file does not exist, is not YAML or has problems.
    """
    path = folder / (named or DEFAULT_NAME)
    if not path.is_file():
        if named is not None:
            raise InvalidConfiguration(Problem("config", named, "a YAML file"))
        return parse(None)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidConfiguration(Problem(path.name, str(error), "YAML")) from error
    return parse(raw)
