"""The plan as a table, as JSON, and as Markdown for the summary of a job.  Pure, but for printing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from build.builder.options import Options
from build.locks import debian
from build.plan.plan import Plan
from build.plan.shards import Shard, with_work
from build.plan.states import STATES, Present, State, ToBuild, ToTest, Unknown, UpToDate
from build.system import console


def print_plan(plan: Plan) -> None:
    """Print the state of each image, the reasons, and the totals."""
    console.table(("image", "plan"), [(state.name, state.word) for state in plan.states])
    for (word, reason), names in _by_reason(plan.states).items():
        console.out.print(f"{word}: {reason}: {console.some(names)}", soft_wrap=True, markup=False, highlight=False)
    if plan.not_in_matrix:
        console.out.print(
            f"release {plan.release.number if plan.release else ''} has images that are not in the matrix: "
            f"{', '.join(plan.not_in_matrix)}",
            soft_wrap=True,
            markup=False,
        )
    for line in notes(plan):
        console.out.print(line, soft_wrap=True, markup=False, highlight=False)
    console.out.print(totals(plan), soft_wrap=True, markup=False)


def notes(plan: Plan) -> list[str]:
    """Say what is not as the committed files say, and stays so: bases, and the compression of published layers."""
    return [*base_lines(plan), *compression_lines(plan)]


def compression_lines(plan: Plan) -> list[str]:
    """Say which published images have layers of another compression than the matrix chooses."""
    others: dict[str, list[str]] = {}
    for state in plan.states if plan.compression else ():
        if isinstance(state, Present) and state.compression not in ("", plan.compression):
            others.setdefault(state.compression, []).append(state.name)
    return [
        f"matrix.yaml chooses {plan.compression} layers for {plan.registry}; the images that it has with {found} "
        f"layers stay so (docs/registries.md#compression): {console.some(names)}"
        for found, names in others.items()
    ]


def base_lines(plan: Plan) -> list[str]:
    """Say how far the bases in the registry are from their locks."""
    return [
        f"the base {name} in the registry differs from its lock in {debian.in_words(lines)}: {console.some(lines)}"
        for name, lines in plan.base_differences.items()
    ]


def again_line(states: Sequence[State], options: Options) -> str | None:
    """Say which images the options keep a run from taking from the registry; None if they concern no image.

    Args:
        states: The states of the plan.
        options: The options of building.
    """
    names = [each.name for each in states if isinstance(each, Present)]
    if not names or not (options.no_cache or options.refresh_bases):
        return None
    if options.no_cache:
        return f"with --no-cache, images that the registry has are built again: {console.some(names)}"
    return (
        "with --refresh-bases, images that the registry has are built again, except those that the engine has on the "
        f"new bases: {console.some(names)}"
    )


def totals(plan: Plan) -> str:
    """``8 images: 2 to build (about 120 MB of packages), 6 up to date; release 20261126.v1 at 127.0.0.1:5000``."""
    parts = []
    for kind in STATES:
        if count := sum(isinstance(state, kind) for state in plan.states):
            bytes_ = f" (about {console.size(plan.bytes)} of packages)" if kind is ToBuild and plan.bytes else ""
            parts.append(f"{count} {kind.word}{bytes_}")
    release = f"release {plan.release.number}" if plan.release else "no release"
    if not plan.is_running:
        release = "not running"
    elif plan.unknown and not plan.release:
        release = "release unknown"
    return f"{console.count(len(plan.states), 'image')}: {', '.join(parts)}; {release} at {plan.registry}"


def to_json(plan: Plan, divided: Sequence[Shard]) -> str:
    """The plan as JSON; sizes in bytes.

    Args:
        plan: The plan.
        divided: Its images, divided into shards.
    """
    busy = with_work(divided, to_make(plan))
    return json.dumps(
        {
            "registry": str(plan.registry),
            "running": plan.is_running,
            "release": plan.release.number if plan.release else None,
            "bytes": plan.bytes,
            "not_in_matrix": list(plan.not_in_matrix),
            "bases": {
                name: {
                    "digest": base.digest,
                    "lock": base.image.lock,
                    "differences": list(plan.base_differences.get(name, ())),
                }
                for name, base in (plan.bases or {}).items()
            },
            "images": [_row(state) for state in plan.states],
            "shards": [
                {"id": shard.id, "images": list(shard.images), "bytes": shard.bytes, "work": shard in busy}
                for shard in divided
            ],
        },
        indent=2,
    )


def to_make(plan: Plan) -> list[str]:
    """Return the names of the images to build or to test, as far as the registry tells: those of shards with work."""
    return [state.name for state in plan.states if isinstance(state, ToBuild | ToTest | Unknown)]


def _row(state: State) -> dict[str, Any]:
    row: dict[str, Any] = {"name": state.name, "plan": state.word, "reason": state.reason}
    if isinstance(state, Present):
        row["compression"] = state.compression
    match state:
        case UpToDate(published=published):
            row |= {"reference": published.pull, "digest": published.digest}
        case ToBuild(bytes=size):
            row["bytes"] = size
    return row


def to_markdown(plan: Plan) -> str:
    """The plan for the summary of a job: the totals, and a table with one reason for each image that needs work."""
    rows = [state for state in plan.states if not isinstance(state, UpToDate)]
    table = ["| image | plan | reason |", "|---|---|---|"]
    table += [f"| {state.name} | {state.word} | {_escaped(state.reason)} |" for state in rows]
    gone = f"Not in the matrix any more: {', '.join(plan.not_in_matrix)}"
    parts = [
        f"**{_escaped(totals(plan))}**",
        *(["\n".join(table)] if rows else []),
        *([gone] if plan.not_in_matrix else []),
        *(_escaped(line) for line in notes(plan)),
    ]
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _by_reason(states: Sequence[State]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for state in states:
        if state.reason:
            found.setdefault((state.word, state.reason), []).append(state.name)
    return found
