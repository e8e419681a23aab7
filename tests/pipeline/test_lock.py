"""`nox -s lock` with an index on this machine: an image that cannot be locked stops no other one."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.small_project import DEMO12, DEMO13, MATRIX, NEW, OLD, Prepared, release
from tests.pipeline.test_impossible_cells import line_of
from tests.unit.http_servers import Answer

OTHER12, OTHER13 = "other-2-debian12-py311-cpu-inference", "other-2-debian13-py313-cpu-inference"
STAYS = "stays-3-debian13-py313-cpu-inference"


#: Demo takes a newer release, which can be locked; the resolver fails for one framework, the index lacks the other pin.
MATRIX_WITH_FAULTS = (
    MATRIX.replace("'demo==1.0.0'", "'demo==1.0.1'")
    .replace("[other==2.0.0]", "[other==2.0.1]")
    .replace("[stays==3.0.0]", "[stays==9.9]")
    .replace("exclude-newer: 2026-11-02", "exclude-newer: 2026-11-20")
    + '  added: {title: Added, versions: {"1": {contract: [other==2.0.0, tinylib>=5], bases: [debian13-py313]}}}\n'
)
ADDED = "added-1-debian13-py313-cpu-inference"


def test_images_that_cannot_be_locked_stop_no_other_image(prepared: Prepared) -> None:
    checkout = prepared.checkout
    prepared.index.releases.append(release("other", "2.0.1", NEW, "tinylib>=2"))
    locks = checkout.paths.locks
    before = {name: next(locks.rglob(f"{name}.txt")).read_bytes() for name in (OTHER12, OTHER13, STAYS)}
    checkout.paths.matrix.write_text(MATRIX_WITH_FAULTS, encoding="utf-8")

    done = checkout.run("lock", "--json")
    assert done.code == 1, done.text
    done.one_screen()
    content = json.loads(done.out)
    assert set(content["failed"]) == {OTHER12, OTHER13, STAYS, ADDED}
    assert content["failed"][ADDED]["lock"] == "it has no lock"
    assert content["failed"][STAYS]["lock"].startswith("it keeps its lock, which is stale: the requirements")
    assert set(content["written"]) >= {f"locks/debian12-py311/{DEMO12}.txt", f"locks/debian13-py313/{DEMO13}.txt"}
    assert "demo==1.0.1" in next(locks.rglob(f"{DEMO12}.txt")).read_text(encoding="utf-8")
    assert "tinylib==1.1" in next(locks.rglob(f"{DEMO13}.txt")).read_text(encoding="utf-8")
    assert before == {name: next(locks.rglob(f"{name}.txt")).read_bytes() for name in (OTHER12, OTHER13, STAYS)}
    assert not list(locks.rglob(f"{ADDED}.txt"))
    error = " ".join(done.err.replace("|", " ").split())
    assert "error: 4 images cannot be built" in error
    assert f"{line_of(checkout, 'other==2.0.1')} (frameworks.other.versions.2.contract[0])" in error
    assert "there is no stays 9.9" in error and line_of(checkout, "stays==9.9") in error
    assert "all other locks were written" in error
    assert f"{ADDED}: it has no lock" in error

    # `--check` says the same of these images, and that the others are up to date.
    after = prepared.content()
    done = checkout.run("lock", "--check", "--json")
    assert done.code == 1, done.text
    content = json.loads(done.out)
    assert (content["stale"], set(content["failed"])) == ({}, {OTHER12, OTHER13, STAYS, ADDED})
    assert prepared.content() == after

    # The files of the image without a lock are missing; all others are written.
    done = checkout.run("generate")
    assert done.code == 1, done.text
    assert f"1 of 6 images were left out: {ADDED}" in done.one_screen()
    layers = [file.read_text(encoding="utf-8") for file in checkout.paths.dockerfiles.glob("layers/*/*.txt")]
    assert any("demo==1.0.1" in layer for layer in layers)
    assert not list(checkout.root.glob(f"dockerfiles/{ADDED}"))

    # What is stale besides is named, too.
    checkout.edit("matrix.yaml", "'demo==1.0.1'", "'demo==1.0.0'")
    done = checkout.run("lock", "--check")
    assert done.code == 1, done.text
    assert f"2 of 5 locks are stale (locks/debian12-py311/{DEMO12}.txt" in " ".join(done.err.split())
    assert "4 images cannot be built" in done.err


def test_a_base_whose_images_all_fail_keeps_all_of_its_locks(prepared: Prepared) -> None:
    checkout = prepared.checkout
    both = "\"tinyserver==1.0.1; python_version >= '3.12'\", \"tinyserver==7; python_version < '3.12'\""
    checkout.edit("matrix.yaml", "[tinyserver==1.0.0]", f"[{both}]")
    checkout.edit("matrix.yaml", "exclude-newer: 2026-11-02", "exclude-newer: 2026-11-20")
    folder = checkout.paths.locks / "debian12-py311"
    before = {file: file.read_bytes() for file in folder.glob("*")}
    done = checkout.run("lock")
    assert done.code == 1, done.text
    assert "there is no tinyserver 7" in done.one_screen()
    assert before == {file: file.read_bytes() for file in folder.glob("*")}
    server = checkout.paths.locks / "debian13-py313/server.txt"
    assert "tinyserver==1.0.1" in server.read_text(encoding="utf-8")


def test_a_base_whose_wheel_source_is_not_reached_keeps_all_of_its_locks(prepared: Prepared) -> None:
    checkout = prepared.checkout
    source = "wheel-sources: {company: {directory: no-wheels-here, packages: [other]}}\n"
    of_other = (
        '  other: {title: Other, wheel-source: company, versions: {"2": {bases: [BASE], contract: [other==2.0.0]}}}\n'
    )
    text = MATRIX.partition("frameworks:\n")[0] + source + "frameworks:\n" + of_other.replace("BASE", "debian12-py311")
    text += '  stays: {title: Stays, versions: {"3": {bases: [debian13-py313], contract: [stays==3.0.1]}}}\n'
    checkout.paths.matrix.write_text(text.replace("2026-11-02", "2026-11-20"), encoding="utf-8")
    folder = checkout.paths.locks / "debian12-py311"
    before = {file.name: file.read_bytes() for file in folder.glob("*") if not file.name.startswith("demo")}
    done = checkout.run("lock")
    assert done.code == 0, done.text
    assert f"{OTHER12} keeps its lock" in done.err
    assert before == {file.name: file.read_bytes() for file in folder.glob("*")}


def test_nothing_is_written_if_no_image_can_be_locked(prepared: Prepared) -> None:
    checkout = prepared.checkout
    checkout.edit("matrix.yaml", "[tinyserver==1.0.0]", "[tinyserver==7]")
    before = prepared.content()
    done = checkout.run("lock")
    assert done.code == 1, done.text
    assert "nothing was written" in done.one_screen()
    assert prepared.content() == before


@pytest.mark.thorough
def test_an_index_that_fails_after_an_image_did_leaves_every_lock(prepared: Prepared) -> None:
    checkout = prepared.checkout
    checkout.paths.matrix.write_text(MATRIX_WITH_FAULTS, encoding="utf-8")
    prepared.index.releases.append(release("other", "2.0.1", NEW, "tinylib>=2"))
    prepared.index.instead = {"/files/uv-": Answer(drop=True)}  # looked up last, once the rest is resolved
    before = prepared.content()
    done = checkout.run("lock")
    assert done.code == 6, done.text
    assert prepared.content() == before


@pytest.mark.thorough
def test_an_image_with_another_cuda_version_than_its_frameworks_stops_no_other_image(prepared: Prepared) -> None:
    prepared.index.releases += [
        release("nvidia_cuda_runtime", "13.0.1", OLD),
        release("gpuframework", "5.0.0", OLD, "nvidia-cuda-runtime==13.0.2; extra == 'and-cuda'"),
    ]
    cuda = 'cuda:\n  cuda13.0.1: {version: "13.0.1", packages: [nvidia-cuda-runtime==13.0.1]}\nframeworks:\n'
    gpu = '{title: GPU, versions: {"5": {devices: [cuda13.0.1], contract: [gpuframework==5.0.0]}}}'
    text = MATRIX.replace("frameworks:\n", cuda).replace("tinylib>=1", "tinylib<2") + f"  gpu: {gpu}\n"
    checkout = prepared.checkout
    checkout.paths.matrix.write_text(text, encoding="utf-8")
    done = checkout.run("lock")
    assert done.code == 1, done.text
    error = " ".join(done.one_screen().replace("|", " ").split())
    assert "gpuframework 5.0.0 was built for nvidia-cuda-runtime==13.0.2" in error
    assert f'where: {line_of(checkout, "cuda13.0.1:")} (cuda."cuda13.0.1")' in error
    assert "fix: pin what the framework was built with" in error
    assert "tinylib<2" in next(checkout.paths.locks.rglob(f"{DEMO12}.txt")).read_text(encoding="utf-8")
    assert not list(checkout.paths.locks.rglob("gpu-5-*"))
