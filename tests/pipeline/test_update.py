"""`nox -s update` with an index on this machine and a small matrix: what moves, what stays, what failures leave."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_package import TinyPackage

from tests.conftest import Checkout, copy_checkout, interrupt, link_large, wait_for
from tests.pipeline.local_index import LocalIndex, Release
from tests.pipeline.test_impossible_cells import bootstrap
from tests.unit.http_servers import Answer, serving

MATRIX = f"""\
# A comment.
project:
  namespace: azureml
  vendor: someone
  exclude-newer: 2026-11-02   # the day of the locks
  update: {{rule: minor, cool-down: 7}}
  uv: "0.13.9"
server: {{title: Server, contract: [tinyserver==1.0.0]}}
axes: {{base: [debian12-py311, debian13-py313], device: [cpu]}}
bases:
  debian12-py311:
    {{title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {bootstrap("debian12-py311")}}}
  debian13-py313:
    {{title: Debian 13, os: debian13, python: "3.13", glibc: "2.40", bootstrap: {bootstrap("debian13-py313")}}}
frameworks:
  demo:
    title: Demo
    versions:
      "1.0":
        contract:
          - 'demo==1.0.0'   # quoted

          - tinylib>=1
  other:
    title: Other
    versions:
      "2": {{contract: [other==2.0.0]}}
  stays:
    title: Stays
    update: {{rule: held, reason: users count on this release}}
    versions:
      "3": {{bases: [debian13-py313], contract: [stays==3.0.0]}}
"""
OLD, NEW = "2026-11-01", "2026-11-10"
DAY = "2026-11-20"
DEMO12, DEMO13 = "demo-1.0-debian12-py311-cpu-inference", "demo-1.0-debian13-py313-cpu-inference"
FRESH = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).date().isoformat()
PY313 = "cp313-cp313-manylinux_2_28_x86_64"


def release(
    name: str, version: str, uploaded: str, *requires: str, yanked: str | None = None, tag: str = "py3-none-any"
) -> Release:
    package = TinyPackage(name=name, version=version, requires=requires, tag=tag)
    return Release(package=package, uploaded=uploaded, yanked=yanked)


RELEASES = [
    release("uv", "0.13.9", OLD),
    release("tinyserver", "1.0.0", OLD),
    release("tinylib", "1.0", OLD),
    release("demo", "1.0.0", OLD),
    release("other", "2.0.0", OLD),
    release("stays", "3.0.0", OLD),
    release("tinyserver", "1.0.1", NEW),
    release("tinyserver", "1.1.0", NEW),
    release("tinylib", "1.1", NEW),
    release("demo", "1.0.1", NEW),
    release("demo", "1.0.2", NEW, tag=PY313),
    release("demo", "1.0.3", NEW, yanked="it deletes files"),
    release("stays", "3.0.1", NEW),
]


CONFLICT = release("other", "2.0.1", NEW, "tinylib>=2")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A checkout with locks of an earlier day."""

    checkout: Checkout
    index: LocalIndex

    def content(self) -> dict[str, bytes]:
        root = self.checkout.root
        state = root / ".pipeline"
        files = [file for file in root.rglob("*") if file.is_file() and not file.is_relative_to(state)]
        return {str(file.relative_to(root)): file.read_bytes() for file in files if file.suffix != ".pyc"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    root = tmp_path_factory.mktemp("update") / "clone"
    root.mkdir()
    index = LocalIndex(releases=RELEASES)
    with serving(index) as server:
        environment = {"UV_DEFAULT_INDEX": f"http://{server.host}/simple", "UV_HTTP_RETRIES": "0"}
        checkout = Checkout(root=copy_checkout(root).root, environment=environment)
        checkout.paths.matrix.write_text(MATRIX, encoding="utf-8")
        for command in ("lock", "generate"):
            done = checkout.run(command)
            assert done.code == 0, done.text
        yield Prepared(checkout=checkout, index=index)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def prepared(original: Prepared, tmp_path: Path) -> Iterator[Prepared]:
    """A copy of it for one test."""
    root = tmp_path / "clone"
    shutil.copytree(original.checkout.root, root, symlinks=True, copy_function=link_large)
    original.index.releases = list(RELEASES)
    original.index.instead = {}
    yield Prepared(checkout=Checkout(root=root, environment=original.checkout.environment), index=original.index)
    shutil.rmtree(root, ignore_errors=True)


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
