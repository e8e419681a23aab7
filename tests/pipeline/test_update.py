"""`nox -s update` with an index on this machine and a small matrix: what moves, what stays, what failures leave."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from tests.conftest import interrupt, wait_for
from tests.pipeline.small_project import (
    CONFLICT,
    DAY,
    DEMO12,
    DEMO13,
    FRESH,
    MATRIX,
    NEW,
    OLD,
    PY313,
    RELEASES,
    Prepared,
    release,
)
from tests.unit.http_servers import Answer


def test_what_moves_and_what_stays(prepared: Prepared, tmp_path: Path) -> None:
    checkout = prepared.checkout
    prepared.index.releases = [*RELEASES, CONFLICT]
    arguments = ("update", "--only=frameworks", f"--day={DAY}")

    summary = tmp_path / "summary.md"
    done = checkout.run(*arguments, f"--summary={summary}")
    assert done.code == 0, done.text
    done.one_screen()
    changed = MATRIX.replace("2026-11-02 ", f"{DAY} ").replace("tinyserver==1.0.0", "tinyserver==1.0.1")
    split = "- 'demo==1.0.2; python_version >= ''3.13'''\n          - 'demo==1.0.1; python_version < ''3.13'''"
    assert checkout.paths.matrix.read_text(encoding="utf-8") == changed.replace("- 'demo==1.0.0'", split)
    assert checkout.run("check").code == 0

    text = summary.read_text(encoding="utf-8")
    assert f"| {DEMO12} | demo 1.0.0 → 1.0.1, tinylib 1.0 → 1.1, tinyserver 1.0.0 → 1.0.1 |" in text
    assert f"| {DEMO13} | demo 1.0.0 → 1.0.2, tinylib 1.0 → 1.1, tinyserver 1.0.0 → 1.0.1 |" in text
    assert "| stays-3-debian13-py313-cpu-inference | tinyserver 1.0.0 → 1.0.1 |" in text
    built = text.partition("## Images to build again")[2].partition("## ")[0]
    assert built.count("\n- ") == 5
    held = text.partition("## Held back")[2]
    for line in (
        f"demo stays at 1.0.1, not 1.0.3 ({DEMO12}): demo 1.0.3 was yanked from the index: it deletes files",
        "tinyserver stays at 1.0.1, not 1.1.0 (",
        "stays stays at 3.0.0, not 3.0.1 (stays-3-debian13-py313-cpu-inference): users count on this release",
        "other stays at 2.0.0, not 2.0.1 (other-2-debian12-py311-cpu-inference",
    ):
        assert f"- {line}" in held
    assert "tinylib" in held.partition("other stays")[2].partition("\n")[0], "the resolver's reason is missing"

    # Once more: the same day gives the same.
    after = prepared.content()
    prepared.index.releases = RELEASES
    done = checkout.run(*arguments, "--check", "--json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["moves"] is False
    assert prepared.content() == after


def test_fresh_releases_wait_for_the_cool_down(prepared: Prepared) -> None:
    prepared.index.releases = [each for each in RELEASES if each.uploaded == OLD] + [
        release("demo", "1.0.1", FRESH),
        release("tinylib", "1.1", FRESH),
    ]
    done = prepared.checkout.run("update", "--only=frameworks", "--check")
    assert done.code == 0, done.text
    assert "nothing to update" in done.out
    assert f"demo 1.0.1 was published on {FRESH}" in done.out
    prepared.checkout.edit("matrix.yaml", "cool-down: 7", "cool-down: 0")
    done = prepared.checkout.run("update", "--only=frameworks", "--check")
    assert done.code == 1, done.text
    assert "error: newer versions: 1 pin moves, 2 images with other packages" in done.err
    assert "tinylib 1.0 → 1.1" in done.out
    assert "1.0.0" in prepared.checkout.paths.matrix.read_text(encoding="utf-8")


@pytest.mark.parametrize("day", ["2026-11-01", "2199-01-01"])
def test_the_day_is_neither_before_the_present_one_nor_in_the_future(prepared: Prepared, day: str) -> None:
    done = prepared.checkout.run("update", "--only=frameworks", f"--day={day}")
    assert done.code == 2
    assert f"--day {day} is not between exclude-newer (2026-11-02) and today" in done.err


@pytest.mark.parametrize("part", [pytest.param("/simple/", marks=pytest.mark.thorough), "/files/uv-"])
def test_an_index_that_fails_in_the_middle_leaves_everything_as_it_was(prepared: Prepared, part: str) -> None:
    """It fails at once, or when all images are resolved."""
    before = prepared.content()
    prepared.index.instead = {part: Answer(drop=True)}
    done = prepared.checkout.run("update", "--only=frameworks", f"--day={DAY}")
    assert done.code == 6, done.text
    done.one_screen()
    assert prepared.content() == before
    assert not list(prepared.checkout.paths.state.glob(".update-*"))


def test_two_updates_at_once_and_ctrl_c(prepared: Prepared) -> None:
    before = prepared.content()
    prepared.index.instead = {"demo-1.0.1-py3-none-any.whl": Answer(seconds=30)}
    first = prepared.checkout.start("update", "--only=frameworks", f"--day={DAY}")
    try:
        wait_for(first, "pins and packages, with the index as of")
        second = prepared.checkout.run("update")
        assert second.code == 7, second.text
        assert "another run is using this clone: 'update'" in second.err
    finally:
        done = interrupt(first)
    assert done.code == 130, done.text
    assert prepared.content() == before
    assert not list(prepared.checkout.paths.state.glob(".update-*"))


@pytest.mark.thorough
def test_a_framework_that_was_built_with_another_cuda_version_stays(prepared: Prepared) -> None:
    """CUDA, cuDNN and framework are one unit: only the metadata of the new release tells that it needs another one."""
    extra = "nvidia-cuda-runtime=={}; extra == 'and-cuda'"
    prepared.index.releases += [
        release("nvidia_cuda_runtime", "13.0.1", OLD),
        release("nvidia_cuda_runtime", "13.0.2", OLD),
        release("gpuframework", "5.0.0", OLD, extra.format("13.0.1")),
        release("gpuframework", "5.0.1", NEW, extra.format("13.0.2")),
    ]
    entry = (
        '  gpu:\n    title: GPU\n    versions:\n      "5": {devices: [cuda13.0.1], contract: [gpuframework==5.0.0]}\n'
    )
    cuda = 'cuda:\n  cuda13.0.1: {version: "13.0.1", packages: [nvidia-cuda-runtime==13.0.1]}\nframeworks:\n'
    checkout = prepared.checkout
    checkout.paths.matrix.write_text(MATRIX.replace("frameworks:\n", cuda) + entry, encoding="utf-8")
    for command in ("lock", "generate"):
        assert checkout.run(command).code == 0
    done = checkout.run("update", "--only=frameworks", f"--day={DAY}")
    assert done.code == 0, done.text
    assert "gpuframework==5.0.0" in checkout.paths.matrix.read_text(encoding="utf-8")
    assert "demo==1.0.1" in checkout.paths.matrix.read_text(encoding="utf-8")
    assert "gpuframework stays at 5.0.0, not 5.0.1 (gpu-5-debian12-py311-cuda13.0.1-gpu-inference" in done.out
    reason = "its CUDA would have to change with it: gpuframework 5.0.1 was built for nvidia-cuda-runtime==13.0.2"
    assert reason in " ".join(done.out.split())


NEXT = [release("demo", "1.1.1", NEW, tag=PY313), release("stays", "3.1.0", NEW)]
NEW13 = "demo-1.1-debian13-py313-cpu-inference"


def test_a_new_version_is_added_and_the_older_one_gets_an_end_date(prepared: Prepared, tmp_path: Path) -> None:
    checkout = prepared.checkout
    prepared.index.releases = [*RELEASES, release("demo", "1.1.0", NEW), release("stays", "3.1.0", NEW)]
    arguments = ("update", "--only=frameworks", "--new-versions", f"--day={DAY}")
    summary = tmp_path / "summary.md"
    done = checkout.run(*arguments, f"--summary={summary}")
    assert done.code == 0, done.text
    text = checkout.paths.matrix.read_text(encoding="utf-8")
    entry = """\
      "1.1":
        contract:
          - 'demo==1.1.0'   # quoted

          - tinylib>=1
        lifecycle: {released: 2026-11-10}
"""
    assert entry in text
    (end,) = [line for line in text.splitlines() if "full-support" in line]
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=180)
    assert end.startswith(f'        lifecycle: {{full-support: {{until: {until}, source: "replaced by 1.1')
    assert text.index(end) < text.index(entry)
    assert "# A comment." in text and "# the day of the locks" in text
    assert "stays==3.0.0" in text and '"3.1"' not in text, "a framework whose rule is 'held' got a new version"
    assert checkout.run("check").code == 0
    assert (checkout.root / f"dockerfiles/{NEW13}/Dockerfile").is_file()
    report = summary.read_text(encoding="utf-8")
    assert "1 new version" in report
    images = "demo-1.1-debian12-py311-cpu-inference, demo-1.1-debian13-py313-cpu-inference"
    assert f"| demo 1.1 (1.1.0) | {images} | 1.0 ends on {until}: replaced by 1.1" in report
    assert "another minor version" not in report.partition("tinyserver")[0]


def test_an_image_that_a_new_version_cannot_have_is_not_added(prepared: Prepared, tmp_path: Path) -> None:
    """One has no wheel; the other's pins cannot be satisfied, which only the resolver finds out."""
    checkout = prepared.checkout
    prepared.index.releases = [*RELEASES, *NEXT, release("other", "2.1.0", NEW), release("other", "3.0", NEW, "nosuch")]
    summary = tmp_path / "summary.md"
    before = prepared.content()
    options = ("--only=frameworks", "--new-versions", f"--day={DAY}", "--check", "--json")
    done = checkout.run("update", *options, f"--summary={summary}")
    assert done.code == 1, done.text
    assert "2 pins move, 1 new version" in done.err and "fix:   nox -s update -- --new-versions" in done.err
    assert prepared.content() == before
    (added,) = json.loads(done.out)["added"]
    assert (added["framework"], added["version"], added["release"]) == ("demo", "1.1", "1.1.1")
    assert added["images"] == [NEW13]
    report = summary.read_text(encoding="utf-8")
    missing = "demo-1.1-debian12-py311-cpu-inference"
    assert f"1.0 gets no end date, since some images have no successor ({DEMO12})" in report
    assert f"- {missing} is not added: demo 1.1.1 has no wheel for Python 3.11 (only for 3.13)" in report
    assert "- other stays at 2, not 3.0: " in report and "nosuch" in report.partition("other stays at 2, not 3.0")[2]


@pytest.mark.thorough
def test_a_server_that_cannot_be_locked_holds_back_no_framework(prepared: Prepared) -> None:
    """The reason is at the server's pin."""
    checkout = prepared.checkout
    nothing = release("tinyserver", "1.0.2", NEW, "nosuch")
    prepared.index.releases = [*RELEASES, nothing]
    done = checkout.run("update", "--only=frameworks", f"--day={DAY}", "--json", "--check")
    assert done.code == 1, done.text
    content = json.loads(done.out)
    assert [pin["old"] for pin in content["pins"]] == ["demo==1.0.0"]
    held = {each["name"]: each for each in content["held"] if each["newer"] in ("1.0.2", "1.0.1")}
    assert held.keys() == {"tinyserver"}
    assert held["tinyserver"]["version"] == "1.0.0"
    assert "nosuch" in held["tinyserver"]["reason"]


def test_an_image_that_cannot_be_locked_stops_no_other_one(prepared: Prepared, tmp_path: Path) -> None:
    """The index no longer has the release that one framework pins; the server's pin is in its images, too."""
    checkout = prepared.checkout
    everything = prepared.index.releases
    prepared.index.releases = [each for each in everything if each.package.name != "other"] + [
        release("other", "9", FRESH)
    ]
    gone = ["other-2-debian12-py311-cpu-inference", "other-2-debian13-py313-cpu-inference"]
    locks = {name: next(checkout.paths.locks.rglob(f"{name}.txt")) for name in (*gone, DEMO12)}
    before, former = prepared.content(), {name: file.read_bytes() for name, file in locks.items()}
    arguments = ("update", "--only=frameworks", f"--day={DAY}")

    done = checkout.run(*arguments, "--check", "--json")
    assert done.code == 1, done.text
    assert prepared.content() == before
    content = json.loads(done.out)
    assert content["moves"] and content["failed"].keys() == set(gone)
    assert "warning: newer versions: 2 pins move" in done.err and "2 images cannot be locked" in done.err
    assert "nothing was written" in done.one_screen()

    summary = tmp_path / "summary.md"
    done = checkout.run(*arguments, f"--summary={summary}")
    assert done.code == 1, done.text
    assert "error: 2 images cannot be locked" in done.one_screen()
    assert "everything else was updated" in done.err
    text = checkout.paths.matrix.read_text(encoding="utf-8")
    assert "tinyserver==1.0.1" in text, "the server stayed for an image that cannot be locked with any server"
    assert "demo==1.0.2" in text and "other==2.0.0" in text and DAY in text
    assert [locks[name].read_bytes() for name in gone] == [former[name] for name in gone]
    assert b"tinyserver==1.0.1" in locks[DEMO12].read_bytes()
    report = summary.read_text(encoding="utf-8")
    failed = report.partition("## Images that cannot be locked")[2].partition("## ")[0]
    assert failed.count("\n- ") == 2
    assert f"- {gone[0]}: there is no other 2.0.0" in failed
    assert "; it keeps its lock, which is stale: " in failed
    assert gone[0] not in report.partition("## Images to build again")[2].partition("## ")[0]
    assert gone[0] not in report.partition("## Packages")[2].partition("## ")[0]

    # Once the index has it again, the next update takes the rest.
    prepared.index.releases = everything
    done = checkout.run(*arguments)
    assert done.code == 0, done.text
    assert b"tinyserver==1.0.1" in locks[gone[0]].read_bytes()
    assert checkout.run("check").code == 0


def test_nothing_is_written_if_nothing_moves_and_an_image_cannot_be_locked(prepared: Prepared) -> None:
    prepared.index.releases = [each for each in RELEASES if each.uploaded == OLD and each.package.name != "stays"]
    before = prepared.content()
    done = prepared.checkout.run("update", "--only=frameworks", f"--day={DAY}")
    assert done.code == 1, done.text
    assert "nothing to update; 1 image cannot be locked" in done.out
    assert "stays-3-debian13-py313-cpu-inference cannot be locked: " in done.one_screen()
    assert "it keeps its lock, and is still built and published from it" in " ".join(done.err.replace("|", "").split())
    assert prepared.content() == before


def test_an_image_that_has_ended_changes_only_with_what_it_shares(prepared: Prepared, tmp_path: Path) -> None:
    """Its own pin stays; the server's pin has no other text for it, and the summary says so."""
    checkout = prepared.checkout
    life = "lifecycle: {full-support: {until: 2026-01-01, source: a page of upstream}}"
    checkout.edit("matrix.yaml", "contract: [other==2.0.0]", f"contract: [other==2.0.0], {life}")
    prepared.index.releases = [*RELEASES, release("other", "2.0.1", NEW)]
    summary = tmp_path / "summary.md"
    done = checkout.run("update", "--only=frameworks", f"--day={DAY}", f"--summary={summary}")
    assert done.code == 0, done.text
    assert "other==2.0.0" in checkout.paths.matrix.read_text(encoding="utf-8")
    report = summary.read_text(encoding="utf-8")
    ended = "other-2-debian13-py313-cpu-inference"
    shares = "it shares tinyserver==1.0.0 with images that have not ended; it is built only if you select it"
    assert f"- {ended} changes too, since {shares}" in report
    assert ended not in report.partition("## Images to build again")[2].partition("## ")[0]


@pytest.mark.thorough
def test_a_base_whose_images_have_all_ended_stays_as_it_is(prepared: Prepared) -> None:
    """Its Python has no other images, so the shared pins are split."""
    checkout = prepared.checkout
    life = "lifecycle: {full-support: {until: 2026-01-01, source: a page of upstream}}"
    checkout.edit("matrix.yaml", 'glibc: "2.36", bootstrap', f'glibc: "2.36", {life}, bootstrap')
    for command in ("lock", "generate"):
        assert checkout.run(command).code == 0
    done = checkout.run("update", "--only=frameworks", f"--day={DAY}")
    assert done.code == 0, done.text
    text = checkout.paths.matrix.read_text(encoding="utf-8")
    assert (
        "\"tinyserver==1.0.1; python_version >= '3.13'\", \"tinyserver==1.0.0; python_version < '3.13'\"" in text
        or ("tinyserver==1.0.1; python_version >= '3.13', tinyserver==1.0.0; python_version < '3.13'" in text)
    )
    assert "tinyserver stays at 1.0.0, not 1.0.1" in " ".join(done.out.split())
    assert "the images with Python 3.11 have ended" in " ".join(done.out.split())


def test_a_wheel_source_that_does_not_answer_is_named(prepared: Prepared) -> None:
    """The image keeps its pin and its lock; the others move."""
    checkout = prepared.checkout
    checkout.edit("matrix.yaml", "    title: Stays\n", "    title: Stays\n    wheel-source: company\n")
    checkout.edit("matrix.yaml", "    update: {rule: held, reason: users count on this release}\n", "")
    source = "wheel-sources:\n  company: {directory: ../no-wheels-here, packages: [stays]}\nframeworks:\n"
    checkout.edit("matrix.yaml", "frameworks:\n", source)
    done = checkout.run("update", "--only=frameworks", f"--day={DAY}", "--check", "--json")
    assert done.code == 1, done.text
    held = {(each["name"], each["newer"]): each for each in json.loads(done.out)["held"]}
    pin, lock = held["stays", ""], held["(all packages)", ""]
    assert pin["version"] == "3.0.0"
    assert pin["reason"].startswith("the wheel source 'company' did not answer (")
    assert "no-wheels-here" in pin["reason"]
    assert lock["reason"].startswith("it keeps its lock: the wheel source 'company' did not answer (")


def test_new_versions_belong_to_the_frameworks(prepared: Prepared) -> None:
    done = prepared.checkout.run("update", "--only=bases", "--new-versions")
    assert done.code == 2
    assert "--new-versions belongs to the frameworks" in done.one_screen()
