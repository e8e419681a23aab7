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
