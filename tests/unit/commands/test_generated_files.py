"""Generated files: a difference in any byte is reported, and `generate` repairs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.checkout.project import open_project
from build.commands.generated_files import drift, write
from tests.unit.fixture_project import MINIMAL, copy_project


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [(b"\n", b"\r\n", "the line ends differ"), (b"FROM", b"FR\xffM", "line ")],
)
def test_a_difference_in_bytes_is_reported_and_repaired(
    tmp_path: Path, old: bytes, new: bytes, difference: str
) -> None:
    paths = copy_project(tmp_path / "project")
    dockerfile = paths.dockerfiles / MINIMAL / "Dockerfile"
    committed = dockerfile.read_bytes()
    dockerfile.write_bytes(committed.replace(old, new))

    found = {each.path: each.what for each in drift(open_project(paths))}
    path = str(dockerfile.relative_to(paths.root))
    assert difference in found[path]

    assert path in write(open_project(paths))
    assert dockerfile.read_bytes() == committed


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("packages: [ca-certificates, ", "packages: [ca-certificates, less, ", "+less"),
        ("suite: trixie", "suite: forky", "trixie -> forky"),
    ],
)
def test_a_changed_base_is_reported_with_the_command(tmp_path: Path, old: str, new: str, what: str) -> None:
    paths = copy_project(tmp_path / "project")
    text = paths.matrix.read_text(encoding="utf-8")
    assert old in text
    paths.matrix.write_text(text.replace(old, new), encoding="utf-8")
    found = {each.path: each for each in drift(open_project(paths))}
    changed = found["locks/debian13-py313/debian.txt"]
    assert what in changed.what
    assert changed.fix == "nox -s lock"
