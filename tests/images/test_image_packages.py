"""Versions: what the matrix promises, what the lock pins, what is installed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from image_container import Container
from image_plan import Image, applies
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.mark.depends("base")
def test_operating_system(image: Image, files: dict[str, Any]) -> None:
    assert files["os"] == image.os, f"the operating system is {files['os']}, not {image.os}"


@pytest.mark.depends("base")
def test_python(image: Image, seen: dict[str, Any]) -> None:
    assert seen["python"] == image.python, f"Python is {seen['python']}, not {image.python}"


def test_python_is_the_virtual_environment(environment: dict[str, str], seen: dict[str, Any]) -> None:
    promised = environment.get("AZUREML_CONDA_ENVIRONMENT_PATH")
    assert seen["prefix"] == promised, f"Python's environment is {seen['prefix']}, but ENV has {promised}"


def test_commands_come_from_the_virtual_environment(seen: dict[str, Any]) -> None:
    wrong = [
        f"{name}: {path}" for name, path in seen["first_on_path"].items() if path != f"{seen['prefix']}/bin/{name}"
    ]
    assert not wrong, f"first on PATH, but not from {seen['prefix']}: {', '.join(wrong)}"


def test_promised_versions(image: Image, seen: dict[str, Any]) -> None:
    """Each contract pin is installed, by the rules of version specifiers (PEP 440)."""
    installed = dict(seen["distributions"])
    broken = []
    for text in image.contract:
        pin = Requirement(text)
        version = installed.get(canonicalize_name(pin.name))
        if version is None or not pin.specifier.contains(version, prereleases=True):
            broken.append(f"{text} (installed: {version or 'none'})")
    assert image.contract, "the plan promises nothing"
    assert not broken, f"promised, but not installed: {', '.join(broken)}"


def test_installed_set_is_the_lock(image: Image, seen: dict[str, Any]) -> None:
    installed = dict(seen["distributions"])
    missing = [f"{name} {version}" for name, version in image.lock.items() if name not in installed]
    extra = [f"{name} {version}" for name, version in installed.items() if name not in image.lock]
    other = [
        f"{name} {installed[name]} instead of {version}"
        for name, version in image.lock.items()
        if installed.get(name, version) != version
    ]
    difference = [
        f"{title}: {', '.join(sorted(names))}"
        for title, names in (("missing", missing), ("not in the lock", extra), ("other versions", other))
        if names
    ]
    assert not difference, "; ".join(difference)


def test_each_distribution_once(seen: dict[str, Any]) -> None:
    count = Counter(name for name, _ in seen["distributions"])
    twice = sorted(name for name, times in count.items() if times > 1)
    assert not twice, f"installed more than once: {', '.join(twice)}"


def test_pip_check(host: Any) -> None:
    done = host.run("PIP_DISABLE_PIP_VERSION_CHECK=1 pip check")
    assert done.rc == 0, (done.stdout + done.stderr).strip()


def test_each_recorded_file_exists(files: dict[str, Any]) -> None:
    missing = files["missing_from_record"]
    assert not missing, f"listed in RECORD, but not there: {', '.join(missing)}"


def test_no_inventory_of_vendored_packages(files: dict[str, Any]) -> None:
    """Scanners would report its packages, which nobody can import, as installed."""
    found = files["vendored_inventories"]
    assert not found, f"found: {', '.join(found)}"


@applies(lambda image: "wrapt" in image.from_source)
def test_c_extensions_are_compiled(image: Image, container: Container) -> None:
    """wrapt is built from source on Python 3.7, and falls back to slow Python if its C code does not compile."""
    assert container.probe({"accelerated": ()})["accelerated"], "wrapt has no C extension"


@applies(lambda image: image.labels.get("inference-images.patches"))
def test_patched_packages_match_their_record(image: Image, container: Container) -> None:
    """The label lists the patched packages; RECORD has the hash and size of each of their files, patched ones too."""
    patched = image.labels["inference-images.patches"]
    names = [pin.split("==")[0] for pin in patched.split(",")]
    assert [f"{name}=={image.lock.get(name)}" for name in names] == patched.split(",")
    records = container.probe({"records": names})["records"]
    assert records["files"] > 0, "no file was compared"
    assert not records["others"], f"differ from RECORD: {', '.join(records['others'])}"
