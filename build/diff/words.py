"""How a difference is put into words, for a terminal and for Markdown.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from build.catalogue.changes import Change
from build.diff.compare import ImageDifference, contents
from build.diff.facts import Layer
from build.diff.release_difference import ChangedImage, ReleaseDifference, changes_of, unknown_images
from build.platforms import LINUX_AMD64
from build.system import console

ONLY_METADATA = (
    "the images are not the same, but nothing that is compared differs: only times, history, annotations or the order "
    "of layers do"
)
#: Puts a text of an image or a record into a line.
Quote = Callable[[str], str]
#: Characters of a digest that are shown.
_DIGEST = len("sha256:") + 12


def short(digest: str) -> str:
    """The beginning of a digest."""
    return digest[:_DIGEST]


def transition(change: Change) -> str:
    """``2.5.4 → 2.5.5``, ``2.5.5 (added)``, ``2.5.4 (removed)``."""
    if change.before is None:
        return f"{change.after} (added)".strip()
    if change.after is None:
        return f"{change.before} (removed)".strip()
    return f"{change.before} → {change.after}".strip()


def counts(kind: str, changes: tuple[Change, ...]) -> str:
    """``Python packages: 2 changed, 1 added``."""
    numbers = {
        "changed": sum(None not in (each.before, each.after) for each in changes),
        "added": sum(each.before is None for each in changes),
        "removed": sum(each.after is None for each in changes),
    }
    return f"{kind}: " + ", ".join(f"{number} {word}" for word, number in numbers.items() if number)


def unknown(difference: ImageDifference) -> str:
    """Say which packages are not known, of which image, and what helps; empty if all are known."""
    kinds = [kind for kind, found in (("Python", difference.python), ("Debian", difference.debian)) if found is None]
    if not kinds:
        return ""
    sides = difference.before, difference.after
    missing = [number for number, side in enumerate(sides) if not side.packages.are_known]
    whose = "either image" if len(missing) == len(sides) else f"the {('first', 'second')[missing[0]]} image"
    blobs = {layer.digest: layer.size for number in missing for layer in sides[number].layers}
    return (
        f"{' and '.join(kinds)} packages: unknown, since no document that lists them is attached to {whose}; "
        f"--layers reads the layers ({console.size(sum(blobs.values()))} to download)"
    )


def fetched(difference: ImageDifference) -> str:
    """Say what a machine that has the one image fetches for the other one."""
    there, back = difference.fetched, difference.fetched_back
    return (
        f"a machine with the first image fetches {console.count(there.layers, 'layer')}, {console.size(there.bytes)} "
        f"of {console.size(difference.after.size)}; the other way round {console.count(back.layers, 'layer')}, "
        f"{console.size(back.bytes)} of {console.size(difference.before.size)}"
    )


def sources(difference: ImageDifference) -> str:
    """Say where the packages were read, if that is not the test reports of both; empty if it is."""
    first, second = (side.packages.source for side in (difference.before, difference.after))
    if not (first and second) or first == second == "test report":
        return ""
    read = f"the {first}" if first == second else f"the {first} (first image), the {second} (second image)"
    return f"packages were read from {read}"


def layer_title(layer: Layer, difference: ImageDifference, quote: Quote) -> str:
    """What a layer is; of one that both images have, compressed differently, only that."""
    both = set(contents(difference.before)) & set(contents(difference.after))
    if layer.content in both:
        return "the same content, compressed differently"
    return quote(" ".join(layer.title.split()))


def releases(difference: ReleaseDifference) -> str:
    """``release 20261126.v1 → 20261127.v1 at registry.example``."""
    number, place = difference.after
    if difference.before is None:
        return f"release {number} at {place}: the first one, so all of its images are new"
    former, former_place = difference.before
    return f"release {former}{'' if place == former_place else f' at {former_place}'} → {number} at {place}"


def row(image: ChangedImage) -> tuple[str, str, str]:
    """What differs in an image of both releases, in short: a word, the bytes to fetch, and the kinds of changes."""
    difference = image.difference
    if difference is None:
        return "unknown", "", ""
    kinds = [
        console.count(len(changes), kind.removesuffix("s")) if kind.endswith("packages") else kind
        for kind, changes in changes_of(difference).items()
        if changes
    ]
    if not kinds and (difference.added_layers or difference.removed_layers):
        kinds = ["layers"]
    if difference.is_same:
        kinds = [f"the same image for {LINUX_AMD64.oci}, another index"]
    bytes_ = f"{console.size(difference.fetched.bytes)} of {console.size(difference.after.size)}"
    return "changed", bytes_, ", ".join(kinds)


def problems(difference: ReleaseDifference, quote: Quote) -> list[str]:
    """Say which images could not be compared."""
    lines = [
        f"{quote(image.name)} cannot be compared: {quote(image.problem)}"
        for image in difference.changed
        if image.problem
    ]
    if names := unknown_images(difference):
        lines.append(
            "packages are unknown, since no document that lists them is attached: "
            f"{some(names, quote)}; --layers reads the layers"
        )
    return lines


def some(names: Sequence[str], quote: Quote, shown: int = 4) -> str:
    """Name the first of many images."""
    return console.some([quote(name) for name in names], shown)


def images(names: Sequence[str], changed: int) -> str:
    """Name the images that have a change."""
    return f"all {changed} changed images" if len(names) == changed > 1 else console.some(names)


def totals(difference: ReleaseDifference) -> str:
    """``8 images: 1 added, 5 changed, 2 unchanged; 1 removed``, and what a machine with the former ones fetches."""
    if difference.is_empty:
        return f"no difference: {console.count(len(difference.unchanged), 'image')}"
    parts = {"added": difference.added, "changed": difference.changed, "unchanged": difference.unchanged}
    number = sum(map(len, parts.values()))
    text = ", ".join(f"{len(names)} {word}" for word, names in parts.items() if names)
    removed = f"; {len(difference.removed)} removed" if difference.removed else ""
    return f"{console.count(number, 'image')}: {text}{removed}; {_all_fetched(difference)}"


def _all_fetched(difference: ReleaseDifference) -> str:
    machine = "a machine with all of the former ones" if difference.before else "a machine without any of them"
    there, uncounted = difference.totals.fetched, difference.totals.uncounted
    left_out = f" (not counting {console.count(len(uncounted), 'image')} that cannot be read)" if uncounted else ""
    return f"{machine} fetches {console.count(there.layers, 'layer')}, {console.size(there.bytes)}{left_out}"
