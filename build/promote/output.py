"""The output of promoting: a reference for each image and the totals, or JSON."""

from __future__ import annotations

import dataclasses
import json

from build.promote.promote import Promoted
from build.system import console


def print_result(result: Promoted) -> None:
    """Print one reference for each image, whole and on a line of its own, then what was refused, then the totals."""
    for image in result.images:
        console.line(image)
    for each in result.attachments_refused:
        console.line(f"refused: {each.reference} ({each.type}): {each.reason}")
    console.line(summary(result))


def summary(result: Promoted) -> str:
    """The totals in a line: ``release 20261126.v1: 3 blobs sent (96.3 MB), 12 mounted, 40 already there (1.2 GB)``."""
    count, size = console.count, console.size
    name = f"release {result.release}"
    if result.number != result.release:
        name += f" (the target's last release, {result.number}, has the same images)"
    there = f"{result.blobs_there} already there ({size(result.bytes_there)})"
    if result.was_there:
        return f"{name}: everything is there already; 0 B sent"
    parts = [
        f"{count(result.blobs_sent, 'blob')} sent ({size(result.bytes_sent)})",
        *([f"{result.blobs_mounted} mounted from other repositories"] if result.blobs_mounted else []),
        *([there] if result.blobs_there else []),
    ]
    moved = "" if result.latest else "; 'latest' was not moved"
    return f"{name}: {', '.join(parts)}{_attachments(result)}; {console.seconds(result.seconds)}{moved}"


def _attachments(result: Promoted) -> str:
    sent, refused, there = result.attachments_sent, len(result.attachments_refused), result.attachments_there
    numbers = {"sent": sent, "refused": refused, "already there": there}
    parts = [f"{number} {word}" for word, number in numbers.items() if number]
    return f"; attachments: {', '.join(parts)}" if parts else ""


def to_json(result: Promoted) -> str:
    """All that is known, as a JSON object: sizes in bytes, the duration in seconds."""
    return json.dumps(dataclasses.asdict(result) | {"seconds": round(result.seconds, 3)}, indent=2)
