"""The JSON Schema of ``matrix.yaml``: editors complete and check the file with it.  Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from build.matrix.model import Matrix


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without what disturbs in an editor: titles that repeat the keys, ``null`` as a value."""

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


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the matrix, draft 2020-12."""
    return Matrix.model_json_schema(by_alias=True, schema_generator=_Generator)


def schema_text() -> str:
    """Return the content of ``matrix.schema.json``, the same at every call."""
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$comment": "Generated from the models in build/matrix by `nox -s generate`; do not edit.",
    }
    return json.dumps(head | schema(), indent=2, ensure_ascii=False) + "\n"
