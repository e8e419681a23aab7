"""Variants as plain data, for ``list --json``.  Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from build.matrix.upkeep import Support
from build.variants.names import group_members
from build.variants.variant import Variant


def as_rows(variants: Sequence[Variant], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return variants as plain data: texts, None, lists and dictionaries.

    Args:
        variants: The variants, in the order of the rows.
        groups: The matrix's groups: name → patterns.
    """
    members = {name: set(group_members(variants, globs)) for name, globs in groups.items()}

    def iso(date: datetime.date | None) -> str | None:
        return date.isoformat() if date else None

    def phase(support: Support | None) -> dict[str, str] | None:
        return {"until": support.until.isoformat(), "source": support.source} if support else None

    return [
        {
            "name": variant.name,
            "framework": variant.framework,
            "version": variant.version,
            "device": variant.device,
            "cuda": variant.cuda.version if variant.cuda else None,
            "cudnn": variant.cuda.cudnn if variant.cuda else None,
            "reach": list(variant.reach),
            "base": variant.base_name,
            "python": variant.base.python,
            "contract": list(variant.contract),
            "lifecycle": {
                "released": iso(variant.lifecycle.released),
                "deprecated": iso(variant.lifecycle.deprecated),
                "full-support": phase(variant.lifecycle.full_support),
                "lts": phase(variant.lifecycle.lts),
                "end-of-life": iso(variant.lifecycle.end_of_life),
            },
            "groups": [name for name, names in members.items() if variant.name in names],
        }
        for variant in variants
    ]
