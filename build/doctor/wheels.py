"""The check of extra wheel sources: directories of the matrix and of pip's configuration, and indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from build.doctor import network
from build.doctor.finding import Finding, missing, ok, warning
from build.doctor.setting import Setting
from build.packages import wheel_sources
from build.packages.index import PackageIndex
from build.packages.index_client import IndexClient
from build.variants.variant import Variant


def check(setting: Setting) -> Sequence[Finding]:
    """Look for the locked wheels in each source; one that only other images need gives a warning at most."""
    project = setting.project
    selected = {variant.name for variant in setting.variants}
    own = wheel_sources.directories_in_pip_configuration() if project.matrix.wheel_sources else ()
    findings = []
    for name, source in project.matrix.wheel_sources.items():
        needs = {
            image.variant.name: requirements
            for image in project.usable_images(project.variants)[0]
            if (requirements := _to_fetch(setting, image.variant, name, image.lock.versions()))
        }
        needed = {text for image, texts in needs.items() if image in selected for text in texts}
        wanted = needed or {text for texts in needs.values() for text in texts}
        directories = [*([project.paths.root / source.directory] if source.directory else []), *own]
        lacking, places = _search(wanted, directories, source.index)
        findings.append(judge(name, wanted, lacking, places, needed=bool(needed)))
    return findings


def _to_fetch(setting: Setting, variant: Variant, source: str, versions: Mapping[str, str]) -> list[str]:
    """Return what an image still takes from a source: nothing if this clone has its wheels."""
    if (wheel_sources.folder(setting.project.paths, source, variant.name) / wheel_sources.STAMP).is_file():
        return []
    return wheel_sources.needed(variant, versions).get(source, [])


def _search(wanted: Iterable[str], directories: Sequence[Path], url: str | None) -> tuple[list[str], list[str]]:
    """Return the requirements that no place has, and the places that answered or did not."""
    index = PackageIndex([url] if url else [], directories, client=IndexClient(network.http_client()))
    lacking: list[str] = []
    places: dict[str, None] = {}
    for text in sorted(wanted):
        requirement = Requirement(text)
        distribution = index.distribution(requirement.name)
        if not any(requirement.specifier.contains(file.version, prereleases=True) for file in distribution.files):
            lacking.append(text)
        places.update(dict.fromkeys(distribution.places))
        places.update(dict.fromkeys(f"{place} (does not answer)" for place in distribution.not_reached))
    return lacking, list(places)


def judge(
    source: str, wanted: Iterable[str], lacking: Sequence[str], places: Sequence[str], *, needed: bool
) -> Finding:
    """Return the finding about a source.

    Args:
        source: Its name in the matrix.
        wanted: What is taken from it, and is not in this clone yet.
        lacking: The part that no place has.
        places: Where it was searched.
        needed: Whether the selected images need it.
    """
    name = f"wheel source {source}"
    if not list(wanted):
        return ok(name, "nothing more is taken from it")
    if not lacking:
        return ok(name, f"it has {', '.join(wanted)}: {', '.join(places)}")
    text = f"not found: {', '.join(lacking)}; searched: {', '.join(places) or 'nowhere'}"
    fix = (
        "name a directory that has the wheels in pip's configuration (pip config set global.find-links DIR), or as "
        f"wheel-sources.{source}.directory in matrix.yaml"
    )
    if not needed:
        return warning(name, f"{text}; no selected image needs it", fix)
    return missing(name, text, fix)
