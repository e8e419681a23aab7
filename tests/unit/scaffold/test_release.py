"""Which release of a distribution `nox -s new` pins."""

from __future__ import annotations

import datetime

import pytest
from packaging.version import Version

from build.errors import UsageError
from build.packages.distribution import Distribution, File
from build.packages.target import Target
from build.scaffold.release import choose

TARGETS = {
    "old": Target(python="3.11", glibc="2.36", exclude_newer="2026-11-19"),
    "new": Target(python="3.13", glibc="2.40", exclude_newer="2026-11-19"),
}


def wheel(version: str, day: str = "2026-01-01", *, python: str = "py3", yanked: str | None = None) -> File:
    return File(
        filename=f"small-{version}-{python}-none-any.whl",
        version=Version(version),
        yanked=yanked,
        uploaded=datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00"),
    )


def of(*files: File) -> Distribution:
    return Distribution(name="small", files=files, places=("an index",))


def test_the_newest_release_is_pinned() -> None:
    release = choose(of(wheel("1.9.0"), wheel("1.10.2", "2026-03-04"), wheel("1.10.1")), TARGETS)
    assert (release.pin, release.key, release.day) == ("small==1.10.2", "1.10", datetime.date(2026, 3, 4))
    assert (release.bases, release.misfits) == (("old", "new"), {})


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param(wheel("2.0", yanked="broken"), id="yanked"),
        pytest.param(wheel("2.0rc1"), id="before a release"),
        pytest.param(wheel("2.0", "2026-11-20"), id="after exclude-newer"),
        pytest.param(wheel("2.0", python="cp39"), id="for another Python"),
    ],
)
def test_what_cannot_be_installed_is_passed_over(newer: File) -> None:
    assert choose(of(wheel("1.0"), newer), TARGETS).pin == "small==1.0"


def test_a_base_without_a_wheel_is_named_with_the_reason() -> None:
    wheels = File(filename="small-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", version=Version("1.0"))
    release = choose(of(wheels), TARGETS)
    assert release.bases == ("new",)
    assert "small 1.0 has no wheel for Python 3.11" in release.misfits["old"]


def test_a_version_is_chosen_by_its_beginning() -> None:
    files = of(wheel("1.1.0"), wheel("1.1.5"), wheel("1.10.0"))
    assert choose(files, TARGETS, "1.1").pin == "small==1.1.5"
    assert choose(files, TARGETS, "1.1.0").pin == "small==1.1.0"


def test_a_version_that_does_not_exist_is_an_error_that_names_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"small has no release 3\.0") as failure:
        choose(of(wheel("1.0"), wheel("2.0")), TARGETS, "3.0")
    assert failure.value.fix == "name one of: 2.0, 1.0"


def test_a_release_after_exclude_newer_is_named_with_the_day() -> None:
    with pytest.raises(UsageError) as failure:
        choose(of(wheel("1.0", "2026-11-21")), TARGETS)
    assert failure.value.fix == "move exclude-newer in matrix.yaml to 2026-11-22 or later"


def test_wheels_for_no_base_are_an_error() -> None:
    with pytest.raises(UsageError, match="no release of small can be installed from wheels") as failure:
        choose(of(wheel("1.0", python="cp39")), TARGETS)
    assert "Python 3.11" in failure.value.what
