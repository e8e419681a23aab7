"""Patches of installed packages: which layers get them, and the script that applies them as a builder stage runs it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from build.errors import MatrixError
from build.images import patches
from build.images.layers import group
from build.locks.lock import Lock, LockedPackage
from build.matrix.model import Patch
from build.matrix.reader import load
from tests.conftest import ROOT
from tests.unit.fixture_project import PROJECT

SCRIPT = ROOT / "image/scripts/patch-layer"
PATCH = Patch(
    distribution="Pandas==0.25.1",
    file="pandas/cast.py",
    find="isinstance(dtype, x)",
    replace="isinstance(dtype, (x, type))",
    reason="numpy 1.20 needs it",
)


def package(name: str, version: str = "1.0", size: int = 1000) -> LockedPackage:
    return LockedPackage(name=name, version=version, sha256="c" * 64, filename=f"{name}.whl", size=size)


def lock(*packages: LockedPackage) -> Lock:
    return Lock(title="x", python="3.7", platform="p", exclude_newer="2026-11-19", requirements=(), packages=packages)


def layer_names(*packages: LockedPackage, patch: Patch = PATCH) -> list[str]:
    return [layer.name for layer in group(lock(*packages), lock(), patches=[patch])]


def test_exactly_this_version_is_patched_and_no_other() -> None:
    assert patches.of([package("pandas", "0.25.1"), package("numpy")], [PATCH]) == (PATCH,)
    assert patches.of([package("pandas", "0.25.3"), package("pandas-stubs", "0.25.1")], [PATCH]) == ()


def test_the_name_of_a_layer_depends_on_its_patches_and_not_on_their_reasons() -> None:
    heavy = package("pandas", "0.25.1", size=10_000_000)
    small = package("pandas", "0.25.1")
    other = PATCH.model_copy(update={"replace": "isinstance(dtype, y)"})
    reworded = PATCH.model_copy(update={"reason": "in other words"})
    for packages in ([heavy], [small, package("six")]):
        patched = layer_names(*packages)
        unpatched = [layer.name for layer in group(lock(*packages), lock())]
        assert patched != unpatched
        assert layer_names(*packages, patch=other) not in (patched, unpatched)
        assert layer_names(*packages, patch=reworded) == patched
    assert layer_names(heavy)[0].startswith("pandas-0.25.1-patched-")


def test_a_patch_that_matches_no_lock_is_an_error_with_the_versions_in_the_locks(tmp_path: Path) -> None:
    text = PROJECT.paths.matrix.read_text(encoding="utf-8")
    before, _, after = text.partition("patches:\n")
    entry = "  - {distribution: pandas==0.25.9, file: a.py, find: x, replace: y, reason: to try it out}\n"
    (tmp_path / "matrix.yaml").write_text(f"{before}patches:\n{entry}{after}", encoding="utf-8")
    loaded = load(tmp_path / "matrix.yaml")
    named = [patches.distribution(patch) for patch in loaded.matrix.patches[1:]]
    others = [package(name, str(version)) for name, version in named]
    with pytest.raises(MatrixError) as failed:
        patches.check_used(loaded, [package("pandas", "1.1.5"), package("pandas", "0.25.1"), *others])
    assert failed.value.what == "this patch matches nothing: no lock has pandas==0.25.9"
    assert f"matrix.yaml:{before.count(chr(10)) + 2}" in str(failed.value.where)
    assert "the locks have pandas 0.25.1, 1.1.5" in str(failed.value.fix)
    patches.check_used(loaded, [package("pandas", "0.25.9"), *others])


def digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with one distribution, as an installer leaves it."""
    library = tmp_path / "layer/lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    (library / "pandas").mkdir(parents=True)
    (library / "pandas-0.25.1.dist-info").mkdir()
    content = b"def cast(dtype):\n    return isinstance(dtype, x)\n"
    (library / "pandas/cast.py").write_bytes(content)
    (library / "pandas-0.25.1.dist-info/RECORD").write_text(
        f'pandas/cast.py,{digest(content)},{len(content)}\n"pandas/a,b.py",sha256=x,1\npandas-0.25.1.dist-info/RECORD,,\n'
    )
    return library


def apply(layer: Path, *wanted: Patch) -> subprocess.CompletedProcess[str]:
    file = layer.parents[2] / "patches.json"
    file.write_text(patches.to_text(wanted), encoding="utf-8")
    return subprocess.run([sys.executable, SCRIPT, layer.parents[2], file], capture_output=True, text=True, check=False)


def test_a_file_is_edited_and_record_has_its_new_hash_and_size(layer: Path) -> None:
    done = apply(layer, PATCH)
    assert done.returncode == 0, done.stderr
    content = (layer / "pandas/cast.py").read_bytes()
    assert content == b"def cast(dtype):\n    return isinstance(dtype, (x, type))\n"
    assert (layer / "pandas-0.25.1.dist-info/RECORD").read_text().splitlines() == [
        f"pandas/cast.py,{digest(content)},{len(content)}",
        '"pandas/a,b.py",sha256=x,1',
        "pandas-0.25.1.dist-info/RECORD,,",
    ]


def test_patches_of_one_file_are_applied_in_order(layer: Path) -> None:
    second = PATCH.model_copy(update={"find": "(x, type)", "replace": "(x, type, int)"})
    assert apply(layer, PATCH, second).returncode == 0
    assert "isinstance(dtype, (x, type, int))" in (layer / "pandas/cast.py").read_text()
    assert apply(layer, second).returncode == 1, "it found a text that it had replaced"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"find": "isinstance(dtype, y)"}, "pandas/cast.py has its text 0 times, not once"),
        ({"find": "dtype"}, "pandas/cast.py has its text 2 times, not once"),
        ({"file": "pandas/../../outside.py"}, "Pandas==0.25.1 has no file pandas/../../outside.py"),
        ({"distribution": "pandas==0.25.2"}, "the layer has no pandas==0.25.2"),
    ],
    ids=["not there", "twice", "another file", "another version"],
)
def test_a_patch_that_does_not_fit_changes_nothing_and_gives_its_reason(
    layer: Path, changed: dict[str, str], message: str
) -> None:
    before = {file: file.read_bytes() for file in layer.rglob("*") if file.is_file()}
    done = apply(layer, PATCH.model_copy(update=changed))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Its reason: numpy 1.20 needs it" in done.stderr
    assert "Traceback" not in done.stderr
    assert {file: file.read_bytes() for file in layer.rglob("*") if file.is_file()} == before


def test_the_file_of_patches_names_the_command_that_makes_it() -> None:
    content = json.loads(patches.to_text([PATCH]))
    assert "nox -s generate" in content["generated"]
    assert content["patches"][0]["reason"] == PATCH.reason
