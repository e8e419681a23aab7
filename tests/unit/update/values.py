"""Files of indexes, and pins of the fixture project, for the tests of updates."""

from __future__ import annotations

import datetime

from packaging.version import Version

from build.packages.distribution import Distribution, File
from build.update.pins import Pin, exact_pins
from tests.unit.fixture_project import PROJECT

#: A day on which some images of the fixture project have ended, and others have not.
TODAY = datetime.date(2026, 11, 27)
DAY = "2026-11-20"
EVERY_PYTHON = ("cp311", "cp312", "cp313")


def pins(text: str, project: object = PROJECT) -> list[Pin]:
    """Return the pins of a project with this text."""
    return [pin for pin in exact_pins(project, TODAY) if pin.text == text]  # type: ignore[arg-type]


def files(
    name: str, version: str, *pythons: str, uploaded: str = "2026-11-01", yanked: str | None = None
) -> tuple[File, ...]:
    """Return the wheels of a release for some Pythons."""
    return tuple(
        File(
            filename=f"{name.replace('-', '_')}-{version}-{python}-{python}-manylinux_2_28_x86_64.whl",
            version=Version(version),
            yanked=yanked,
            uploaded=datetime.datetime.fromisoformat(f"{uploaded}T12:00:00+00:00"),
        )
        for python in pythons
    )


def found(pin: Pin, *releases: tuple[File, ...], not_reached: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """Return what all images of a pin find in an index with these releases."""
    all_files = tuple(file for release in releases for file in release)
    distribution = Distribution(name=pin.name, files=all_files, places=("index",), not_reached=not_reached)
    return {variant.name: distribution for variant in pin.variants}
