"""What must not be in an image; test_image_cuda.py has what must be in a GPU image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from image_plan import Image, applies

#: Of a hundred modules, how many may lack bytecode: packages ship templates that are no valid Python.
MISSING_BYTECODE_PERCENT = 2


def test_no_compilers(files: dict[str, Any]) -> None:
    assert not files["compilers"], f"compilers: {', '.join(files['compilers'])}"


def test_no_package_caches(files: dict[str, Any]) -> None:
    assert not files["package_caches"], f"package caches: {', '.join(files['package_caches'][:3])}"


def test_no_build_secrets(files: dict[str, Any]) -> None:
    assert not files["secrets"], f"in /run/secrets: {', '.join(files['secrets'])}"


def test_certificates_are_debians(files: dict[str, Any]) -> None:
    """A builder behind a TLS-inspecting proxy must leave no certificate of it in what others trust."""
    found = files["certificates"]
    assert found["trusted"] > 0, "no certificate is trusted"
    assert not found["added"], f"{found['added']} trusted certificates are not of Debian's package"
    assert not found["missing"], f"{found['missing']} certificates of Debian's package are not trusted"
    assert not found["changed"], f"not as in Debian's package: {', '.join(found['changed'])}"
    assert not found["local"], f"certificates of the builder: {', '.join(found['local'])}"


@applies(lambda image: image.device == "cpu")
def test_no_cuda_libraries_in_a_cpu_image(image: Image, files: dict[str, Any]) -> None:
    libraries = files["cuda_libraries"]
    inside = [path for path in libraries if part_of(path, image.from_default_index)]
    others = [path for path in libraries if path not in inside]
    assert not others, f"CUDA libraries in a CPU image: {', '.join(others[:3])}"
    if inside:
        pytest.skip(
            f"{', '.join(image.from_default_index)} is the default index's build, with CUDA: the wheel source that "
            f"has it for CPUs was not reached when it was locked ({len(inside)} CUDA libraries inside it)"
        )


def part_of(path: str, distributions: Iterable[str]) -> bool:
    """Whether a file lies in the folder of one of these distributions."""
    return any(f"/site-packages/{name.replace('-', '_')}/" in path for name in distributions)


@applies(lambda image: image.device == "cpu")
def test_no_cuda_distributions_in_a_cpu_image(image: Image, seen: dict[str, Any]) -> None:
    found = [name for name, _ in seen["distributions"] if name.startswith(("nvidia-", "cuda-"))]
    assert not found, f"CUDA distributions in a CPU image: {', '.join(found)}"


def test_bytecode_is_ready(files: dict[str, Any]) -> None:
    """Python takes each module's compiled form as it is: else every start of a container pays for it."""
    found = files["bytecode"]
    assert not found["stale"], f"bytecode out of date, compiled at each start: {', '.join(found['stale'][:3])}"
    hashed = ", ".join(found["hashed"][:3])
    assert not hashed, f"bytecode checked by hash, so that each start reads and hashes the source: {hashed}"
    percent = 100 * found["missing"] / found["modules"]
    some = ", ".join(found["some_missing"][:3])
    assert percent <= MISSING_BYTECODE_PERCENT, f"{percent:.0f} % of the modules have no bytecode: {some}"
