"""Text files have LF line ends on every machine: they are built into images byte for byte."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@index.example", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_clone_with_autocrlf_has_lf_in_what_goes_into_images(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    for name in (".gitattributes", "image", "dockerfiles", "locks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, origin / name)
    git(origin, "init", "--quiet")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "as here")
    git(tmp_path, "clone", "--quiet", "-c", "core.autocrlf=true", str(origin), str(clone))
    names = git(origin, "ls-files").splitlines()
    assert any(name.startswith("image/scripts/") for name in names)
    assert [name for name in names if b"\r\n" in (clone / name).read_bytes()] == []


def test_every_text_file_is_stored_with_lf() -> None:
    lines = git(ROOT, "ls-files", "--eol").splitlines()
    assert lines, "git lists no files"
    assert [line for line in lines if line.startswith(("i/crlf", "i/mixed"))] == []


def test_generated_files_are_marked() -> None:
    generated = (
        *("docker-bake.hcl", "docs/images.json", "docs/images.md", "docs/matrix.md", "matrix.schema.json"),
        *("requirements.txt", "tests/browser/requirements.txt", "tests/examples/requirements.txt"),
        *("dockerfiles/x/Dockerfile", "environments/x.yaml", "locks/base/x.txt"),
    )
    marked = git(ROOT, "check-attr", "linguist-generated", *generated).splitlines()
    assert marked == [f"{name}: linguist-generated: set" for name in generated]
    by_hand = git(ROOT, "check-attr", "linguist-generated", "image/scripts/setup-base", "matrix.yaml").splitlines()
    assert all(line.endswith(": unspecified") for line in by_hand)
