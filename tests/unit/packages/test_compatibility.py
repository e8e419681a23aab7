"""The reason why a pin cannot be met, from recorded and trimmed index pages (tests/unit/data/index)."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version
from pypi_simple import ProjectPage

from build.packages import index as package_index
from build.packages.compatibility import Finding, Kind, explain, yanked
from build.packages.distribution import Distribution, File
from build.packages.target import Target

DATA = Path(__file__).parents[1] / "data/index"
DAY = "2026-11-19"


def recorded(name: str) -> Distribution:
    page = ProjectPage.from_json_data(json.loads((DATA / f"{name}.json").read_text(encoding="utf-8")))
    return Distribution(
        name=name, files=package_index.files_of(page.packages), places=("https://index.example/simple",)
    )


def finding(pin: str, *, python: str = "3.11", glibc: str = "2.36", day: str = DAY) -> Finding | None:
    name = pin.split("=")[0].split("<")[0].split(">")[0].split("~")[0]
    return explain(pin, recorded(name), Target(python=python, glibc=glibc, exclude_newer=day))


@pytest.mark.parametrize(
    ("pin", "python", "glibc"),
    [
        ("xgboost-cpu==3.4.1", "3.12", "2.36"),
        ("xgboost-cpu==3.4.1", "3.13", "2.28"),
        ("xgboost-cpu>=3", "3.11", "2.36"),
        ("xgboost-cpu==3.0.5", "3.11", "2.17"),
        ("tensorflow-cpu==2.21.0", "3.13", "2.40"),
        ("scikit-learn==0.24.1", "3.7", "2.27"),
        # Yanked, and pinned exactly: uv and pip accept it.
        ("nvidia-cudnn-cu13==9.25.0.15", "3.11", "2.36"),
    ],
)
def test_a_pin_with_a_wheel_is_not_a_finding(pin: str, python: str, glibc: str) -> None:
    assert finding(pin, python=python, glibc=glibc) is None


@pytest.mark.parametrize(
    ("pin", "where", "kind", "says", "instead"),
    [
        pytest.param(
            "xgboost-cpu==3.4.1",
            {},
            Kind.OTHER_PYTHON,
            "xgboost-cpu 3.4.1 has no wheel for Python 3.11 (only for 3.12 and newer; it requires Python >=3.12)",
            ("3.2.0",),
            id="the Python that its metadata asks for is newer",
        ),
        pytest.param(
            "tensorflow-cpu==2.15.0",
            {"python": "3.13"},
            Kind.OTHER_PYTHON,
            "tensorflow-cpu 2.15.0 has no wheel for Python 3.13 (only for 3.9, 3.10, 3.11)",
            ("2.21.0",),
            id="its wheels are each for one Python",
        ),
        pytest.param(
            "scikit-learn==0.24.1",
            {"python": "3.13"},
            Kind.OTHER_PYTHON,
            "scikit-learn 0.24.1 has no wheel for Python 3.13 (only for 3.6, 3.7, 3.8, 3.9)",
            ("1.5.2",),
            id="it has a source too, which is not taken",
        ),
        pytest.param(
            "scikit-learn<1",
            {"python": "3.13"},
            Kind.OTHER_PYTHON,
            "no version that scikit-learn<1 allows fits: the newest, scikit-learn 0.24.1, has no wheel for Python 3.13",
            ("1.5.2",),
            id="a range",
        ),
        pytest.param(
            "xgboost-cpu==3.2.0",
            {"glibc": "2.17"},
            Kind.NEWER_GLIBC,
            "xgboost-cpu 3.2.0 has wheels for Python 3.11 only with glibc 2.28 or newer; the base has 2.17",
            ("3.0.5",),
            id="a newer glibc",
        ),
        pytest.param(
            "xgboost-cpu==3.4.1",
            {"glibc": "2.17"},
            Kind.OTHER_PYTHON,
            "xgboost-cpu 3.4.1 has no wheel for Python 3.11 (only for 3.12 and newer with a newer glibc than 2.17",
            ("3.0.5",),
            id="another Python and a newer glibc",
        ),
        pytest.param(
            "pywin32==308",
            {},
            Kind.OTHER_PLATFORM,
            "pywin32 308 has no wheel for Linux on x86_64 (only for Windows)",
            (),
            id="another platform",
        ),
        pytest.param(
            "gast==0.2.2", {}, Kind.SOURCE_ONLY, "gast 0.2.2 exists only as source", ("0.3.3",), id="source alone"
        ),
        pytest.param(
            "nvidia-cudnn-cu13==9.12.0.47",
            {},
            Kind.NO_VERSION,
            "there is no nvidia-cudnn-cu13 9.12.0.47 on https://index.example/simple "
            "(the nearest with a wheel for Python 3.11: 9.12.0.46, 9.13.0.50, 9.24.1.1, 9.25.1.1)",
            ("9.12.0.46", "9.13.0.50"),
            id="no such version: pre-releases and yanked versions are not listed",
        ),
        pytest.param(
            "tensorflow-cpu==2.16.0",
            {"python": "3.15"},
            Kind.NO_VERSION,
            "there is no tensorflow-cpu 2.16.0 on https://index.example/simple "
            "(there is 2.15.0 to 2.21.0, none with a wheel for Python 3.15)",
            (),
            id="no such version, and none for this Python",
        ),
        pytest.param(
            "nvidia-cudnn-cu13>=9.25,<9.25.1",
            {},
            Kind.YANKED,
            "nvidia-cudnn-cu13 9.25.0.15 was yanked from the index",
            ("9.24.1.1", "9.25.1.1"),
            id="yanked",
        ),
    ],
)
def test_why_a_pin_has_no_wheel(
    pin: str, where: dict[str, str], kind: Kind, says: str, instead: tuple[str, ...]
) -> None:
    result = finding(pin, **where)
    assert result is not None
    assert result.kind is kind
    assert result.says.startswith(says)
    assert result.instead == instead


def test_a_release_after_exclude_newer_comes_with_the_day_that_includes_it() -> None:
    result = finding("xgboost-cpu==3.4.1", python="3.12", day="2026-08-15")
    assert result is not None and result.kind is Kind.TOO_NEW
    assert result.says == (
        "xgboost-cpu 3.4.1 was published on 2026-08-15, and the index is seen as of 2026-08-15 (exclude-newer)"
    )
    assert result.from_day == datetime.date(2026, 8, 16)
    assert result.instead == ("3.4.0",)
    assert finding("xgboost-cpu==3.4.1", python="3.12", day="2026-08-16") is None


def test_a_wheel_uploaded_later_than_its_release_is_too_new() -> None:
    """A wheel for a new Python is often added to a release that is out already."""
    version = Version("1.0")
    old = File(filename="x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", version=version)
    new = File(
        filename="x-1.0-cp313-cp313-manylinux_2_28_x86_64.whl",
        version=version,
        uploaded=datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC),
    )
    target = Target(python="3.13", glibc="2.40", exclude_newer=DAY)
    result = explain("x==1.0", Distribution(name="x", files=(old, new)), target)
    assert result is not None and result.kind is Kind.TOO_NEW
    assert result.from_day == datetime.date(2026, 12, 2)


def test_a_distribution_that_no_index_has() -> None:
    nothing = Distribution(name="xgbost", files=(), places=("https://index.example/simple", "/opt/wheels"))
    result = explain("xgbost==1", nothing, Target(python="3.11", glibc="2.36", exclude_newer=DAY))
    assert result is not None and result.kind is Kind.UNKNOWN
    assert result.says == "there is no distribution xgbost on https://index.example/simple, /opt/wheels"


def test_the_reason_of_a_yank_is_reported() -> None:
    wheel = File(filename="x-1.0-py3-none-any.whl", version=Version("1.0"), yanked="it deletes\nfiles")
    target = Target(python="3.11", glibc="2.36", exclude_newer=DAY)
    result = explain("x>=1", Distribution(name="x", files=(wheel,)), target)
    assert result is not None and result.says == "x 1.0 was yanked from the index: it deletes files"


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("x==1.0", "x 1.0 was yanked from the index: it deletes files"),
        ("X ===1.0", "x 1.0 was yanked from the index: it deletes files"),
        ("x==1.1", None),
        ("x>=1", None),
        ("x==1.*", None),
        ("x==2.0", None),
        ("x @ https://example.com/x-1.0-py3-none-any.whl", None),
    ],
)
def test_exact_pins_of_yanked_releases_are_found(requirement: str, says: str | None) -> None:
    """A release with one file that was not yanked is not a yanked one."""
    files = tuple(
        File(filename=f"x-{version}-{tag}.whl", version=Version(version), yanked=reason)
        for version, tag, reason in (
            ("1.0", "py3-none-any", "it deletes\nfiles"),
            ("1.1", "cp311-cp311-win_amd64", "too large"),
            ("1.1", "py3-none-any", None),
        )
    )
    target = Target(python="3.11", glibc="2.36", exclude_newer=DAY)
    result = yanked(requirement, Distribution(name="x", files=files), target)
    assert (result and result.says) == says
    assert result is None or result.instead == ("1.1",)


def test_a_source_for_another_python_is_not_a_source_to_build() -> None:
    source = File(filename="x-1.0.tar.gz", version=Version("1.0"), requires_python=">=3.12")
    distribution = Distribution(name="x", files=(source,))
    target = Target(python="3.11", glibc="2.36", exclude_newer=DAY)
    result = explain("x==1.0", distribution, target)
    assert result is not None and result.kind is Kind.OTHER_PYTHON
    built = explain("x==1.0", distribution, replace(target, python="3.12"))
    assert built is not None and built.kind is Kind.SOURCE_ONLY


@pytest.mark.parametrize("asks", [">=3.5.*", "not a specifier", None])
def test_invalid_python_requirements_of_old_releases_are_ignored(asks: str | None) -> None:
    wheel = File(filename="x-1.0-py3-none-any.whl", version=Version("1.0"), requires_python=asks)
    target = Target(python="3.11", glibc="2.36", exclude_newer=DAY)
    assert explain("x==1.0", Distribution(name="x", files=(wheel,)), target) is None


def test_an_old_spelling_of_a_python_requirement_counts() -> None:
    wheel = File(filename="x-1.0-py3-none-any.whl", version=Version("1.0"), requires_python=">=3.12.*")
    target = Target(python="3.11", glibc="2.36", exclude_newer=DAY)
    assert explain("x==1.0", Distribution(name="x", files=(wheel,)), target) is not None
