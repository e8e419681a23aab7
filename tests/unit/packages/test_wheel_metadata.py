"""The requirements in the metadata of wheels, in a directory and on a server that serves only whole files."""

from __future__ import annotations

import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.errors import NetworkError, PipelineError
from build.packages import metadata as wheel_metadata

METADATA = """\
Metadata-Version: 2.1
Name: frame
Version: 1.0+gpu
Requires-Dist: numpy>=2
Requires-Dist: nvidia-cublas-cu12==12.5.3.2; extra == "cuda"
"""


def wheel(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "frame-1.0+gpu-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("frame/vendored.dist-info/METADATA", "Requires-Dist: not-this")
        archive.writestr("frame-1.0+gpu.dist-info/METADATA", METADATA)
    return file


@pytest.mark.parametrize("folder", ["wheels", "wheels of a company", "100%"])
def test_a_wheel_is_read_whatever_its_directory_is_called(tmp_path: Path, folder: str) -> None:
    """uv names it by a URL, in which a space is %20."""
    file = wheel(tmp_path / folder)
    expected = ("numpy>=2", 'nvidia-cublas-cu12==12.5.3.2; extra == "cuda"')
    assert wheel_metadata.requires(file.as_uri()) == expected
    assert wheel_metadata.requires(str(file)) == expected


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves only whole files, as many company indexes do."""

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of ``tmp_path``."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(_Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_metadata_next_to_a_wheel_is_read_and_a_server_of_whole_files_is_reported(tmp_path: Path, index: str) -> None:
    file = wheel(tmp_path)
    with pytest.raises(wheel_metadata.NotServedError, match="neither a wheel's metadata"):
        wheel_metadata.requires(f"{index}/{file.name}")
    file.with_name(f"{file.name}.metadata").write_text(METADATA)
    assert wheel_metadata.requires(f"{index}/{file.name}")[0] == "numpy>=2"
    with pytest.raises(NetworkError, match="cannot be read"):
        wheel_metadata.requires(f"{index}/gone.whl")


def test_a_missing_file_and_a_file_that_is_not_a_wheel(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be read"):
        wheel_metadata.requires(str(tmp_path / "gone.whl"))
    (tmp_path / "text.whl").write_text("no archive")
    with pytest.raises(PipelineError, match="this is not a wheel"):
        wheel_metadata.requires(str(tmp_path / "text.whl"))
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    with pytest.raises(PipelineError, match="this is not a wheel"):
        wheel_metadata.requires(str(tmp_path / "empty.whl"))
