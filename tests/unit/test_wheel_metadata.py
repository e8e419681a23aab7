"""What a wheel says it requires, of wheels that lie in a directory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from build import wheel_metadata
from build.errors import NetworkError, PipelineError

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
def test_a_wheel_in_a_directory_is_read_whatever_the_directory_is_called(tmp_path: Path, folder: str) -> None:
    """uv names it by a URL, in which a space is %20."""
    file = wheel(tmp_path / folder)
    expected = ("numpy>=2", 'nvidia-cublas-cu12==12.5.3.2; extra == "cuda"')
    assert wheel_metadata.requires(file.as_uri()) == expected
    assert wheel_metadata.requires(str(file)) == expected


def test_what_is_not_there_and_what_is_no_wheel(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot be read"):
        wheel_metadata.requires(str(tmp_path / "gone.whl"))
    (tmp_path / "text.whl").write_text("no archive")
    with pytest.raises(PipelineError, match="this is no wheel"):
        wheel_metadata.requires(str(tmp_path / "text.whl"))
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    with pytest.raises(PipelineError, match="this is no wheel"):
        wheel_metadata.requires(str(tmp_path / "empty.whl"))
