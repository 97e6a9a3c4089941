"""The schemas in ``assets/`` and what the code relies on."""

import json

import jsonschema
import pytest

from helpers import ASSETS
from semanticst.io.samplesheet import LEADING, OVERRIDES
from semanticst.tables.schema import column_names, load_schema

NAMES = ("input", "clinical", "contrasts")


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_valid_and_describe_every_column(name):
    schema = json.loads((ASSETS / f"schema_{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(rules["description"] for rules in schema["items"]["properties"].values())
    assert set(schema["items"]["required"]) <= set(column_names(schema))


def test_columns_that_the_code_names_are_in_the_schema():
    assert tuple(column_names(load_schema("input"))[: len(LEADING)]) == LEADING
    assert [c for c in column_names(load_schema("input")) if c.startswith("qc_")] == list(OVERRIDES)


def test_aliases_are_not_columns_themselves():
    for name in NAMES:
        properties = load_schema(name)["items"]["properties"]
        aliases = [alias for rules in properties.values() for alias in rules.get("aliases", ())]
        assert len(aliases) == len(set(aliases))
        assert not set(aliases) & set(properties)
