"""``docs/matrix.md``: every model and key is described, and every example is valid."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from build.matrix.reference import EXAMPLES, reference_text
from build.matrix.strict import Strict


def subclasses(of: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for direct in of.__subclasses__() for each in (direct, *subclasses(direct))]


MODELS = subclasses(Strict)


def keys(section: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in section.model_fields.items()]


@pytest.mark.parametrize("section", MODELS, ids=lambda section: section.__name__)
def test_every_model_has_a_valid_example(section: type[BaseModel]) -> None:
    value: Any = yaml.safe_load(EXAMPLES[section])
    assert section.model_validate(value)


@pytest.mark.parametrize("section", MODELS, ids=lambda section: section.__name__)
def test_every_key_is_in_a_table_with_a_meaning(section: type[BaseModel]) -> None:
    rows = [line.strip("| ").split(" | ") for line in reference_text().splitlines() if line.startswith("| `")]
    meanings = {cells[0].strip("`"): cells[-1] for cells in rows}
    for key in keys(section):
        assert len(meanings[key]) > 10, key


def test_links_lead_to_sections_of_the_page() -> None:
    import re

    text = reference_text()
    anchors = {line[3:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links <= anchors
    assert len(links) > 10


def test_a_key_has_its_default_and_the_values_that_are_allowed() -> None:
    assert "| `because` | `impossible` or `choice` | `impossible` |" in reference_text()
    assert "| `pin` | requirement (PEP 508) | **required** |" in reference_text()
