"""What the models of ``matrix.yaml`` have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Strict(BaseModel):
    """Unknown keys are errors, values are not converted, models do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=_kebab, validate_by_name=False)
