"""New versions of frameworks: what is proposed, and the matrix with them."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from build.checkout.project import Project, open_project
from build.matrix.upkeep import Update
from build.packages.distribution import Distribution, File
from build.paths import Paths
from build.update import additions
from build.update.additions import Added, Addition
from build.update.decide import decide
from build.update.lookup import Files
from build.update.pins import Pin, exact_pins
from build.update.proposals import Proposals, propose
from tests.unit.fixture_project import PATHS, PROJECT
from tests.unit.update.values import DAY, EVERY_PYTHON, TODAY, files, found

PINS = exact_pins(PROJECT, TODAY)
NEW12, NEW13 = (f"sklearn-1.10-{base}-cpu-inference" for base in ("debian12-py311", "debian13-py313"))
GPU = ("onnxruntime", "onnxruntime-gpu")


def offered(*, pins: tuple[Pin, ...] = PINS, **releases: tuple[tuple[File, ...], ...]) -> Files:
    """Return what the index has of each distribution: its name, with ``_`` for ``-``, → releases."""
    return {pin.keys: found(pin, *releases.get(pin.name.replace("-", "_"), ())) for pin in pins}


def proposed(index: Files, pins: tuple[Pin, ...] = PINS) -> list[Addition]:
    proposals = propose(PROJECT.matrix, PROJECT.variants, pins, index, DAY)
    assert proposals.put_off == ()
    return list(proposals.additions)


def sklearn(*releases: tuple[str, tuple[str, ...]]) -> list[Addition]:
    return proposed(offered(scikit_learn=tuple(files("scikit-learn", version, *of) for version, of in releases)))


def test_the_newest_version_that_is_newer_than_those_of_the_matrix() -> None:
    (addition,) = sklearn(("1.9.2", EVERY_PYTHON), ("1.10.0", EVERY_PYTHON), ("1.10.1", EVERY_PYTHON))
    assert (addition.framework, addition.key, addition.version) == ("sklearn", "1.10", Version("1.10.1"))
    assert addition.images == (NEW12, NEW13)
    assert addition.day == datetime.date(2026, 11, 1)
    assert addition.missing == {}
    assert sklearn(("1.9.2", EVERY_PYTHON)) == []
    assert proposed(offered(xgboost_cpu=(files("xgboost-cpu", "3.3.0", "cp311"),)))[0].key == "3.3"


def test_what_may_not_be_taken_is_not_proposed() -> None:
    yanked = files("scikit-learn", "1.10.0", *EVERY_PYTHON, yanked="it deletes files")
    fresh = files("scikit-learn", "1.10.0", *EVERY_PYTHON, uploaded="2026-11-20")
    assert proposed(offered(scikit_learn=(yanked,))) == proposed(offered(scikit_learn=(fresh,))) == []
    held = Update.model_validate({"rule": "held", "reason": "users count on it"})
    pins = tuple(dataclasses.replace(pin, rule=held) for pin in PINS)
    usable = offered(scikit_learn=(files("scikit-learn", "1.10.0", *EVERY_PYTHON),))
    assert proposed(usable, pins) == []
    names = frozenset(variant.name for pin in PINS for variant in pin.variants)
    assert proposed(usable, tuple(dataclasses.replace(pin, ended=names) for pin in PINS)) == []


def test_an_image_without_a_wheel_is_missing_with_its_reason() -> None:
    (addition,) = sklearn(("1.10.0", ("cp313",)))
    assert (addition.images, addition.bases) == ((NEW13,), ("debian13-py313",))
    assert addition.missing == {NEW12: "scikit-learn 1.10.0 has no wheel for Python 3.11 (only for 3.13)"}


def with_added(folder: Path, addition: Addition) -> Project:
    """Return the fixture project with a new version."""
    before = PATHS.matrix.read_text(encoding="utf-8")
    text, _ = additions.with_addition("matrix.yaml", before, PROJECT.matrix, addition, TODAY)
    paths = Paths(root=shutil.copytree(PATHS.root, folder / "project"))
    paths.matrix.write_text(text, encoding="utf-8")
    return open_project(paths)


CPU_132 = files("onnxruntime", "1.32.0", *EVERY_PYTHON)


def test_a_version_waits_until_the_releases_for_all_its_images_are_old_enough() -> None:
    """The GPU wheel, or that of one Python, came some days later."""
    fresh = files(GPU[1], "1.32.0", *EVERY_PYTHON, uploaded="2026-11-20")
    partly = (*files(GPU[1], "1.32.0", "cp313"), *files(GPU[1], "1.32.0", "cp311", uploaded="2026-11-20"))
    for gpu, waiting in ((fresh, {"debian12-py311", "debian13-py313"}), (partly, {"debian12-py311"})):
        index = offered(onnxruntime=(CPU_132,), onnxruntime_gpu=(gpu,))
        proposals = propose(PROJECT.matrix, PROJECT.variants, PINS, index, DAY)
        assert proposals.additions == ()
        (held,) = proposals.put_off
        assert (held.name, held.version, held.newer) == ("onnxruntime", "1.31", "1.32.0")
        assert set(held.images) == {f"onnxruntime-1.31-{base}-cuda13.0.3-gpu-inference" for base in waiting}
        assert held.reason.startswith(
            "onnxruntime-gpu 1.32.0 was published on 2026-11-20, and the index is seen as of "
        )
        assert held.reason.endswith("; 1.32 is added once releases for these images are old enough")
        later = propose(PROJECT.matrix, PROJECT.variants, PINS, index, "2026-11-21")
        assert [len(each.images) for each in later.additions] == [4]
        assert later.put_off == ()
    # A later release that gives it no further image is not waited for.
    older = files(GPU[1], "1.32.0", *EVERY_PYTHON)
    newer = files("onnxruntime", "1.32.1", *EVERY_PYTHON, uploaded="2026-11-20")
    (addition,) = proposed(offered(onnxruntime=(CPU_132, newer), onnxruntime_gpu=(older,)))
    assert (addition.version, len(addition.images)) == (Version("1.32.0"), 4)


def test_images_that_a_version_lacks_are_reported_once_it_could_have_them(tmp_path: Path) -> None:
    """The index has the GPU wheel weeks after the CPU wheel: the next updates name the place to add it."""
    (addition,) = proposed(offered(onnxruntime=(CPU_132,)))
    assert addition.devices == ("cpu",)
    project = with_added(tmp_path, addition)
    pins = exact_pins(project, TODAY)
    (gpu,) = (pin for pin in pins if pin.text == "onnxruntime-gpu==1.31.1")
    late = files(GPU[1], "1.32.0", *EVERY_PYTHON)
    index = offered(pins=pins, onnxruntime=(CPU_132,), onnxruntime_gpu=(late,))
    assert propose(project.matrix, project.variants, pins, index, DAY) == Proposals()
    reasons = {held.reason for held in decide(gpu, index[gpu.keys], DAY).held}
    assert len(reasons) == 1 and reasons.pop().startswith(
        "1.32 has no GPU image there, although onnxruntime-gpu 1.32.0 "
    )
    # A version after 1.32 is made without them, too; so the images of 1.31 have no successor there.
    newer = [files(name, "1.33.0", *EVERY_PYTHON) for name in GPU]
    index = offered(pins=pins, onnxruntime=(CPU_132, newer[0]), onnxruntime_gpu=(late, newer[1]))
    (third,) = propose(project.matrix, project.variants, pins, index, DAY).additions
    assert third.devices == ("cpu",)
    assert {held.newer for held in decide(gpu, index[gpu.keys], DAY).held} == {"1.33.0"}
    text = project.paths.matrix.read_text(encoding="utf-8")
    _, added = additions.with_addition("matrix.yaml", text, project.matrix, third, TODAY)
    assert added.ends["1.32"].startswith("ends on ")
    assert added.ends["1.31"].startswith("gets no end date, since some images have no successor (onnxruntime-1.31-")


def test_of_a_new_minor_version_the_release_that_the_most_images_have() -> None:
    gpu0, gpu1 = (files(GPU[1], version, *EVERY_PYTHON) for version in ("1.32.0", "1.32.1"))
    cpu1 = files("onnxruntime", "1.32.1", *EVERY_PYTHON)
    (addition,) = proposed(offered(onnxruntime=(CPU_132, cpu1), onnxruntime_gpu=(gpu0,)))
    assert (addition.version, len(addition.images)) == (Version("1.32.0"), 4)
    (addition,) = proposed(offered(onnxruntime=(CPU_132, cpu1), onnxruntime_gpu=(gpu0, gpu1)))
    assert (addition.version, len(addition.images)) == (Version("1.32.1"), 4)
    (addition,) = proposed(
        offered(onnxruntime=(CPU_132, files("onnxruntime", "1.33.0", "cp313")), onnxruntime_gpu=(gpu0,))
    )
    assert (addition.version, len(addition.images)) == (Version("1.33.0"), 1)


def test_an_entry_has_an_image_for_each_base_and_device() -> None:
    """A device that one base alone lacks costs fewer images than the base."""
    cpu = files("onnxruntime", "1.32.0", *EVERY_PYTHON)
    (addition,) = proposed(offered(onnxruntime=(cpu,), onnxruntime_gpu=(files(GPU[1], "1.32.0", "cp313"),)))
    assert addition.version == Version("1.32.0")
    assert (len(addition.bases), len(addition.devices)) in {(1, 2), (2, 1)}
    assert len(addition.images) == 2
    assert not addition.gaps()
    assert any("has no wheel for Python 3.11" in reason for reason in addition.missing.values())
    assert any(reason.startswith("the version has no image for debian12-py311") for reason in addition.missing.values())
    none = addition.without(dict.fromkeys(addition.images, "a conflict"))
    assert (none.images, none.bases) == ((), ())


def lightgbm(folder: Path, old: str = "", new: str = "") -> tuple[dict[str, Any], Added]:
    """Add a version to the fixture project, in whose matrix a text is replaced: the versions, and what was added."""
    text = PATHS.matrix.read_text(encoding="utf-8")
    assert old in text
    paths = Paths(root=shutil.copytree(PATHS.root, folder / "project"))
    paths.matrix.write_text(text.replace(old, new) if old else text, encoding="utf-8")
    project = open_project(paths)
    pins = exact_pins(project, TODAY)
    index = offered(pins=pins, lightgbm=(files("lightgbm", "4.8.0", *EVERY_PYTHON),))
    (addition,) = propose(project.matrix, project.variants, pins, index, DAY).additions
    before = paths.matrix.read_text(encoding="utf-8")
    after, added = additions.with_addition("matrix.yaml", before, project.matrix, addition, TODAY)
    paths.matrix.write_text(after, encoding="utf-8")
    versions: dict[str, Any] = yaml.safe_load(after)["frameworks"]["lightgbm"]["versions"]
    assert open_project(paths).variants, "the matrix is not valid"
    return versions, added


END = "ends on 2027-05-26: replaced by 4.8 (project.update.overlap: 180 days)"
UNTIL = datetime.date(2027, 5, 26)
RELEASED = "        lifecycle: {released: 2026-07-18}\n"


def test_the_matrix_has_the_new_version_and_the_end_of_the_older_one(tmp_path: Path) -> None:
    versions, added = lightgbm(tmp_path)
    assert added.ends == {"4.7": END}
    assert list(versions) == ["4.7", "4.8"]
    assert versions["4.7"]["lifecycle"]["full-support"]["until"] == UNTIL
    assert versions["4.8"]["contract"][0] == "lightgbm==4.8.0"
    assert "bases" not in versions["4.8"]


def test_every_older_version_with_a_successor_for_each_image_gets_the_same_end(tmp_path: Path) -> None:
    older = """\
      "4.5":
        bases: [debian12-py312]
        contract: [lightgbm==4.5.0]
      "4.6":
        bases: [debian13-py313]
        contract: [lightgbm==4.6.0]
"""
    versions, added = lightgbm(tmp_path, '      "4.7":\n', f'{older}      "4.7":\n')
    assert added.ends == {"4.7": END, "4.6": END}
    assert versions["4.6"]["lifecycle"]["full-support"]["until"] == UNTIL
    assert "lifecycle" not in versions["4.5"], "no image has a successor on its base"


def test_an_older_version_without_a_successor_for_each_image_gets_no_end(tmp_path: Path) -> None:
    older = '      "4.6":\n        bases: [debian12-py312, debian13-py313]\n        contract: [lightgbm==4.6.0]\n'
    versions, added = lightgbm(tmp_path, '      "4.7":\n', f'{older}      "4.7":\n')
    alone = "gets no end date, since some images have no successor (lightgbm-4.6-debian12-py312-cpu-inference)"
    assert added.ends == {"4.7": END, "4.6": alone}
    assert "lifecycle" not in versions["4.6"]
    # What `include` adds to the older version, and an image that could not be locked.
    before = PATHS.matrix.read_text(encoding="utf-8")
    (addition,) = sklearn(("1.10.0", EVERY_PYTHON))
    for each, name in (
        (addition, "sklearn-1.9-debian12-py312-cpu-inference"),
        (addition.without({NEW12: "a conflict"}), "sklearn-1.9-debian12-py311-cpu-inference"),
    ):
        text, added = additions.with_addition("matrix.yaml", before, PROJECT.matrix, each, TODAY)
        assert added.ends["1.9"].startswith("gets no end date, since some images have no successor (sklearn-1.9-")
        assert name in added.ends["1.9"]
        assert text.count("full-support") == before.count("full-support")


def test_a_version_that_has_an_end_keeps_it(tmp_path: Path) -> None:
    ending = RELEASED.replace("}", ", full-support: {until: 2030-01-01, source: a page of upstream}}")
    _, added = lightgbm(tmp_path, RELEASED, ending)
    assert added.ends == {"4.7": "ends on 2030-01-01, as before"}


def test_a_date_of_the_older_version_that_is_after_its_end_does_not_stop_the_new_one(tmp_path: Path) -> None:
    versions, added = lightgbm(tmp_path, RELEASED, RELEASED.replace("}", ", deprecated: 2027-12-01}"))
    why = "the matrix says 'deprecated: 2027-12-01', and the end would be before it, on 2027-05-26"
    assert added.ends == {"4.7": f"gets no end date: {why}"}
    assert list(versions) == ["4.7", "4.8"]
    assert "full-support" not in versions["4.7"]["lifecycle"]


def test_a_place_that_does_not_answer_proposes_nothing() -> None:
    silent = Distribution(name="scikit-learn", files=(), not_reached=("https://wheels.example",))
    assert proposed({pin.keys: dict.fromkeys((each.name for each in pin.variants), silent) for pin in PINS}) == []


TWO_LINES = """\
      "2.15":
        devices: [cuda13.0.3]
        contract: [numpy>=2.0, pandas~=3.1]
        gpu: {contract: [torch==2.15.0]}
        lifecycle: {released: 2026-10-28}
"""
CPU_LINE = "pytorch-2.13-debian12-py311-cpu-inference"


def torch(
    folder: Path, *, cpu: tuple[str, ...], gpu: tuple[str, ...], waiting: tuple[str, ...] = (), end: str = ""
) -> tuple[Project, Any]:
    """Return a project with a version of PyTorch for CPUs and a newer one for GPUs, and what is proposed.

    Args:
        folder: For the project.
        cpu: The releases in the wheel source.
        gpu: The releases in the index.
        waiting: Those of them that have the wheel for one Python alone so far; the others came within the cool-down.
        end: The end date of the version for CPUs.
    """
    text = PATHS.matrix.read_text(encoding="utf-8")
    released = "        lifecycle: {released: 2026-07-08}\n"
    life = released.replace("}", f", full-support: {{until: {end}, source: a page of upstream}}}}") if end else released
    paths = Paths(root=shutil.copytree(PATHS.root, folder / "project"))
    paths.matrix.write_text(text.replace(released, life + TWO_LINES), encoding="utf-8")
    project = open_project(paths)
    pins = exact_pins(project, TODAY)
    index = offered(pins=pins)
    for pin in pins:
        if pin.name == "torch":
            wheels = [
                (
                    *files("torch", version, "cp313"),
                    *files(
                        "torch",
                        version,
                        "cp311",
                        "cp312",
                        uploaded="2026-11-20" if version in waiting else "2026-11-01",
                    ),
                )
                for version in ((f"{each}+cpu" for each in cpu) if pin.version.local else gpu)
            ]
            index[pin.keys] = found(pin, *wheels)
    return project, propose(project.matrix, project.variants, pins, index, DAY)


def written(project: Project, every: tuple[Addition, ...]) -> tuple[dict[str, Any], list[Added]]:
    """Add versions to the matrix; return those of PyTorch, and what was added."""
    text, added = project.paths.matrix.read_text(encoding="utf-8"), []
    for addition in every:
        text, each = additions.with_addition("matrix.yaml", text, project.matrix, addition, TODAY)
        added.append(each)
    project.paths.matrix.write_text(text, encoding="utf-8")
    assert open_project(project.paths).variants
    versions: dict[str, Any] = yaml.safe_load(text)["frameworks"]["pytorch"]["versions"]
    return versions, added


def test_lines_for_cpus_and_gpus_are_both_followed(tmp_path: Path) -> None:
    project, proposals = torch(tmp_path, cpu=("2.13.0", "2.14.0"), gpu=("2.15.0", "2.16.0"))
    assert [(each.of.model.key, each.key) for each in proposals.additions] == [("2.15", "2.16"), ("2.13", "2.14")]
    versions, added = written(project, proposals.additions)
    assert list(versions) == ["2.13", "2.14", "2.15", "2.16"]
    assert versions["2.14"]["cpu"] == {"contract": ["torch==2.14.0+cpu"], "wheel-source": "pytorch-cpu"}
    assert versions["2.16"]["gpu"] == {"contract": ["torch==2.16.0"]} and versions["2.16"]["devices"] == ["cuda13.0.3"]
    assert [each.ends.keys() for each in added] == [{"2.15"}, {"2.13"}]
    assert all(end.startswith("ends on ") for each in added for end in each.ends.values())
    (held,) = proposals.put_off
    assert (held.version, held.newer, held.images) == ("2.14.0", "2.16.0", (CPU_LINE,))


def test_a_version_that_only_gpus_can_have_is_added_for_them_and_cpus_stay(tmp_path: Path) -> None:
    project, proposals = torch(tmp_path, cpu=("2.13.0",), gpu=("2.15.0", "2.16.0"))
    assert [each.key for each in proposals.additions] == ["2.16"]
    versions, (added,) = written(project, proposals.additions)
    assert added.ends.keys() == {"2.15"} and "full-support" not in versions["2.13"]["lifecycle"]
    (held,) = proposals.put_off
    assert (held.name, held.version, held.newer, held.images) == ("pytorch", "2.13", "2.16.0", (CPU_LINE,))
    assert "2.16.0+cpu" in held.reason


def test_a_version_that_both_lines_could_have_goes_to_the_newer_one(tmp_path: Path) -> None:
    _, proposals = torch(tmp_path, cpu=("2.13.0", "2.16.0"), gpu=("2.15.0", "2.16.0"))
    assert [(each.of.model.key, each.key) for each in proposals.additions] == [("2.15", "2.16")]
    (held,) = proposals.put_off
    assert held.images == (CPU_LINE,)
    assert 'add their devices and contract to frameworks.pytorch.versions."2.16" by hand' in held.reason


def test_a_version_that_the_newer_line_waits_for_is_not_given_to_the_other(tmp_path: Path) -> None:
    """An entry for CPUs alone would keep the images for GPUs out: `update` extends no entry later."""
    gpu = ("2.15.0", "2.16.0")
    _, proposals = torch(tmp_path, cpu=("2.13.0", "2.16.0"), gpu=gpu, waiting=("2.16.0",))
    assert proposals.additions == ()
    waits, other = proposals.put_off
    assert (waits.version, waits.newer) == ("2.15", "2.16.0") and waits.reason.endswith("old enough")
    assert other.images == (CPU_LINE,) and 'frameworks.pytorch.versions."2.16" by hand' in other.reason


def test_a_line_with_an_end_date_is_not_followed(tmp_path: Path) -> None:
    _, proposals = torch(tmp_path, cpu=("2.13.0", "2.14.0"), gpu=("2.15.0",), end="2030-01-01")
    assert proposals == Proposals()
