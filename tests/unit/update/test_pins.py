"""The exact pins of a matrix, and the matrix with other ones."""

from __future__ import annotations

import datetime
from pathlib import Path

from build.checkout.project import Project, open_project
from build.update.decide import decide
from build.update.packages import new_text
from build.update.pins import exact_pins
from tests.unit.fixture_project import PATHS, PROJECT, copy_project
from tests.unit.update.values import DAY, TODAY, files, found, pins


def edited(folder: Path, old: str, new: str) -> Project:
    """Return a copy of the fixture project with a change in its matrix."""
    paths = copy_project(folder / "project")
    text = paths.matrix.read_text(encoding="utf-8")
    assert old in text
    paths.matrix.write_text(text.replace(old, new, 1), encoding="utf-8")
    return open_project(paths)


def test_the_exact_pins_of_images_that_have_not_ended() -> None:
    found_pins = {pin.text: pin for pin in exact_pins(PROJECT, TODAY)}
    assert list(found_pins) == [
        "azureml-inference-server-http==1.5.1; python_version >= '3.9'",
        "scikit-learn==1.9.1",
        "onnxruntime==1.31.1",
        "onnxruntime-gpu==1.31.1",
        "xgboost-cpu==3.2.0",
        "lightgbm==4.7.0",
        "torch==2.13.0+cpu",
    ]
    gpu = found_pins["onnxruntime-gpu==1.31.1"]
    assert gpu.keys == ("frameworks", "onnxruntime", "versions", "1.31", "gpu", "contract", 0)
    assert {variant.device for variant in gpu.variants} == {"cuda13.0.3"}
    assert found_pins["onnxruntime==1.31.1"].key == (1, 31)
    assert all(pin.held is None and pin.rule.rule == "minor" for pin in found_pins.values())


def test_images_that_end_later_have_more_pins() -> None:
    before = {pin.text for pin in exact_pins(PROJECT, datetime.date(2023, 5, 30))}
    assert {"xgboost==0.90", "pandas==0.25.1", "tensorflow==2.4.4"} <= before
    (patched,) = [pin for pin in exact_pins(PROJECT, datetime.date(2023, 5, 30)) if pin.text == "pandas==0.25.1"]
    assert patched.held == "patches[0] is for exactly this release"
    assert patched.key == ()


def test_the_rule_nearest_to_a_pin_counts(tmp_path: Path) -> None:
    held = "update: {rule: held, reason: of the framework}"
    project = edited(tmp_path, "    title: LightGBM\n", f"    title: LightGBM\n    {held}\n")
    assert [pin.held for pin in pins("lightgbm==4.7.0", project)] == ["of the framework"]
    assert [pin.held for pin in pins("scikit-learn==1.9.1", project)] == [None]
    of_version = "contract: [lightgbm==4.7.0"
    text = project.paths.matrix.read_text(encoding="utf-8")
    changed = text.replace(of_version, f"update: {{rule: newest, reason: of the version}}\n        {of_version}")
    project.paths.matrix.write_text(changed, encoding="utf-8")
    (pin,) = pins("lightgbm==4.7.0", open_project(project.paths))
    assert (pin.held, pin.rule.rule) == (None, "newest")


def test_an_allowed_yanked_release_and_an_alias_stay(tmp_path: Path) -> None:
    project = edited(tmp_path, '  uv: "0.13.9"\n', '  uv: "0.13.9"\n  allow-yanked: [lightgbm==4.7.0]\n')
    assert [pin.held for pin in pins("lightgbm==4.7.0", project)] == ["project.allow-yanked names exactly this release"]
    text = project.paths.matrix.read_text(encoding="utf-8")
    changed = text.replace(
        "cpu: {contract: [xgboost-cpu==3.2.0]}", "cpu: &x {contract: [xgboost-cpu==3.2.0]}\n        gpu: *x"
    )
    project.paths.matrix.write_text(changed, encoding="utf-8")
    (pin,) = pins("xgboost-cpu==3.2.0", open_project(project.paths))
    assert pin.held == "it comes from an alias; edit it by hand"


def test_the_new_matrix_differs_in_the_moved_pins_and_the_day_alone() -> None:
    before = PATHS.matrix.read_text(encoding="utf-8")
    (sklearn,), (xgboost,) = pins("scikit-learn==1.9.1"), pins("xgboost-cpu==3.2.0")
    decisions = [
        decide(sklearn, found(sklearn, files("scikit-learn", "1.9.2", "cp313")), DAY),
        decide(xgboost, found(xgboost), DAY),
    ]
    after = new_text(PROJECT, before, decisions, datetime.date(2026, 11, 20))
    split = "scikit-learn==1.9.2; python_version >= '3.13', scikit-learn==1.9.1; python_version < '3.13'"
    assert after == before.replace("scikit-learn==1.9.1", split).replace("2026-11-19", "2026-11-20")


def test_a_pin_knows_its_images_that_have_ended_and_the_newest_version_beside_it(tmp_path: Path) -> None:
    life = "lifecycle: {full-support: {until: 2026-01-01, source: a page of upstream}}"
    project = edited(tmp_path, "lifecycle: {released: 2026-06-02}", life)
    assert not pins("scikit-learn==1.9.1", project), "all its images have ended"
    (server,) = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'", project)
    assert server.ended >= {"sklearn-1.9-debian13-py313-cpu-inference"}
    assert "lightgbm-4.7-debian13-py313-cpu-inference" not in server.ended
    (lightgbm,) = pins("lightgbm==4.7.0", project)
    assert (server.newest, set(lightgbm.newest.values())) == ({}, {(4, 7)})
    assert (server.siblings, lightgbm.siblings) == (frozenset(), frozenset({"4.7"}))


def test_an_older_version_knows_the_newest_one_on_its_base_for_its_kind_of_device(tmp_path: Path) -> None:
    newer = """\
      "1.32":
        bases: [debian13-py313]
        devices: [cpu]
        contract: [onnxruntime==1.32.0]

  xgboost:
"""
    project = edited(tmp_path, "\n  xgboost:\n", newer)
    (cpu,), (gpu,) = pins("onnxruntime==1.31.1", project), pins("onnxruntime-gpu==1.31.1", project)
    assert cpu.newest == {
        "onnxruntime-1.31-debian12-py311-cpu-inference": (1, 31),
        "onnxruntime-1.31-debian13-py313-cpu-inference": (1, 32),
    }
    assert set(gpu.newest.values()) == {(1, 31)}
    assert gpu.siblings == {"1.31", "1.32"}
    # An image that is excluded was decided on.
    text = project.paths.matrix.read_text(encoding="utf-8").replace(
        "        bases: [debian13-py313]\n        devices: [cpu]\n", "        devices: [cpu]\n"
    )
    cell = '{framework: onnxruntime, version: "1.32", base: debian12-py311, because: choice, reason: not wanted}'
    project.paths.matrix.write_text(text.replace("exclude:\n", f"exclude:\n  - {cell}\n"), encoding="utf-8")
    (cpu,) = pins("onnxruntime==1.31.1", open_project(project.paths))
    assert set(cpu.newest.values()) == {(1, 32)}
