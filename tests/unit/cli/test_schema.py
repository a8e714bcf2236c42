from __future__ import annotations

import json

import jsonschema
import pytest
from click.testing import CliRunner

from wheelkiln.cli.schema import command, make_schema


@pytest.mark.parametrize("what", ["config", "plan", "manifest"])
def test_a_schema_is_valid_and_printed(what: str) -> None:
    printed = json.loads(CliRunner().invoke(command, [what]).output)
    assert printed == make_schema(what)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(printed)


def test_the_configuration_is_the_default() -> None:
    assert json.loads(CliRunner().invoke(command, []).output) == make_schema("config")


def test_the_configurations_schema_has_dashes_and_refuses_unknown_keys() -> None:
    validator = jsonschema.Draft202012Validator(make_schema("config"))
    assert validator.is_valid({"cache": {"max-size": "1G"}, "python": ["cp312"]})
    assert not validator.is_valid({"cache": {"max_size": "1G"}})
    assert not validator.is_valid({"polcy": "x"})
    assert not validator.is_valid({"python": []})
