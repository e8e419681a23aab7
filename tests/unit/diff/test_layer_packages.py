"""Packages in the tars of layers."""

from __future__ import annotations

import io
import tarfile

import pytest

from build.diff.facts import Packages
from build.diff.layer_packages import LayerPackages, put_together, read

LIBRARY = "usr/lib/python3/dist-packages"


def tar(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def metadata(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n".encode()


def packages(*layers: dict[str, bytes]) -> Packages:
    return put_together([read(tar(files)) for files in layers])


def test_distributions_are_found_where_python_finds_them() -> None:
    found = packages(
        {
            f"./{LIBRARY}/Typing_Extensions-4.0.dist-info/METADATA": metadata("Typing_Extensions", "4.0"),
            f"{LIBRARY}/old.egg-info/PKG-INFO": metadata("old", "0.1"),
            f"{LIBRARY}/older-0.2-py3.7.egg-info": metadata("older", "0.2"),
            f"{LIBRARY}/odd-1.5.dist-info/METADATA": b"\xff\x00 nothing that can be read",
            f"{LIBRARY}/setuptools/_vendor/vendored-1.dist-info/METADATA": metadata("vendored", "1"),
            f"{LIBRARY}/no_metadata-1.dist-info/RECORD": b"",
            "opt/data/file-1.dist-info/METADATA": metadata("file", "1"),
        }
    )
    assert found.python == {"typing-extensions": "4.0", "old": "0.1", "older": "0.2", "odd": "1.5"}


def test_a_distribution_in_two_places_has_both_versions() -> None:
    places = ("opt/venv/lib/python3.13/site-packages", LIBRARY)
    files = {
        f"{place}/pip-{version}.dist-info/METADATA": metadata("pip", version)
        for place, version in zip(places, ("2.0", "1.0"), strict=True)
    }
    assert packages(files).python == {"pip": "1.0, 2.0"}


@pytest.mark.parametrize(
    "removal",
    [
        f"{LIBRARY}/.wh.one-1.dist-info",
        f"{LIBRARY}/one-1.dist-info/.wh.METADATA",
        f"{LIBRARY}/.wh..wh..opq",
        "usr/.wh.lib",
        ".wh.usr",
    ],
)
def test_what_a_later_layer_removes_is_gone(removal: str) -> None:
    one = {f"{LIBRARY}/one-1.dist-info/METADATA": metadata("one", "1")}
    assert packages(one, {removal: b""}).python == {}
    # In the same layer and in an earlier one, it removes nothing.
    assert packages({removal: b"", **one}).python == packages({removal: b""}, one).python == {"one": "1"}


def test_a_name_that_begins_alike_is_kept() -> None:
    one = {f"{LIBRARY}/one-1.dist-info/METADATA": metadata("one", "1")}
    assert packages(one, {f"{LIBRARY}/.wh.one-1": b"", "usr/.wh.li": b""}).python == {"one": "1"}


def test_the_last_list_of_debian_packages_counts() -> None:
    first = b"Package: a\nStatus: install ok installed\nVersion: 1\nDescription: x\n y\n\nPackage: b\nVersion: 1\n"
    second = (
        b"Package: a\nStatus: install ok installed\nVersion: 1:2\n\n"
        b"Package: c\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    path = "var/lib/dpkg/status"
    assert packages({path: first}).debian == {"a": "1"}
    assert packages({path: first}, {path: second}).debian == {"a": "1:2"}
    assert packages({"etc/os-release": b""}).debian == {}


def test_images_without_dpkg_have_a_file_for_each_package() -> None:
    folder = "var/lib/dpkg/status.d"
    files = {f"{folder}/base": b"Package: base-files\nVersion: 12\n", f"{folder}/base.md5sums": b"0123  etc/file\n"}
    assert packages(files, {f"{folder}/tz": b"Package: tzdata\nVersion: 1\n"}).debian == {
        "base-files": "12",
        "tzdata": "1",
    }


def test_an_empty_layer_says_nothing() -> None:
    assert read(tar({})) == LayerPackages()


def test_what_is_not_a_tar_is_a_failure() -> None:
    with pytest.raises(tarfile.TarError):
        read(io.BytesIO(b"not a tar" * 200))
