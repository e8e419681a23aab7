"""What must not be in an image. What must be in a GPU image is in test_image_cuda.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from image_plan import Image, applies

#: Percent of the modules that may lack bytecode: packages contain templates that are not valid Python.
MISSING_BYTECODE_PERCENT = 2


def test_no_compilers(files: dict[str, Any]) -> None:
    assert not files["compilers"], f"compilers: {', '.join(files['compilers'])}"


def test_no_package_caches(files: dict[str, Any]) -> None:
    assert not files["package_caches"], f"package caches: {', '.join(files['package_caches'][:3])}"


def test_no_build_secrets(files: dict[str, Any]) -> None:
    assert not files["secrets"], f"in /run/secrets: {', '.join(files['secrets'])}"


def test_certificates_are_those_of_debian(files: dict[str, Any]) -> None:
    """A build behind a TLS-inspecting proxy must not leave the proxy's certificate in images that others use."""
    certificates = files["certificates"]
    assert certificates["trusted"] > 0, "no certificate is trusted"
    assert not certificates["added"], f"{certificates['added']} trusted certificates are not from Debian's package"
    assert not certificates["missing"], f"{certificates['missing']} certificates of Debian's package are not trusted"
    assert not certificates["changed"], f"differ from Debian's package: {', '.join(certificates['changed'])}"
    assert not certificates["local"], f"certificates of the build machine: {', '.join(certificates['local'])}"


@applies(lambda image: image.device == "cpu")
def test_no_cuda_libraries_in_a_cpu_image(image: Image, files: dict[str, Any]) -> None:
    libraries = files["cuda_libraries"]
    inside = [path for path in libraries if part_of(path, image.from_default_index)]
    others = [path for path in libraries if path not in inside]
    assert not others, f"CUDA libraries in a CPU image: {', '.join(others[:3])}"
    if inside:
        pytest.skip(
            f"{', '.join(image.from_default_index)} comes from the default index, with CUDA: the wheel source with "
            f"the CPU build could not be reached when it was locked ({len(inside)} CUDA libraries in it)"
        )


def part_of(path: str, distributions: Iterable[str]) -> bool:
    """Tell whether a file is in the folder of one of these distributions."""
    return any(f"/site-packages/{name.replace('-', '_')}/" in path for name in distributions)


@applies(lambda image: image.device == "cpu")
def test_no_cuda_distributions_in_a_cpu_image(image: Image, seen: dict[str, Any]) -> None:
    names = [name for name, _ in seen["distributions"] if name.startswith(("nvidia-", "cuda-"))]
    assert not names, f"CUDA distributions in a CPU image: {', '.join(names)}"


def test_bytecode_is_up_to_date(files: dict[str, Any]) -> None:
    """Python loads each module's bytecode without compiling or hashing: otherwise every container starts slower."""
    bytecode = files["bytecode"]
    stale = ", ".join(bytecode["stale"][:3])
    assert not stale, f"outdated bytecode, which is compiled again at each start: {stale}"
    hashed = ", ".join(bytecode["hashed"][:3])
    assert not hashed, f"bytecode checked by hash, so that each start reads and hashes the source: {hashed}"
    percent = 100 * bytecode["missing"] / bytecode["modules"]
    some = ", ".join(bytecode["some_missing"][:3])
    assert percent <= MISSING_BYTECODE_PERCENT, f"{percent:.0f} % of the modules have no bytecode: {some}"
