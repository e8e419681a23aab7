"""A small repository that keeps a matrix and locks alone, and is built with the tool of this checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from build.matrix.values import NO_VERSION
from build.paths import Paths
from tests.conftest import ROOT
from tests.pipeline.rows import BASE_NAME, MINIMAL, PROJECT, SKLEARN

#: Its images, two cheap ones on one base. With less disk than a base needs, each is a shard of its own.
IMAGES = (MINIMAL, SKLEARN)
DISK = "1"
#: What `nox -s generate` writes and the repository does not keep.
IGNORED = (".pipeline/", "dockerfiles/", "docs/", "environments/", "docker-bake.hcl", "image", "matrix.schema.json")


def image_names() -> list[str]:
    """Return the names of its images, in the order of the matrix."""
    return [variant.name for variant in PROJECT.variants if variant.name in IMAGES]


def make(root: Path) -> Paths:
    """Make the repository, with one commit."""
    shutil.copytree(ROOT / "locks" / BASE_NAME, root / "locks" / BASE_NAME, ignore=_all_but_locks)
    shutil.copy(ROOT / "locks/tools.txt", root / "locks")
    matrix: dict[str, Any] = yaml.safe_load((ROOT / "matrix.yaml").read_text(encoding="utf-8"))
    matrix["axes"]["base"] = [BASE_NAME]
    matrix["bases"] = {BASE_NAME: matrix["bases"][BASE_NAME]}
    variants = [PROJECT.variant(name) for name in IMAGES]
    matrix["frameworks"] = {each.framework: matrix["frameworks"][each.framework] for each in variants}
    for each in variants:
        versions = matrix["frameworks"][each.framework]["versions"]
        key = each.version or NO_VERSION
        matrix["frameworks"][each.framework]["versions"] = {key: {**versions[key], "devices": ["cpu"]}}
    matrix["groups"] = {"default": ["*"]}
    locked = {
        f"{package}=={version}"
        for name in image_names()
        for package, version in PROJECT.lock(PROJECT.variant(name)).versions().items()
    }
    matrix["patches"] = [each for each in matrix["patches"] if each["distribution"] in locked]
    for key in ("cuda", "include", "exclude", "wheel-sources"):
        matrix.pop(key, None)
    (root / "matrix.yaml").write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    (root / ".gitignore").write_text("".join(f"/{path}\n" for path in IGNORED), encoding="utf-8")
    identity = ("-c", "user.name=one", "-c", "user.email=one@localhost")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=a commit"]):
        subprocess.run(["git", *identity, *command], cwd=root, check=True)
    return Paths(root=root)


def clone(paths: Paths, target: Path) -> Paths:
    """Clone it, as a job does."""
    subprocess.run(["git", "clone", "--quiet", str(paths.root), str(target)], check=True)
    return Paths(root=target)


def _all_but_locks(folder: str, names: list[str]) -> set[str]:
    """Leave out the locks of images that it does not have."""
    others = {f"{variant.name}.txt" for variant in PROJECT.variants} - {f"{name}.txt" for name in image_names()}
    return others & set(names)
