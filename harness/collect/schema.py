"""The shapes of the spec files as JSON Schema, for editors that complete and check while typing."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from harness.collect.judge_spec import JudgeSpec
from harness.collect.recipe_spec import RecipeSpec
from harness.collect.specs import METRICS, ModelSpec, TaskSpec
from harness.collect.validate import Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of file; no other key is valid."""
    types: dict[str, Any] = {
        "task": TaskSpec,
        "model": Annotated[ModelSpec, Field(discriminator="adapter")],
        "judge": JudgeSpec,
        "recipe": RecipeSpec,
    }
    schema = TypeAdapter(types[kind]).json_schema()
    if kind == "task":
        _allow_bare_names(schema)
    return {"$schema": DIALECT, **schema, "title": f"{kind} of tune-harness"}


def _allow_bare_names(schema: dict[str, Any]) -> None:
    """A score entry may be a metric's name alone, which pydantic's validator knows and says not."""
    entry = schema["$defs"]["ScoreSpec"]
    entry["properties"]["metric"]["anyOf"][0]["enum"] = list(METRICS)
    description = entry.pop("description", "")
    schema["$defs"]["ScoreSpec"] = {
        "description": description,
        "anyOf": [{"type": "string", "enum": list(METRICS)}, entry],
    }
