"""A Python from a prefix: found, checked, and made an archive that is the same each time."""

from __future__ import annotations

import io
import json
import platform
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from build.bases import prefix, prefix_archive, prefix_files, prefix_pack
from build.bases.prefix import PrefixError, PrefixNotFoundError
from build.bases.prefix_archive import Archive
from build.bases.prefix_files import HEADERS, RUNTIME
from build.bases.prefix_fit import check_fits
from build.matrix.origins import PrefixPython
from build.paths import Paths

#: The Python that runs these tests is a CPython with a prefix, too.
VERSION = platform.python_version()
MINOR = VERSION.rpartition(".")[0]
OWN = Path(sys.base_prefix)


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without pyenv and without uv's Pythons."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.delenv(prefix.VARIABLE, raising=False)
    return tmp_path


def test_a_missing_prefix_is_reported_with_each_place_and_a_fix(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", "/opt/pyenv")
    monkeypatch.setenv(prefix.VARIABLE, "/pythons:/more")
    with pytest.raises(PrefixNotFoundError, match=r"no CPython 3\.12\.1 is on this machine") as failure:
        prefix.find(PrefixPython(version="3.12.1"), nothing_installed)
    assert failure.value.where == (
        f"/pythons/3.12.1, /more/3.12.1, /opt/pyenv/versions/3.12.1, {nothing_installed}/home/.pyenv/versions/3.12.1, "
        f"{nothing_installed}/uv/cpython-3.12.1-linux-x86_64-gnu"
    )
    assert "pyenv install 3.12.1" in str(failure.value.fix)
    assert "uv python install 3.12.1" in str(failure.value.fix)


def test_a_prefix_is_found_by_its_version_in_a_directory_of_the_variable(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pythons = nothing_installed / "pythons"
    pythons.mkdir()
    (pythons / VERSION).symlink_to(OWN)
    monkeypatch.setenv(prefix.VARIABLE, str(pythons))
    assert prefix.find(PrefixPython(version=VERSION), nothing_installed).directory == OWN.resolve()


def test_a_directory_in_the_matrix_is_the_only_one_that_is_searched(nothing_installed: Path) -> None:
    with pytest.raises(PrefixNotFoundError) as failure:
        prefix.find(PrefixPython(version="3.12.1", directory="third-party/python"), nothing_installed)
    assert failure.value.where == f"{nothing_installed}/third-party/python"
    found = prefix.find(PrefixPython(version=VERSION, directory=str(OWN)), nothing_installed)
    assert found.interpreter == OWN / "bin" / f"python{MINOR}"


def test_a_prefix_of_another_version_is_refused() -> None:
    with pytest.raises(PrefixError, match=rf"this is CPython {VERSION}; the matrix asks for CPython {MINOR}\.99"):
        prefix.check(OWN, f"{MINOR}.99")


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests do not run in a virtual environment")
def test_a_virtual_environment_is_not_a_prefix() -> None:
    with pytest.raises(PrefixError, match="a virtual environment"):
        prefix.check(Path(sys.prefix), VERSION)


def test_a_program_for_another_platform_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "python3.12"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 3.12.1\n")
    with pytest.raises(PrefixError, match="not built for Linux on x86-64 with glibc") as failure:
        prefix.check(tmp_path, "3.12.1")
    assert failure.value.where == str(program)
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    with pytest.raises(PrefixError, match="does not run"):
        prefix.check(tmp_path, "3.12.1")


def test_a_link_to_another_python_is_refused_with_the_prefix_of_that_python(tmp_path: Path) -> None:
    link = tmp_path / "bin" / f"python{MINOR}"
    link.parent.mkdir()
    link.symlink_to(OWN / "bin" / f"python{MINOR}")
    with pytest.raises(PrefixError, match="the standard library of this Python is somewhere else") as failure:
        prefix.check(tmp_path, VERSION)
    assert str(OWN.resolve()) in str(failure.value.fix)


@pytest.mark.skipif(shutil.which("strip") is None, reason="`strip` (binutils) is not installed")
def test_a_file_that_strip_cannot_read_is_reported_in_the_words_of_strip(tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"\x7fELF and no more")
    with pytest.raises(PrefixError, match="cannot be removed") as failure:
        prefix_pack.strip([broken])
    assert "broken.so" in str(failure.value.details)


@pytest.mark.parametrize(
    ("path", "archive"),
    [
        ("bin/python3.12", RUNTIME),
        ("bin/pip3.12", None),
        ("bin/python3.12-config", None),
        ("lib/python3.12/os.py", RUNTIME),
        ("lib/python3.12/ensurepip/_bundled/pip-23.2.1-py3-none-any.whl", RUNTIME),
        ("lib/python3.12/test/test_os.py", None),
        ("lib/python3.12/ctypes/test/test_bytes.py", None),
        ("lib/python3.12/unittest/case.py", RUNTIME),
        ("lib/python3.12/site-packages/machine.pth", None),
        ("lib/python3.12/tkinter/__init__.py", None),
        ("lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so", RUNTIME),
        ("lib/python3.12/lib-dynload/_testcapi.cpython-312-x86_64-linux-gnu.so", None),
        ("lib/python3.12/lib-dynload/_tkinter.cpython-312-x86_64-linux-gnu.so", None),
        ("lib/python3.12/config-3.12-x86_64-linux-gnu/Makefile", HEADERS),
        ("lib/python3.12/config-3.12-x86_64-linux-gnu/libpython3.12.a", None),
        ("lib/libpython3.12.so.1.0", RUNTIME),
        ("lib/libpython3.12.so", HEADERS),
        ("lib/libpython3.12.a", None),
        ("include/python3.12/Python.h", HEADERS),
        ("share/man/man1/python3.1", None),
    ],
)
def test_the_archive_that_each_file_goes_into(path: str, archive: str | None) -> None:
    assert prefix_files.destination(path, "3.12") == archive


def test_the_directory_of_the_machine_is_replaced_and_no_other() -> None:
    text = b"-L/root/.pyenv/versions/3.12.1/lib /root/.pyenv/versions/3.12.10/lib '/install' /install-sh"
    assert prefix_files.relocated(text, ("/root/.pyenv/versions/3.12.1", "/install")) == (
        b"-L/usr/local/lib /root/.pyenv/versions/3.12.10/lib '/usr/local' /install-sh"
    )


@pytest.mark.parametrize(
    "wanted", [PrefixPython(version=VERSION, directory=str(OWN)), PrefixPython(version="3.7.16")], ids=str
)
def test_the_same_prefix_gives_the_same_bytes(wanted: PrefixPython, tmp_path: Path) -> None:
    """Of an old Python too: before 3.11 bytecode depends on the hash seed."""
    paths = Paths(root=tmp_path)
    try:
        own = str(prefix.find(wanted, tmp_path).directory)
    except PrefixNotFoundError as failure:
        pytest.skip(failure.what)
    first = prefix_archive.ensure(tmp_path / "first", wanted, paths)
    again = prefix_archive.ensure(tmp_path / "again", wanted, paths)
    assert first == again
    for name in (RUNTIME, HEADERS):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with tarfile.open(tmp_path / "first" / RUNTIME) as archive:
        entries = archive.getmembers()
        names = [entry.name for entry in entries]
        data = archive.extractfile(next(name for name in names if re.search(r"/_sysconfigdata[\w-]*[.]py$", name)))
        assert data is not None
        assert own in ("/usr", "/usr/local") or own not in data.read().decode()
    assert {(entry.mtime, entry.uid, entry.gid) for entry in entries} == {(prefix_pack.EPOCH, 0, 0)}
    minor = wanted.version.rpartition(".")[0]
    tag = f"cpython-{minor.replace('.', '')}"
    assert f"usr/local/lib/python{minor}/json/__pycache__/decoder.{tag}.pyc" in names
    assert not [name for name in names if "/site-packages/" in name or name.endswith(".a")]
    assert "libc.so.6" in first.needs
    assert not [soname for soname in first.needs if soname.startswith("libpython")], "it has that itself"


def test_a_prefix_that_was_built_again_is_packed_again_and_a_deleted_one_stays_packed(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    copy = tmp_path / "python" / f"python{MINOR}"
    copy.write_bytes(b"first")
    wanted = PrefixPython(version=VERSION, directory="python")
    status = copy.stat()
    known = {
        "wanted": {"edition": prefix_archive.EDITION, "version": VERSION, "directory": "python"},
        "interpreter": {"path": str(copy), "size": status.st_size, "mtime": status.st_mtime_ns},
        "digest": "d",
        "needs": {},
        "glibc": None,
    }
    (tmp_path / "prefix.json").write_text(json.dumps(known), encoding="utf-8")
    for name in (RUNTIME, HEADERS):
        (tmp_path / name).touch()
    there = Archive(version=VERSION, digest="d", needs={}, glibc=None)
    assert prefix_archive.present(tmp_path, wanted) == there
    assert prefix_archive.present(tmp_path, PrefixPython(version=f"{MINOR}.99", directory="python")) is None
    copy.write_bytes(b"built again")
    assert prefix_archive.present(tmp_path, wanted) is None
    copy.unlink()
    assert prefix_archive.present(tmp_path, wanted) == there


def test_a_prefix_of_the_variable_replaces_the_one_that_was_found_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreters = [tmp_path / name / VERSION / "bin" / f"python{MINOR}" for name in ("before", "company")]
    for interpreter in interpreters:
        interpreter.parent.mkdir(parents=True)
        interpreter.touch()
    status = interpreters[0].stat()
    known = {
        "wanted": {"edition": prefix_archive.EDITION, "version": VERSION, "directory": None},
        "interpreter": {"path": str(interpreters[0]), "size": status.st_size, "mtime": status.st_mtime_ns},
        "digest": "d",
        "needs": {},
        "glibc": None,
    }
    (tmp_path / "prefix.json").write_text(json.dumps(known), encoding="utf-8")
    for name in (RUNTIME, HEADERS):
        (tmp_path / name).touch()
    for named, taken in (("", True), ("before", True), ("nothing-there", True), ("company", False)):
        monkeypatch.setenv(prefix.VARIABLE, str(tmp_path / named) if named else "")
        assert (prefix_archive.present(tmp_path, PrefixPython(version=VERSION)) is not None) == taken, named


def rootfs(folder: Path, *libraries: str) -> Path:
    file = folder / "rootfs.tar"
    with tarfile.open(file, "w") as tar:
        for name in libraries:
            tar.addfile(tarfile.TarInfo(f"./usr/lib/x86_64-linux-gnu/{name}"), io.BytesIO())
    return file


def test_a_base_that_lacks_a_library_is_refused_with_the_module_and_the_debian_package(tmp_path: Path) -> None:
    needs = {"libc.so.6": "bin/python3.12", "libsqlite3.so.0": "lib/python3.12/lib-dynload/_sqlite3.so"}
    archive = Archive(version="3.12.1", digest="d", needs=needs, glibc=(2, 35))
    tar = rootfs(tmp_path, "libc.so.6")
    with pytest.raises(
        PrefixError, match=r"lacks libraries that CPython 3\.12\.1 needs: libsqlite3\.so\.0$"
    ) as failure:
        check_fits(archive, "mine", rootfs=tar, glibc="2.36", where="matrix.yaml:7")
    assert "libsqlite3-0" in str(failure.value.fix)
    assert failure.value.details == "libsqlite3.so.0 is needed by lib/python3.12/lib-dynload/_sqlite3.so"
    tar = rootfs(tmp_path, "libc.so.6", "libsqlite3.so.0")
    check_fits(archive, "mine", rootfs=tar, glibc="2.36", where="matrix.yaml:7")
    with pytest.raises(PrefixError, match=r"built for glibc 2\.35 or newer; the base mine has 2\.31"):
        check_fits(archive, "mine", rootfs=tar, glibc="2.31", where="matrix.yaml:7")
