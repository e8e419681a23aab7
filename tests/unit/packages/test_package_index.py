"""Package indexes and wheel directories: real ones, on this machine's disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import PipelineError
from build.packages import index as package_index
from build.packages.index import PackageIndex

WHEEL = "demo_package-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path) -> str:
    """An index in a directory, as uv and pip read them (``file://``)."""
    folder = tmp_path / "index/demo-package"
    folder.mkdir(parents=True)
    link = f'<a href="{WHEEL}" data-requires-python="&gt;=3.9" data-yanked="broken">{WHEEL}</a>'
    page = f'{link}<a href="notes.txt">notes.txt</a>'
    (folder / "index.html").write_text(page)
    return (tmp_path / "index").as_uri()


def test_an_index_in_a_directory(index: str) -> None:
    distribution = PackageIndex([index]).distribution("Demo.Package")
    (file,) = distribution.files
    assert (file.filename, file.requires_python, file.yanked) == (WHEEL, ">=3.9", "broken")
    assert distribution.places == (index,)
    assert distribution.not_reached == ()


def test_the_first_index_that_has_a_distribution_counts(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other/demo-package"
    other.mkdir(parents=True)
    (other / "index.html").write_text('<a href="demo_package-2.0.tar.gz">demo_package-2.0.tar.gz</a>')
    indexes = [index, other.parent.as_uri()]
    assert [str(file.version) for file in PackageIndex(indexes).distribution("demo-package").files] == ["1.0"]
    monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
    assert [str(file.version) for file in PackageIndex(indexes).distribution("demo-package").files] == ["1.0", "2.0"]


def test_a_wheel_directory_adds_to_the_indexes(index: str, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("demo_package-3.0-cp311-cp311-linux_x86_64.whl", "demo_package_extra-9-py3-none-any.whl", "readme"):
        (wheels / name).touch()
    distribution = PackageIndex([index], [wheels]).distribution("demo-package")
    assert sorted(str(file.version) for file in distribution.files) == ["1.0", "3.0"]


def test_a_missing_distribution_differs_from_an_unreachable_index(index: str, tmp_path: Path) -> None:
    unknown = PackageIndex([index]).distribution("other")
    assert (unknown.files, unknown.places, unknown.not_reached) == ((), (index,), ())
    gone = tmp_path / "gone"
    # Port 1 of this machine: nothing listens there.
    closed = "http://user:secret@127.0.0.1:1/simple"
    unreachable = PackageIndex([closed], [gone]).distribution("demo-package")
    assert unreachable.places == ()
    assert unreachable.not_reached == (str(gone), "http://127.0.0.1:1/simple"), (
        "a password is shown, or a place is lacking"
    )


def test_the_indexes_are_those_of_uvs_configuration(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv itself is asked, so its variables and configuration files apply."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "demo_package-3.0-py3-none-any.whl").touch()
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    distribution = package_index.configured().distribution("demo-package")
    assert sorted(distribution.places) == sorted([index, str(wheels)])
    assert sorted(str(file.version) for file in distribution.files) == ["1.0", "3.0"]


def test_the_default_index_is_searched_last() -> None:
    text = "--index-url https://default.example/simple\n--extra-index-url https://extra.example/simple\n"
    assert package_index.from_options(text).indexes == (
        "https://extra.example/simple",
        "https://default.example/simple",
    )


def test_addresses_and_directories_are_as_uv_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://user:it's a secret@default.example/simple")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    found = package_index.configured()
    assert found.indexes == ("https://user:it's%20a%20secret@default.example/simple",)
    assert [str(link) for link in found.links] == [str(folder)]


def test_an_invalid_configuration_of_uv_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv.toml").write_text("index = 3\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    with pytest.raises(PipelineError, match="uv cannot tell which package indexes are configured"):
        package_index.configured()


def test_no_index_means_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv.toml").write_text("[pip]\nno-index = true\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
    assert package_index.configured().indexes == ()
