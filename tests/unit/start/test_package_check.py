"""Packages that a user adds and with which the server does not work: how that is noticed and explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import packaging
import pytest

from tests.unit.start.start_modules import module

SERVER = "azureml-inference-server-http"


def install(folder: Path, name: str, version: str, *requirements: str) -> None:
    """Put the metadata of a distribution into a folder."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {one}" for one in requirements), ""]))


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The image's packages: the server, two that it needs, and pip with these tests' `packaging`."""
    folder = tmp_path / "image"
    install(folder, SERVER, "1.5.1", "flask~=3.1.0", 'old<1; sys_platform == "win32"', "Type_Ext[fast]>=4")
    install(folder, "flask", "3.1.3", "werkzeug>=3")
    install(folder, "werkzeug", "3.1.9")
    install(folder, "type-ext", "4.16", 'flask>=3; extra == "fast"')
    vendored = folder / "pip/_vendor"
    vendored.mkdir(parents=True)
    (folder / "pip/__init__.py").touch()
    (vendored / "__init__.py").touch()
    (vendored / "packaging").symlink_to(packaging.__path__[0])
    for name in [name for name in sys.modules if name.partition(".")[0] == "pip"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("flask", "1.0", f"flask 1.0, but {SERVER} 1.5.1 needs flask~=3.1.0"),
        ("werkzeug", "2.3", "werkzeug 2.3, but flask 3.1.3 needs werkzeug>=3"),
        ("type.ext", "3.0", f"type-ext 3.0, but {SERVER} 1.5.1 needs type-ext>=4"),
    ],
)
def test_a_version_out_of_range_is_named(image: Path, tmp_path: Path, name: str, version: str, expected: str) -> None:
    folder = tmp_path / "lib"
    install(folder, name, version)
    found = list(module("package_check").conflicts([str(folder)]))
    assert [str(one) for one in found][:1] == [expected]
    assert Path(found[0].folder) == folder


def test_versions_in_range_are_no_conflict(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    install(folder, "flask", "3.1.9", "werkzeug>=3")
    install(folder, "numpy", "1.0", "flask<1")  # not one of the server's
    assert not list(module("package_check").conflicts([str(folder)]))


@pytest.mark.parametrize("entry", ["_pytest", "typing.py", "json", "pluggy/__init__.py"])
def test_a_folder_with_a_known_module_overlaps(tmp_path: Path, entry: str) -> None:
    path = tmp_path / entry
    path.parent.mkdir(exist_ok=True)
    path.touch() if path.suffix else path.mkdir()
    assert module("package_check").overlaps(str(tmp_path))


def test_a_folder_of_other_modules_does_not(tmp_path: Path) -> None:
    for name in ("mine.py", "README.md", "bin", "__pycache__", "pytest-1.0.dist-info", "json.txt"):
        (tmp_path / name).mkdir()
    assert not module("package_check").overlaps(str(tmp_path))


def test_the_innermost_file_of_the_folder_is_found(tmp_path: Path) -> None:
    """In the traceback that Python prints; or in the message, or by a name there."""
    (tmp_path / "half").mkdir()
    (tmp_path / "half/__init__.py").write_text("import half.missing\n")
    (tmp_path / "plain.py").touch()
    check = module("package_check")
    for code, expected in (
        ("import half", "half/__init__.py"),
        ("from plain import x", "plain.py"),
        ("import plain.x", "plain.py"),
    ):
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
        traceback = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False).stderr.strip()
        file = check._file_in([str(tmp_path)], traceback, traceback.rpartition("\n")[2])
        assert file == str(tmp_path / expected), code


PIP = """\
Collecting azureml-inference-server-http==0.8.4.2
INFO: pip is looking at multiple versions of x to determine which version is compatible.

The conflict is caused by:
    {demand}
    The user requested (constraint) flask>=0.9,~=3.1.0

To fix this you could try to:
"""


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        ("The user requested Flask==1.0", "it asks for Flask==1.0, but the server needs flask>=0.9,~=3.1.0 (a 1, b 2)"),
        (
            "x 0.8 depends on flask<2",
            "it asks for x 0.8, which needs flask<2, but the server needs flask>=0.9,~=3.1.0 (a 1, b 2)",
        ),
        ("The user requested other==1.0", ""),
    ],
)
def test_what_pip_reports_of_a_constraint(tmp_path: Path, demand: str, expected: str) -> None:
    constraints = tmp_path / "server-constraints.txt"
    constraints.write_text("# a header\nflask-cors~=6.0  # a 1\nflask>=0.9,~=3.1.0  # a 1, b 2\n")
    lines = PIP.format(demand=demand).splitlines(keepends=True)
    assert module("extra_packages")._conflict(lines, str(constraints)) == expected


def test_constraints_of_the_user_are_not_explained(tmp_path: Path) -> None:
    lines = PIP.format(demand="The user requested flask==1.0").splitlines(keepends=True)
    assert module("extra_packages")._conflict(lines, str(tmp_path / "none.txt")) == ""
