"""The record of what a registry had when the catalogue was last written: ``docs/images.json``, which is committed.

With it ``docs/images.md`` has digests and sizes, and `nox -s check` needs no registry.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from build.errors import DriftError
from build.images.labels import STAND_IN

if TYPE_CHECKING:
    from build.catalogue.remote import Published


class RecordedImage(BaseModel):
    """A published image in short."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The immutable tag; None where it has none.
    tag: str | None
    digest: str
    #: Bytes of a first pull.
    size: int
    #: Whether ``latest`` points to it.
    is_latest: bool = True
    #: The base that it uses instead of its own.
    stand_in: str | None = None


class Record(BaseModel):
    """What one registry had on one day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: A note for people who find the file.
    about: str = Field(default="Written by `nox -s catalogue` from the registry; do not edit.")
    #: ``host[:port][/namespace]``.
    registry: str
    date: datetime.date
    images: Mapping[str, RecordedImage]


def record(published: Mapping[str, Published], registry: str, today: datetime.date) -> Record:
    """Record the content of a registry.

    Args:
        published: Image name → what the registry has of it.
        registry: The name of the registry: ``host[:port][/namespace]``.
        today: The day (UTC).
    """
    return Record(
        registry=registry,
        date=today,
        images={
            name: RecordedImage(
                tag=image.tag.tag if image.tag else None,
                digest=image.current.digest,
                size=image.current.size,
                is_latest=image.is_latest,
                stand_in=image.current.labels.get(STAND_IN),
            )
            for name, image in sorted(published.items())
        },
    )


def to_text(content: Record) -> str:
    """Write a record as the content of the file, one line for each image, so that a diff is readable."""
    head = {key: value for key, value in content.model_dump(mode="json").items() if key != "images"}
    lines = [
        f"  {json.dumps(name)}: {json.dumps(image.model_dump(mode='json', exclude_defaults=True))}"
        for name, image in content.images.items()
    ]
    images = "{\n" + ",\n".join(lines) + "\n }" if lines else "{}"
    return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "images": {images}\n}}\n'


def read(file: Path) -> Record | None:
    """Read a record; None where the file does not exist.

    Raises:
        DriftError: The file is not one that `to_text` writes.
    """
    try:
        return Record.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DriftError(
            f"the file is not as `nox -s catalogue` wrote it: {first['msg']}",
            where=f"{file.name} ({place})" if place else file.name,
            fix="restore the committed file (git checkout), or write it again: nox -s catalogue",
        ) from error
