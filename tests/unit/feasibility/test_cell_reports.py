"""The reports about cells that cannot be built and about excludes, and the packages that uv's messages blame."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from build.feasibility import reports as cell_reports
from build.feasibility.cells import Verdict, blamed
from build.feasibility.excludes import CheckedExclude
from build.matrix.reader import LoadedMatrix, load
from build.packages.compatibility import Finding, Kind
from build.variants.expand import expand
from build.variants.variant import Variant

DONE = "all other locks were written"
MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [pip>=25]}
axes: {base: [one, two], device: [cpu]}
bases:
  one: {title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
  two: {title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {suite: trixie}}
frameworks:
  xgboost:
    title: XGBoost
    contract: ["numpy>=2; python_version > '3'"]
    versions:
      "3.4":
        contract: [xgboost-cpu==3.4.1]
exclude:
  - {framework: xgboost, version: "9*", base: one, reason: it is an example}
"""
ONE, TWO = "xgboost-3.4-debian12-py311-cpu-inference", "xgboost-3.4-debian13-py313-cpu-inference"
WHEEL = Finding(
    kind=Kind.OTHER_PYTHON,
    requirement="xgboost-cpu==3.4.1",
    distribution="xgboost-cpu",
    says="xgboost-cpu 3.4.1 has no wheel for Python 3.11 (only for 3.12 and newer)",
    instead=("3.2.0",),
)
NUMPY = Finding(
    kind=Kind.NO_VERSION, requirement="numpy>=2", distribution="numpy", says="there is no numpy 2", instead=("1.26.4",)
)


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedMatrix:
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX, encoding="utf-8")
    return load(file)


@pytest.fixture
def images(loaded: LoadedMatrix) -> dict[str, Variant]:
    kept = loaded.matrix.model_copy(update={"exclude": []})
    return {variant.name: variant for variant in expand(LoadedMatrix(matrix=kept, file=loaded.file, root=loaded.root))}


def test_one_cell_with_its_pin_and_an_exclude_to_paste(loaded: LoadedMatrix, images: dict[str, Variant]) -> None:
    failure = cell_reports.impossible(loaded, [Verdict(name=ONE, variant=images[ONE], findings=(WHEEL,))], outcome=DONE)
    assert failure.what == f"{ONE} cannot be built: {WHEEL.says}"
    assert failure.where == 'matrix.yaml:13 (frameworks.xgboost.versions."3.4".contract[0])'
    assert failure.fix is not None and failure.fix.startswith("pin xgboost-cpu 3.2.0, or exclude the cell")
    assert failure.details is not None
    entry = failure.details.partition("to exclude it: ")[2]
    assert yaml.safe_load(entry) == [
        {"framework": "xgboost", "version": "3.4", "base": "one", "device": "cpu", "reason": WHEEL.says}
    ]


def test_cells_with_one_reason_are_reported_together(loaded: LoadedMatrix, images: dict[str, Variant]) -> None:
    """A pin with a marker is found in the matrix all the same."""
    failure = cell_reports.impossible(
        loaded,
        [
            Verdict(name=ONE, variant=images[ONE], findings=(WHEEL, NUMPY)),
            Verdict(name=TWO, variant=images[TWO], findings=(NUMPY,)),
        ],
        outcome=DONE,
    )
    assert failure.what == "2 images cannot be built"
    assert failure.details is not None
    lines = failure.details.splitlines()
    assert f"{ONE}: {WHEEL.says}" in lines
    assert f"{ONE}, {TWO}: there is no numpy 2" in lines
    assert "  where: matrix.yaml:10 (frameworks.xgboost.contract[0])" in lines
    assert "  fix: pin numpy 1.26.4" in lines, "an exclude is no answer to a misspelt version"


def test_without_a_finding_the_report_has_the_resolvers_words(loaded: LoadedMatrix, images: dict[str, Variant]) -> None:
    verdict = Verdict(name=ONE, variant=images[ONE], reason="Because a\ndepends")
    failure = cell_reports.impossible(loaded, [verdict], outcome=DONE)
    assert failure.details is not None and f"{ONE}: Because a depends" in failure.details
    assert failure.where == 'matrix.yaml:12 (frameworks.xgboost.versions."3.4")'


def test_an_unneeded_exclude_is_reported_with_its_line(loaded: LoadedMatrix, images: dict[str, Variant]) -> None:
    can, cannot = Verdict(name=ONE, variant=images[ONE]), Verdict(name=TWO, variant=images[TWO], reason="it is so")
    warning = cell_reports.exclude_warning(loaded, CheckedExclude(index=0, cells=(can,)))
    assert warning is not None
    assert warning.startswith(f"matrix.yaml:15 (exclude[0]): this exclude is no longer needed: {ONE} resolves")
    warning = cell_reports.exclude_warning(loaded, CheckedExclude(index=0, cells=(can, cannot)))
    assert warning is not None and f"leaves out more than necessary: {ONE} resolves" in warning
    holds = CheckedExclude(index=0, cells=(cannot,))
    assert cell_reports.exclude_warning(loaded, holds) is None
    assert cell_reports.exclude_line(loaded, holds) == f"matrix.yaml:15 (exclude[0]) holds: {TWO}: it is so"


def test_an_exclude_that_depends_on_an_unreachable_index_could_not_be_checked(
    loaded: LoadedMatrix, images: dict[str, Variant]
) -> None:
    unknown = CheckedExclude(index=0, cells=(Verdict(name=ONE, variant=images[ONE], not_reached=("https://x",)),))
    assert cell_reports.exclude_warning(loaded, unknown) is None
    line = cell_reports.exclude_line(loaded, unknown)
    assert line is not None and "could not be checked" in line and "https://x" in line


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        (
            "Because wrapt>=1.11.1,<=1.12.1 has no usable wheels and inference-schema==1.7 depends on wrapt>=1.11.1",
            ["wrapt<=1.12.1,>=1.11.1"],
        ),
        (
            "Because tensorflow[and-cuda]==2.18.0 has no wheels with a matching Python ABI tag (e.g., `cp313`)",
            ["tensorflow==2.18.0"],
        ),
        (
            "the requested Python version (>=3.7) does not satisfy Python>=3.8 and x>=1.7,<=1.7.2 depends on Python",
            ["x<=1.7.2,>=1.7"],
        ),
        ("Because there is no version of\nfoo==9, we can conclude that", ["foo==9"]),
        ("Because onnxruntime==1.31.1 depends on protobuf>=4.25.8 and you require protobuf<4", []),
    ],
)
def test_packages_that_uv_blames(words: str, packages: list[str]) -> None:
    assert blamed(words) == packages
