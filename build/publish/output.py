"""What a person sees of a publication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from build.publish.publication import Published, Status
from build.system import console


def table(results: Sequence[Published]) -> None:
    """Print what was sent, the totals, and every reference with its digest: each whole, to be copied.

    Args:
        results: What ``publish`` returned.
    """
    rows = [
        (result.name, result.status, console.size(result.bytes_sent), console.seconds(result.seconds))
        for result in results
    ]
    counts = {status: sum(result.status == status for result in results) for status in get_args(Status)}
    total = console.size(sum(result.bytes_sent for result in results))
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.table(("image", "status", "sent>", "time>"), rows)
    console.out.print(f"{summary or 'nothing to publish'}; {total} sent\n")
    for result in results:
        for reference in result.references:
            console.out.print(reference, soft_wrap=True, markup=False)
