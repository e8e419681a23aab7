"""What a registry had when the catalogue was last made: ``docs/images.json``, committed.

So ``docs/images.md`` has digests and sizes, and `nox -s check` needs no registry.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from build.catalogue.remote import Published
from build.errors import DriftError
from build.images.dockerfiles import STAND_IN


class RecordedImage(BaseModel):
    """A published image, shortly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The immutable tag; None where it has none.
    tag: str | None
    digest: str
    #: Bytes to pull.
    size: int
    #: Whether ``latest`` points to it.
    is_latest: bool = True
    #: The base that it stands on instead of its own.
    stand_in: str | None = None


class Record(BaseModel):
    """What one registry had on one day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: How it was made, for whoever finds the file.
    about: str = Field(default="Written by `nox -s catalogue` from the registry; do not edit.")
    #: ``host[:port][/namespace]``.
    registry: str
    date: datetime.date
    images: Mapping[str, RecordedImage]


def record(published: Mapping[str, Published], registry: str, today: datetime.date) -> Record:
    """What is recorded of a registry's answers.

    Args:
        published: Image name → what the registry has of it.
        registry: Its name, as people write it.
        today: The day (UTC).
    """
    return Record(
        registry=registry,
        date=today,
        images={
            name: RecordedImage(
                tag=found.tag.tag if found.tag else None,
                digest=found.current.digest,
                size=found.current.size,
                is_latest=found.is_latest,
                stand_in=found.current.labels.get(STAND_IN),
            )
            for name, found in sorted(published.items())
        },
    )


def to_text(content: Record) -> str:
    """The file's content: a line an image, so that a difference is readable."""
    head = {key: value for key, value in content.model_dump(mode="json").items() if key != "images"}
    lines = [
        f"  {json.dumps(name)}: {json.dumps(image.model_dump(mode='json', exclude_defaults=True))}"
        for name, image in content.images.items()
    ]
    images = "{\n" + ",\n".join(lines) + "\n }" if lines else "{}"
    return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "images": {images}\n}}\n'


def read(file: Path) -> Record | None:
    """What ``file`` has, or None where there is none.

    Raises:
        DriftError: It is not as `to_text` writes it.
    """
    try:
        return Record.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DriftError(
            f"not what `nox -s catalogue` writes: {first['msg']}",
            where=f"{file.name} ({place})" if place else file.name,
            fix="take the committed file again (git checkout), or make it anew: nox -s catalogue",
        ) from error
