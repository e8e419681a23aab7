"""The script that writes the server's constraints, run on a made-up layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import packaging
import pytest

SCRIPT = Path(__file__).parents[3] / "image/scripts/server-constraints"
SERVER = "azureml-inference-server-http"


def site_packages(environment: Path) -> Path:
    return environment / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"


def install(environment: Path, name: str, version: str, *requirements: str) -> None:
    folder = site_packages(environment) / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requirements), ""]
    (folder / "METADATA").write_text("\n".join(lines))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A layer with the server and its pip, whose `packaging` is that of these tests."""
    vendored = site_packages(tmp_path) / "pip/_vendor"
    vendored.mkdir(parents=True)
    (vendored.parent / "__init__.py").touch()
    (vendored / "__init__.py").touch()
    (vendored / "packaging").symlink_to(packaging.__path__[0])
    return tmp_path


def run(environment: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, environment], capture_output=True, text=True, check=False)


def constraints(environment: Path) -> dict[str, str]:
    """Name → range of the constraints that the script writes."""
    done = run(environment)
    assert done.returncode == 0, done.stderr
    lines = (environment / "server-constraints.txt").read_text().splitlines()
    texts = [line.partition("#")[0].strip() for line in lines if not line.startswith("#")]
    assert texts == sorted(texts)
    return {text.rstrip("0123456789.,<>=~!"): text[len(text.rstrip("0123456789.,<>=~!")) :] for text in texts}


def test_the_ranges_of_all_dependents_are_merged(environment: Path) -> None:
    install(environment, SERVER, "1.0", "Flask~=3.1.0", "a.b>=1", "free")
    install(environment, "flask", "3.1.2", "a-b<3,>=1")
    install(environment, "a_b", "2.0")
    install(environment, "free", "1.0")
    assert constraints(environment) == {"a-b": "<3,>=1", "flask": "~=3.1.0"}


def test_markers_and_extras_are_followed(environment: Path) -> None:
    install(environment, SERVER, "1.0", "a[fast]", 'b<2; sys_platform == "win32"', 'b<3; extra == "dev"')
    install(environment, "a", "1.0", 'c<4; extra == "fast"', 'd<5; extra == "slow"')
    install(environment, "c", "3.0", "a<9")  # a cycle
    for name in ("b", "d"):
        install(environment, name, "1.0")
    assert constraints(environment) == {"a": "<9", "c": "<4"}


def test_packages_that_the_server_does_not_need_are_free(environment: Path) -> None:
    install(environment, SERVER, "1.0", "a<2")
    install(environment, "a", "1.0")
    install(environment, "framework", "1.0", "a<1.5", "numpy<3")
    install(environment, "numpy", "2.0")
    assert constraints(environment) == {"a": "<2"}


def test_pip_reads_the_constraints(environment: Path) -> None:
    install(environment, SERVER, "1.0")
    constraints(environment)
    assert f"constraint = {environment}/server-constraints.txt" in (environment / "pip.conf").read_text()


def test_a_layer_without_the_server_gets_nothing(environment: Path) -> None:
    install(environment, "numpy", "2.0")
    before = sorted(environment.rglob("*"))
    assert run(environment).returncode == 0
    assert sorted(environment.rglob("*")) == before


def test_an_incomplete_layer_is_a_failure(environment: Path) -> None:
    install(environment, SERVER, "1.0", "flask>=3")
    done = run(environment)
    assert done.returncode != 0
    assert f"{SERVER} needs flask>=3" in done.stderr
