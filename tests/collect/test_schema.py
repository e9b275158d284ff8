"""JSON Schema: what editors say agrees with what `harness collect` says."""

from __future__ import annotations

import json

import pytest

from harness.collect.schema import json_schema
from harness.collect.specs import METRICS, SPEC_KINDS
from harness.collect.validate import Kind


@pytest.mark.parametrize("kind", SPEC_KINDS)
def test_every_kind_has_a_schema_that_is_json(kind: Kind) -> None:
    schema = json.loads(json.dumps(json_schema(kind)))
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["title"] == f"{kind} of tune-harness"
    if kind != "model":
        assert kind in schema["required"]
        assert schema["additionalProperties"] is False


def test_a_model_cards_keys_depend_on_its_adapter() -> None:
    schema = json_schema("model")
    assert set(schema["discriminator"]["mapping"]) >= {"transformers", "replay"}


def test_a_score_may_be_a_bare_name() -> None:
    bare, full = json_schema("task")["$defs"]["ScoreSpec"]["anyOf"]
    assert bare["enum"] == list(METRICS)
    assert full["properties"]["metric"]["anyOf"][0]["enum"] == list(METRICS)
