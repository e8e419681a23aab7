"""What `nox -s lock` reports about cells that cannot be built, with the real index and a small matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.matrix.origins import Bootstrapped
from tests.conftest import Checkout, Ran
from tests.pipeline.rows import PROJECT

pytestmark = pytest.mark.network

XGBOOST = """\
  xgboost:
    title: XGBoost
    versions:
      "3.2":
        contract: [xgboost-cpu==3.2.0]
        bases: [debian12-py311]
      "3.4":
        contract: [xgboost-cpu==3.4.1]
"""
BEFORE, BESIDE = "xgboost-3.2-debian12-py311-cpu-inference", "xgboost-3.4-debian13-py313-cpu-inference"
CELL = "xgboost-3.4-debian12-py311-cpu-inference"
EXCLUDE = '  - {framework: xgboost, version: "3.4", base: debian12-py311, reason: it has no wheel there}\n'


def bootstrap(base: str) -> str:
    """The suite and packages for which a base is recorded in the committed locks: `lock` need not bootstrap it."""
    origin = PROJECT.matrix.bases[base].origin
    assert isinstance(origin, Bootstrapped)
    return f"{{suite: {origin.suite}, packages: [{', '.join(origin.packages)}]}}"


def write(checkout: Checkout, frameworks: str, exclude: str = "", sources: str = "") -> None:
    """Write a matrix with these frameworks on two bases."""
    (checkout.root / "matrix.yaml").write_text(
        f"""\
project: {{namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}}
server: {{title: Server, contract: [pip>=25]}}
axes: {{base: [debian12-py311, debian13-py313], device: [cpu]}}
bases:
  debian12-py311:
    {{title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {bootstrap("debian12-py311")}}}
  debian13-py313:
    {{title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {bootstrap("debian13-py313")}}}
{sources}frameworks:
{frameworks}{"exclude:" if exclude else ""}
{exclude}""",
        encoding="utf-8",
    )


def line_of(checkout: Checkout, text: str) -> str:
    lines = (checkout.root / "matrix.yaml").read_text(encoding="utf-8").splitlines()
    return f"matrix.yaml:{next(number for number, line in enumerate(lines, start=1) if text in line)}"


def refused(checkout: Checkout) -> Ran:
    before = {file: file.read_bytes() for file in checkout.paths.locks.rglob("*.txt")}
    done = checkout.run("lock")
    assert done.code == 1, done.text
    if "nothing was written" in done.err:
        assert before == {file: file.read_bytes() for file in checkout.paths.locks.rglob("*.txt")}, "a lock was written"
    done.one_screen()
    return done


def test_no_wheel_for_this_python_names_the_nearest_cells(checkout: Checkout) -> None:
    write(checkout, XGBOOST)
    output = refused(checkout).err
    assert f"{CELL} cannot be built: xgboost-cpu 3.4.1 has no wheel for Python 3.11 (only for 3.12 and newer" in output
    assert f"where: {line_of(checkout, 'xgboost-cpu==3.4.1')} (frameworks.xgboost.versions" in output
    assert f"{BEFORE} (same base)" in output and f"{BESIDE} (same version)" in output
    assert "pin xgboost-cpu 3.2.0" in output
    # The exclude that it offers is valid, and is still needed.
    entry = output.partition("to exclude it: ")[2].splitlines()[0]
    write(checkout, XGBOOST, f"  {entry}\n")
    done = checkout.run("lock")
    assert done.code == 0, done.text
    assert f"{line_of(checkout, entry)} (exclude[0]) holds: {CELL}" in done.err
    assert "no longer needed" not in done.err


def test_an_exclude_that_is_no_longer_needed(checkout: Checkout) -> None:
    """By `lock --check` too, unless the exclude is a choice."""
    frameworks = XGBOOST.replace("xgboost-cpu==3.4.1", "xgboost-cpu==3.2.0")
    write(checkout, frameworks, EXCLUDE)
    assert checkout.run("lock").code == 0
    done = checkout.run("lock", "--check")
    assert done.code == 0, done.text
    place = line_of(checkout, EXCLUDE.strip())
    assert f"warning: {place} (exclude[0]): this exclude is no longer needed: {CELL} resolves today" in done.err
    write(checkout, frameworks, EXCLUDE.replace("reason:", "because: choice, reason:"))
    done = checkout.run("lock", "--check")
    assert done.code == 0, done.text
    assert "exclude[0]" not in done.err


def test_an_exclude_of_cells_whose_pins_conflict_is_still_needed(checkout: Checkout) -> None:
    """All pins have wheels; only the resolver finds the conflict."""
    pins = "[xgboost-cpu==3.2.0, 'scipy<1.15', 'numpy>=2.4']"
    write(checkout, XGBOOST.replace("[xgboost-cpu==3.4.1]", pins + "\n        bases: [debian12-py311]"), EXCLUDE)
    done = checkout.run("lock")
    assert done.code == 0, done.text
    assert f"(exclude[0]) holds: {CELL}: Because" in done.err


@pytest.mark.parametrize(
    "reasons",
    [
        {
            "scikit-learn==0.24.1": "scikit-learn 0.24.1 has no wheel for Python 3.11 (only for 3.6, 3.7, 3.8, 3.9)",
            "onnxruntime==1.6.0": "onnxruntime 1.6.0 has no wheel for Python 3.11 (only for 3.6, 3.7, 3.8)",
            "pywin32==308": "pywin32 308 has no wheel for Linux on x86_64",
        },
        {
            "scikit-learn==99.9": "there is no scikit-learn 99.9",
            "nvidia-cudnn-cu13==9.12.0.47": "nearest with a wheel for Python 3.11: 9.12.0.46",
            "nvidia-cudnn-cu13>=9.25,<9.25.1": "nvidia-cudnn-cu13 9.25.0.15 was yanked",
            "inference-images-has-no-such-package==1": "there is no distribution inference-images-has-no-such-package",
        },
    ],
    ids=["wheels for others", "no such release"],
)
def test_the_reasons_why_pins_cannot_be_met(checkout: Checkout, reasons: dict[str, str]) -> None:
    versions = "".join(
        f'      "{number}": {{contract: ["{pin}"], bases: [debian12-py311]}}\n' for number, pin in enumerate(reasons)
    )
    write(checkout, f"  example:\n    title: Example\n    versions:\n{versions}")
    cells = refused(checkout).err.split("| example-")
    for number, (pin, reason) in enumerate(reasons.items()):
        place = f"where: {line_of(checkout, pin)} (frameworks.example.versions.{number}."
        of_pin = [cell for cell in cells if cell.startswith(f"{number}-")]
        assert any(reason in cell and place in cell for cell in of_pin), f"{pin}: {of_pin}"


def test_pins_that_conflict_are_reported_with_the_resolvers_reason(checkout: Checkout) -> None:
    """Each has a wheel, so the indexes do not explain it."""
    write(
        checkout,
        "  example:\n    title: Example\n    versions:\n"
        '      "1": {contract: ["numpy>=2.3", "numpy<2.0.1"], bases: [debian12-py311]}\n',
    )
    output = " ".join(refused(checkout).err.replace("|", " ").split())
    assert "you require numpy>=2.3 and numpy<2.0.1" in output
    assert f"{line_of(checkout, 'numpy>=2.3')} (frameworks.example.versions.1.contract[0])" in output
    assert f"{line_of(checkout, 'numpy<2.0.1')} (frameworks.example.versions.1.contract[1])" in output
    assert "debian12-py311: 0 of 1 locks resolved" in output, "there was no progress"


def test_a_release_after_exclude_newer_is_reported_with_its_date(checkout: Checkout) -> None:
    write(checkout, XGBOOST.replace('"3.4":\n', '"3.4":\n        bases: [debian13-py313]\n'))
    checkout.edit("matrix.yaml", "exclude-newer: 2026-11-19", "exclude-newer: 2026-08-10")
    output = refused(checkout).err
    assert "xgboost-cpu 3.4.1 was published on 2026-08-15" in output
    assert "move exclude-newer to 2026-08-16 or later, or pin xgboost-cpu 3.4.0" in output


def test_a_glibc_that_is_too_old(checkout: Checkout) -> None:
    write(checkout, XGBOOST.replace('"3.4":\n', '"3.4":\n        bases: [debian13-py313]\n'))
    checkout.edit("matrix.yaml", 'python: "3.11", glibc: "2.36"', 'python: "3.11", glibc: "2.27"')
    output = refused(checkout).err
    assert (
        f"{BEFORE} cannot be built: xgboost-cpu 3.2.0 has wheels for Python 3.11 only with glibc 2.28 or newer"
        in output
    )
    assert "pin xgboost-cpu 3.0.5" in output


def test_a_dependency_without_a_wheel(checkout: Checkout) -> None:
    """jax is pure Python and fits; the jaxlib that it requires has wheels up to Python 3.12. No pin names jaxlib."""
    write(
        checkout,
        "  example:\n    title: Example\n    versions:\n"
        '      "1": {contract: ["jax[cpu]==0.4.20"], bases: [debian13-py313]}\n',
    )
    output = " ".join(refused(checkout).err.replace("|", " ").split())
    assert "cannot be built: jaxlib 0.4.20 has no wheel for Python 3.13 (only for 3.9, 3.10, 3.11, 3.12)" in output
    assert "jax[cpu]==0.4.20 depends on jaxlib==0.4.20" in output, "the package that requires it is not named"
    assert f"where: {line_of(checkout, 'jax[cpu]')}" in output


def test_a_wheel_directory_that_lacks_the_wheel(checkout: Checkout, tmp_path: Path) -> None:
    """A package that belongs to a wheel source is searched for there, and not on the index."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "xgboost_cpu-3.4.1-cp313-cp313-manylinux_2_28_x86_64.whl").touch()
    write(
        checkout,
        XGBOOST.replace("    versions:", "    wheel-source: own\n    versions:", 1),
        sources=f"wheel-sources:\n  own: {{directory: {wheels}, packages: [xgboost-cpu]}}\n",
    )
    output = " ".join(refused(checkout).err.replace("|", " ").split())
    assert f"there is no xgboost-cpu 3.2.0 on {wheels}" in output
    assert f"{CELL}: xgboost-cpu 3.4.1 has no wheel for Python 3.11 (only for 3.13)" in output
