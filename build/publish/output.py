"""The output of publishing: one reference for each image, everything, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import get_args

from build.publish.plan import Plan
from build.publish.publication import Published, Status
from build.registry.address import Registry
from build.system import console


def print_results(results: Sequence[Published], *, verbose: bool = False) -> None:
    """Print one reference for each image, whole and on a line of its own, then the totals.

    Args:
        results: The results of publishing.
        verbose: Print the status, the sizes and all tags of each image too.
    """
    for result in results:
        console.out.print(result.pull, soft_wrap=True, markup=False)
        if verbose:
            sent = f"{console.size(result.bytes_sent)} sent in {console.seconds(result.seconds)}"
            done = f"{result.status}, {sent}" if result.status == "published" else result.status
            console.out.print(f"    {done}; {console.size(result.size)} in the registry", soft_wrap=True)
            console.out.print(f"    tags: {', '.join(result.tags)}", soft_wrap=True)
    console.out.print(summary(results), soft_wrap=True)


def summary(results: Sequence[Published]) -> str:
    """The totals in a line: ``release 20261126.v1: 1 published, 7 already published; 96.3 MB sent``."""
    counts = {status: sum(result.status == status for result in results) for status in get_args(Status)}
    text = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    release = f"release {results[0].release}: " if results else ""
    return f"{release}{text or 'nothing to publish'}; {console.size(sum(result.bytes_sent for result in results))} sent"


def to_json(results: Sequence[Published]) -> str:
    """All that is known, as a JSON list: sizes in bytes, durations in seconds.

    Args:
        results: The results of publishing.
    """
    images = [
        {
            "name": result.name,
            "release": result.release,
            "status": result.status,
            "reference": result.pull,
            "repository": result.repository,
            "digest": result.digest,
            "tags": list(result.tags),
            "size": result.size,
            "bytes_sent": result.bytes_sent,
            "seconds": round(result.seconds, 3),
        }
        for result in results
    ]
    return json.dumps(images, indent=2)


def print_pushed(plans: Sequence[Plan], registry: Registry) -> None:
    """Print one reference for each image that is in the registry under its recipe, then the totals.

    Args:
        plans: The images, in the registry.
        registry: The registry.
    """
    for plan in plans:
        reference = registry.reference(plan.item.repository, plan.item.recipe_tag)
        console.out.print(f"{reference}@{plan.digest}", soft_wrap=True, markup=False)
    sent = sum(plan.pushed for plan in plans)
    console.out.print(f"{console.count(len(plans), 'image')}, {sent} pushed; no tag was moved", soft_wrap=True)


def pushed_to_json(plans: Sequence[Plan]) -> str:
    """The same as a JSON list: sizes in bytes."""
    images = [
        {
            "name": plan.item.name,
            "status": "pushed" if plan.pushed else "already pushed",
            "repository": plan.item.repository,
            "tag": plan.item.recipe_tag,
            "digest": plan.digest,
            "bytes_sent": plan.bytes_sent,
        }
        for plan in plans
    ]
    return json.dumps(images, indent=2)
