"""The JSON Schema of ``matrix.yaml``, by which editors complete and check it while it is written."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from build.matrix.model import Matrix


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, for editors: no titles that only repeat the keys, no ``null`` to be completed."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        if "patternProperties" in made:
            made["additionalProperties"] = False
        return made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def schema_text() -> str:
    """The content of ``matrix.schema.json``: JSON Schema, draft 2020-12, the same at every call."""
    schema: dict[str, Any] = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$comment": "Generated from build/matrix/model.py by `nox -s generate`; do not edit.",
    }
    schema |= Matrix.model_json_schema(by_alias=True, schema_generator=_Generator)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
