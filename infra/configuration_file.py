"""Finds and reads the one file that configures deployment."""

from pathlib import Path
from typing import Final

import yaml

from infra.configuration import Configuration
from infra.configuration_checks import find_conflicts
from infra.configuration_schema import InvalidConfiguration, Problem, parse_mapping

DEFAULT_NAME: Final = "deploy.yaml"


def parse(raw: object) -> Configuration:
    """A configuration from what a file or the CDK context holds; None is the current account and region with nothing else.

    Raises:
        InvalidConfiguration: names each key, its value and what is allowed.
    """
    configuration = parse_mapping(Configuration, {} if raw is None else raw)
    problems = tuple(find_conflicts(configuration))
    if problems:
        raise InvalidConfiguration(*problems)
    return configuration


def load(folder: Path, named: str | None = None) -> Configuration:
    """The configuration in `deploy.yaml`, or in the file named; without a name the file need not exist.

    Raises:
        InvalidConfiguration: the named file is not there, is no YAML, or does not parse.
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
