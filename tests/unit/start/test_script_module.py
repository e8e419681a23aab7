"""The scoring script's module while it is imported as the server does it, and the start script in a child process."""

from __future__ import annotations

import importlib.util
import runpy
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.start.start_modules import START, module

DATACLASS = """\
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Point:
    x: int
"""


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = importlib.util.module_from_spec
    yield
    importlib.util.module_from_spec = before


def load(script: Path, name: str = "entry_module") -> ModuleType:
    """Import a script as Microsoft's server does (server/user_script.py)."""
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    imported = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(imported)
    return imported


def test_a_dataclass_with_postponed_annotations_can_be_defined(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(DATACLASS)
    if sys.version_info < (3, 14):
        with pytest.raises(AttributeError):  # as the server alone does it
            load(script)
    module("script_module").install()
    assert load(script).Point(2).x == 2


def test_the_users_modules_come_before_the_servers_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, app = tmp_path / "package" / "server", tmp_path / "app"
    for folder, text in ((server, "from ..constants import NAME\n"), (app, "NAME = 'user'\n")):
        folder.mkdir(parents=True)
        (folder / "users_config.py").write_text(text)
    (server.parent / "__init__.py").touch()
    package = ModuleType("azureml_inference_server_http")
    package.__file__ = str(server.parent / "__init__.py")
    monkeypatch.setitem(sys.modules, package.__name__, package)
    # The server's own order.
    monkeypatch.setattr(sys, "path", [*sys.path, str(server), str(app)])
    (app / "score.py").write_text("from users_config import NAME\n")
    module("script_module").install()
    try:
        assert load(app / "score.py").NAME == "user"
    finally:
        sys.modules.pop("users_config", None)


def test_other_modules_are_imported_as_ever(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("import sys\nname = __name__ in sys.modules\n")
    before = importlib.util.module_from_spec
    module("script_module").install()
    assert load(script, "other").name is False
    imported = load(script)
    assert imported.name is True
    assert imported.__spec__ is not None
    assert imported.__spec__.loader is imported.__loader__
    # Only the first import of the script is intercepted, and the module does not stay.
    assert importlib.util.module_from_spec is before
    assert "entry_module" not in sys.modules


def test_the_traceback_of_a_broken_script_shows_only_the_script(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("1 / 0\n")
    module("script_module").install()
    with pytest.raises(ZeroDivisionError) as broken:
        load(script)
    frames = traceback.extract_tb(broken.value.__traceback__)
    assert not [
        frame.filename for frame in frames if "script_module.py" in frame.filename and "test_" not in frame.filename
    ]
    assert frames[-1].filename == str(script)
    assert "entry_module" not in sys.modules


def test_a_child_of_multiprocessing_does_not_start_the_server() -> None:
    """`spawn` and `forkserver` run the parent's main file as `__mp_main__`."""
    runpy.run_path(str(START / "start-server"), run_name="__mp_main__")
    assert not [name for name in sys.modules if name.startswith("server_start")]
