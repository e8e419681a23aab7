"""The plan as a person and a program read it."""

from __future__ import annotations

import json

import pytest

from build.bases.published_note import PublishedRootfs
from build.bases.rootfs_image import RootfsImage
from build.errors import PipelineError, RegistryError
from build.matrix.values import Compression
from build.plan import output
from build.plan.plan import Plan
from build.plan.shards import Shard
from build.plan.states import Blocked, State, ToBuild, ToTest, Unknown
from build.registry.address import Registry

BASE = PublishedRootfs(
    image=RootfsImage(base_name="debian12", lock="0" * 64, diff_id="sha256:1", packages=("libc6=2.36-10",)),
    digest="sha256:2",
)


def plan(
    *states: State,
    is_running: bool = True,
    not_in_matrix: tuple[str, ...] = (),
    differences: tuple[str, ...] = (),
    compression: Compression | None = None,
) -> Plan:
    return Plan(
        registry=Registry(host="registry.example", namespace="team"),
        is_running=is_running,
        release=None,
        states=states,
        questions={},
        not_in_matrix=not_in_matrix,
        bases={"debian12": BASE},
        base_differences={"debian12": differences} if differences else {},
        bytes=2_000_000,
        compression=compression,
    )


STATES = (
    ToBuild(name="a", reason="it is not published yet"),
    ToBuild(name="b", reason="it is not published yet"),
    ToTest(name="c", digest="sha256:1", ids=frozenset(), reason="it has no report of today's tests"),
    Blocked(name="d", why=PipelineError("it has | no <lock>", where="locks/d.txt", fix="nox -s lock")),
    Unknown(name="e", why=RegistryError("the registry failed")),
)


def test_the_totals_are_one_line() -> None:
    assert output.totals(plan(*STATES)) == (
        "5 images: 2 to build (about 2.0 MB of packages), 1 to test, 1 blocked, 1 unknown; "
        "release unknown at registry.example/team"
    )
    assert (
        output.totals(plan(STATES[2], is_running=False)) == "1 image: 1 to test; not running at registry.example/team"
    )


def test_each_reason_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_plan(plan(*STATES, not_in_matrix=("gone",)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["image", "plan"]
    assert "to build: it is not published yet: a, b" in lines
    assert "blocked: it has | no <lock> (locks/d.txt); nox -s lock: d" in lines
    assert any("not in the matrix: gone" in line for line in lines)


def test_published_images_of_another_compression_stay_so_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def published(name: str, compression: str) -> ToTest:
        return ToTest(name=name, digest="sha256:1", ids=frozenset(), compression=compression)

    states = [published("a", "zstd"), published("b", "gzip"), published("c", "zstd"), published("d", "")]
    output.print_plan(plan(*states, compression="gzip"))
    line = (
        "matrix.yaml chooses gzip layers for registry.example/team; the images that it has with zstd layers stay so "
        "(docs/registries.md#compression): a, c"
    )
    assert line in capsys.readouterr().out.splitlines()
    assert line in output.to_markdown(plan(*states, compression="gzip"))
    assert [row.get("compression") for row in json.loads(output.to_json(plan(*states), []))["images"]][:2] == [
        "zstd",
        "gzip",
    ]
    assert output.compression_lines(plan(*states)) == [], "a registry without an entry"


def test_the_markdown_has_a_row_for_each_image_with_work() -> None:
    text = output.to_markdown(plan(*STATES))
    assert "| a | to build | it is not published yet |" in text
    assert "| d | blocked | it has \\| no &lt;lock> (locks/d.txt); nox -s lock |" in text
    assert output.to_markdown(plan()).count("\n") == 1, "a table without rows"


def test_a_base_that_differs_from_its_lock_is_named_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    made = plan(differences=("libc6 2.36-9 -> 2.36-10",))
    line = "the base debian12 in the registry differs from its lock in 1 Debian package: libc6 2.36-9 -> 2.36-10"
    output.print_plan(made)
    assert line in capsys.readouterr().out.splitlines()
    assert line in output.to_markdown(made)
    assert json.loads(output.to_json(made, ()))["bases"] == {
        "debian12": {"digest": "sha256:2", "lock": "0" * 64, "differences": ["libc6 2.36-9 -> 2.36-10"]}
    }


def test_the_json_has_everything() -> None:
    divided = tuple(
        Shard(number=one, count=2, division="1f2e", images=names, bytes=5)
        for one, names in ((1, ("a", "e")), (2, ("x",)))
    )
    content = json.loads(output.to_json(plan(*STATES), divided))
    assert [row["plan"] for row in content["images"]] == ["to build", "to build", "to test", "blocked", "unknown"]
    assert (content["release"], content["bytes"]) == (None, 2_000_000)
    assert content["shards"] == [
        {"id": "1/2-1f2e", "images": ["a", "e"], "bytes": 5, "work": True},
        {"id": "2/2-1f2e", "images": ["x"], "bytes": 5, "work": False},
    ]
