"""Packages that exist as source alone: where they are installed, with what, and what that changes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from build.builder import blame
from build.builder.buildx_log import Failure
from build.checkout import project
from build.commands import generated_files as generate
from build.images import layers, recipe
from build.images.dockerfiles import Files
from build.locks import lock as locks
from build.locks.lock import Lock, LockedPackage
from tests.conftest import ROOT
from tests.unit.fixture_project import MINIMAL, PROJECT, SKLEARN, copy_project

CONTESTED = ROOT / "image/scripts/contested-files"
(IMAGE,) = PROJECT.images([PROJECT.variant(MINIMAL)])
WRAPT = LockedPackage(name="wrapt", version="1.12.1", sha256="a" * 64, filename="wrapt-1.12.1.tar.gz", size=27488)
WHEEL = LockedPackage(name="six", version="1.0", sha256="b" * 64, filename="six-1.0-py3-none-any.whl", size=10)
BUILT = layers.Layer(name="rest-1", packages=(WHEEL, WRAPT))


def lock(title: str, *packages: LockedPackage) -> Lock:
    base = PROJECT.matrix.bases["debian12-py311"]
    return Lock(
        title=title,
        python=base.python,
        platform=locks.platform(base.glibc),
        exclude_newer=PROJECT.exclude_newer,
        requirements=(),
        packages=packages,
    )


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """What is generated for one image with a source-only package, on Python 3.11."""
    return Files(
        images=[dataclasses.replace(IMAGE, layers=(BUILT,))],
        matrix=PROJECT.matrix,
        groups={},
        build_locks={"debian12-py311": lock(locks.BUILD, dataclasses.replace(WHEEL, name="setuptools"))},
        cuda_base_images={},
        templates=ROOT / "image/templates",
    ).render()


@pytest.mark.parametrize(
    ("filename", "source"),
    [("wrapt-1.12.1.tar.gz", True), ("a-1.zip", True), ("a-1-py3-none-any.whl", False), ("", False)],
)
def test_a_package_without_a_wheel_must_be_built(filename: str, source: bool) -> None:
    assert dataclasses.replace(WRAPT, filename=filename).source_only is source


def test_a_layer_with_a_source_package_names_it_for_pip_and_is_installed_in_the_compiler() -> None:
    assert BUILT.stage == "compiler"
    assert BUILT.text.splitlines()[1:] == ["--no-binary wrapt", WHEEL.requirement, WRAPT.requirement]
    without = layers.Layer(name="rest-2", packages=(WHEEL,))
    assert without.stage == "builder"
    assert "--no-binary" not in without.text


def test_the_stage_of_a_source_package_mounts_the_locked_build_requirements(files: dict[str, str]) -> None:
    dockerfile = files[f"dockerfiles/{MINIMAL}/Dockerfile"]
    assert "FROM compiler AS rest-1\n" in dockerfile
    assert "source=layers/debian12-py311/build.txt,target=/build.txt" in dockerfile
    assert "setuptools==1.0 --hash=sha256:" in files["dockerfiles/layers/debian12-py311/build.txt"]


def test_only_bases_with_that_python_have_a_compiler(files: dict[str, str]) -> None:
    made = {path.split("/")[2] for path in files if path.endswith("/compiler.Dockerfile")}
    assert made == {name for name, base in PROJECT.matrix.bases.items() if base.python == "3.11"}
    bake = files["docker-bake.hcl"]
    assert 'target "compiler-debian12-py311" {' in bake
    assert "compiler-debian13-py313" not in bake
    assert 'compiler = "target:compiler-debian12-py311"' in bake


def test_the_compiler_and_the_build_requirements_are_in_the_recipe() -> None:
    def image(**changed: str) -> str:
        inputs = {"dockerfile": "FROM builder\n", "build_requirements": "setuptools==1\n", **changed}
        return recipe.image(
            dockerfile="FROM base\n",
            layers={},
            base=recipe.Recipe(inputs={}),
            builder=recipe.Recipe(inputs={}),
            compiler=recipe.compiler(
                dockerfile=inputs["dockerfile"],
                scripts={"setup-compiler": inputs.get("script", "gcc\n")},
                build_requirements=inputs["build_requirements"],
            ),
        ).digest

    others = [image(dockerfile="FROM x\n"), image(build_requirements="setuptools==2\n"), image(script="g++\n")]
    assert len({image(), *others}) == 4


def test_a_lock_of_build_requirements_is_stale_with_its_base_and_unused_without_source_packages(tmp_path: Path) -> None:
    """`check` asks for locks/<base>/build.txt where a lock of the base has a source archive, and only there."""
    made = copy_project(tmp_path / "project")
    assert generate.drift(project.open_project(made)) == []
    (made.root / "locks/debian12-py311/build.txt").write_text(locks.to_text(lock("build")))
    (found,) = generate.drift(project.open_project(made))
    assert (found.path, found.what) == ("locks/debian12-py311/build.txt", "no image of the matrix has this lock")
    assert found.fix == "nox -s lock generate"
    (made.root / found.path).unlink()
    file = next((made.root / "locks").glob("*/build.txt"))
    file.unlink()
    (missing,) = generate.drift(project.open_project(made))
    assert (missing.path, missing.what) == (str(file.relative_to(made.root)), "it does not exist")


def test_a_compiler_that_fails_fails_every_image_that_needs_it_and_no_other() -> None:
    first = dataclasses.replace(IMAGE, layers=(BUILT,))
    (other,) = PROJECT.images([PROJECT.variant(SKLEARN)])
    second = dataclasses.replace(other, layers=(BUILT, *other.layers))
    images = {"a": first, "b": second, "c": other}
    why = Failure(target="compiler-debian12-py311", stage="compiler", lines="E: no gcc")
    assert blame.failed_targets(why, images) == ["a", "b"]
    assert blame.failed_targets(dataclasses.replace(why, target="b"), images) == ["a", "b"]
    assert "the compiler of its base debian12-py311" in blame.reason(PROJECT, first, why)


def test_distributions_with_different_versions_of_one_file_are_named(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"

    def install(name: str, *rows: str) -> None:
        (library / f"{name}-1.0.dist-info").mkdir(parents=True)
        (library / f"{name}-1.0.dist-info/RECORD").write_text("\n".join([*rows, f"{name}-1.0.dist-info/RECORD,,"]))

    def named() -> list[str]:
        done = subprocess.run([sys.executable, CONTESTED, tmp_path], capture_output=True, text=True, check=True)
        return done.stdout.split()

    install("opencensus", "opencensus/__init__.py,sha256=a,66", "opencensus/x.py,sha256=c,1")
    install("opencensus_context", "opencensus/__init__.py,sha256=a,66", "opencensus/y.py,sha256=d,1")
    install("six", "six.py,sha256=e,1")
    assert named() == [], "the same content from two distributions is the same in any order"
    install("Opencensus_ext.azure", "opencensus/../opencensus/__init__.py,sha256=b,65")
    assert named() == ["opencensus", "opencensus-context", "opencensus-ext-azure"]
