"""The script that removes the inventories of vendored packages, run on a made-up layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "image/scripts/remove-vendored-sboms"
KEPT = ("pip/__init__.py", "pip/_vendor/packaging/licenses/_spdx.py", "pip-1.0.dist-info/sboms/rust.cyclonedx.json")


def layer(root: Path, *files: str) -> Path:
    """A layer with one distribution; return its site-packages."""
    library = root / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    for path in files:
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).write_text("{}")
    (library / "pip-1.0.dist-info").mkdir(exist_ok=True)
    record = "".join(f"{path},sha256=x,2\n" for path in files)
    (library / "pip-1.0.dist-info/RECORD").write_text(record + '"with, comma",,\npip-1.0.dist-info/RECORD,,\n')
    return library


@pytest.mark.parametrize(
    "inventory",
    ["pip/_vendor/bom.cdx.json", "pip/_vendor/deep/all.spdx.json", "_vendor/sbom.cyclonedx.xml"],
)
def test_an_inventory_is_removed_with_its_line(tmp_path: Path, inventory: str) -> None:
    library = layer(tmp_path, *KEPT, inventory)
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    assert not (library / inventory).exists()
    assert all((library / path).exists() for path in KEPT)
    record = (library / "pip-1.0.dist-info/RECORD").read_text().splitlines()
    assert record == [*(f"{path},sha256=x,2" for path in KEPT), '"with, comma",,', "pip-1.0.dist-info/RECORD,,"]


def test_other_distributions_keep_every_byte(tmp_path: Path) -> None:
    record = layer(tmp_path, *KEPT) / "pip-1.0.dist-info/RECORD"
    before = record.stat().st_mtime_ns
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    assert record.stat().st_mtime_ns == before
