"""A difference as JSON, for programs: sizes in bytes, null where something is not known.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from build.catalogue.changes import Change
from build.diff.compare import Fetched, ImageDifference
from build.diff.facts import ImageFacts, Layer
from build.diff.release_difference import ReleaseDifference


def of_images(difference: ImageDifference) -> str:
    """What differs between two images."""
    return json.dumps(_image(difference), indent=2)


def of_releases(difference: ReleaseDifference) -> str:
    """What differs between two releases."""
    return json.dumps(
        {
            "before": _release(difference.before),
            "after": _release(difference.after),
            "added": list(difference.added),
            "removed": list(difference.removed),
            "changed": [
                {"name": each.name, "problem": each.problem or None}
                | ({"difference": _image(each.difference)} if each.difference else {"difference": None})
                for each in difference.changed
            ],
            "unchanged": list(difference.unchanged),
            "fetched": _fetched(difference.totals.fetched),
            "fetched_back": _fetched(difference.totals.fetched_back),
            "uncounted": list(difference.totals.uncounted),
        },
        indent=2,
    )


def _release(release: tuple[str, str] | None) -> dict[str, str] | None:
    return {"release": release[0], "place": release[1]} if release else None


def _image(difference: ImageDifference) -> dict[str, Any]:
    return {
        "before": _side(difference.before),
        "after": _side(difference.after),
        "python": _changes(difference.python),
        "debian": _changes(difference.debian),
        "environment": _changes(difference.environment),
        "configuration": _changes(difference.settings),
        "labels": _changes(difference.labels),
        "layers": {"removed": _layers(difference.removed_layers), "added": _layers(difference.added_layers)},
        "fetched": _fetched(difference.fetched),
        "fetched_back": _fetched(difference.fetched_back),
    }


def _side(facts: ImageFacts) -> dict[str, Any]:
    return {
        "reference": facts.reference,
        "digest": facts.digest,
        "bytes": facts.size,
        "packages_from": facts.packages.source or None,
    }


def _changes(changes: Sequence[Change] | None) -> list[dict[str, str | None]] | None:
    if changes is None:
        return None
    return [{"name": each.name, "before": each.before, "after": each.after} for each in changes]


def _layers(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    return [
        {"digest": each.digest, "bytes": each.size, "title": each.title, "created_by": each.created_by}
        for each in layers
    ]


def _fetched(fetched: Fetched) -> dict[str, int]:
    return {"bytes": fetched.bytes, "layers": fetched.layers}
