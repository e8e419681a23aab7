"""Extra wheel sources: which packages of a lock come from them, and which from the default index instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.checkout.project import Project
from build.images.image import make_image
from build.locks.lock import Lock, LockedPackage, path, platform, to_text
from build.locks.make import may_be_replaced
from build.locks.store import LockStore
from build.matrix.reader import load
from build.packages import wheel_sources
from build.paths import Paths, tool
from build.variants.expand import expand

MATRIX = """\
project: {namespace: azureml, vendor: v, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [pip>=24.0]}
axes: {base: [ubuntu18.04], device: [cpu]}
bases:
  ubuntu18.04: {title: U, os: ubuntu18.04, python: "3.7", glibc: "2.27", bootstrap: {suite: bionic}}
wheel-sources:
  cpu: {index: "http://127.0.0.1:9/simple", packages: [torch], where-not-reached: default-index}
frameworks:
  pytorch:
    title: PyTorch
    wheel-source: cpu
    versions:
      "1.7": {contract: [PIN]}
"""
FROM_SOURCE, FROM_INDEX = {"pip": "24.0", "torch": "1.7.1+cpu"}, {"pip": "24.0", "torch": "1.7.1"}


def checkout(folder: Path, *, pin: str = "torch==1.7.1", fallback: bool = True) -> Project:
    text = MATRIX.replace("PIN", pin)
    (folder / "matrix.yaml").write_text(text if fallback else text.replace(", where-not-reached: default-index", ""))
    loaded = load(folder / "matrix.yaml")
    return Project(tool=tool(), paths=Paths(root=folder), loaded=loaded, variants=expand(loaded))


def lock(checkout: Project, versions: dict[str, str]) -> Lock:
    [variant] = checkout.variants
    made = Lock(
        title=variant.name,
        python="3.7",
        platform=platform("2.27"),
        exclude_newer="2026-11-19",
        requirements=variant.requirements,
        packages=tuple(
            LockedPackage(name=name, version=version, sha256="a" * 64, filename=f"{name}.whl", size=None)
            for name, version in versions.items()
        ),
    )
    file = path(checkout.paths.locks, variant.base_name, variant.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(to_text(made))
    return made


@pytest.mark.parametrize(
    ("fallback", "versions", "needed", "replaced"),
    [
        (True, FROM_SOURCE, {"cpu": ["torch==1.7.1+cpu"]}, ()),
        (True, FROM_INDEX, {}, ("torch",)),
        (False, FROM_INDEX, {"cpu": ["torch==1.7.1"]}, ()),  # a company's own wheel of the same version
    ],
)
def test_a_lock_tells_which_packages_come_from_a_source(
    tmp_path: Path, fallback: bool, versions: dict[str, str], needed: dict[str, list[str]], replaced: tuple[str, ...]
) -> None:
    here = checkout(tmp_path, fallback=fallback)
    [variant] = here.variants
    assert wheel_sources.needed(variant, versions) == needed
    assert wheel_sources.replaced(variant, versions) == replaced
    made = make_image(variant, lock(here, versions), lock(here, {"pip": "24.0"}))
    assert set(made.wheel_sources) == set(needed)


def replaceable(here: Project) -> bool:
    [variant] = here.variants
    [(source, wanted)] = wheel_sources.needed(variant).items()
    return may_be_replaced(here.matrix, LockStore(paths=here.paths), variant, source, wanted)


def test_the_default_index_replaces_a_source_if_the_matrix_allows_it(tmp_path: Path) -> None:
    assert replaceable(checkout(tmp_path))
    assert not replaceable(checkout(tmp_path, fallback=False))
    assert not replaceable(checkout(tmp_path, pin="torch==1.7.1+cpu")), "no public index has a local version"


def test_a_lock_made_with_the_source_is_kept(tmp_path: Path) -> None:
    here = checkout(tmp_path)
    lock(here, FROM_INDEX)
    assert replaceable(here)
    lock(here, FROM_SOURCE)
    assert not replaceable(here)
    assert replaceable(checkout(tmp_path, pin="torch==1.6.0")), "the matrix requires another version now"
