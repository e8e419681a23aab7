"""The start-up code of the images without a server; tests/images tests it in running containers."""

from __future__ import annotations

import importlib
import socket
import sys
from pathlib import Path

import pytest

from tests.unit.start.start_modules import START, failure, module


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "main.py").touch()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").touch()
    return tmp_path


def test_the_script_is_main_py_unless_it_is_named(app: Path) -> None:
    read = module("settings").read
    assert read({"AML_APP_ROOT": str(app)}).entry_script == "main.py"
    # A leading slash means the app root, unless the file is there from the root.
    for name in ("code/score.py", "/code/score.py", f"{app}/code/score.py"):
        settings = read({"AML_APP_ROOT": str(app), "AZUREML_ENTRY_SCRIPT": name})
        assert settings.entry_script == "code/score.py"
        assert settings.script_folder == str(app / "code")


def test_a_missing_script_or_folder_is_explained(app: Path) -> None:
    message, code = failure("settings.read", {"AML_APP_ROOT": str(app), "AZUREML_ENTRY_SCRIPT": "none.py"})
    assert (message.startswith(f"{app}/none.py does not exist: mount or copy"), code) == (True, 1)
    message, code = failure("settings.read", {"AML_APP_ROOT": str(app / "none")})
    assert (message.startswith(f"{app}/none is not a directory: mount or copy"), code) == (True, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKER_COUNT", "0"), ("WORKER_COUNT", "two"), ("WORKER_TIMEOUT", "-1"), ("SCORING_TIMEOUT_MS", "1.5")],
)
def test_an_invalid_number_is_explained(app: Path, name: str, value: str) -> None:
    message, code = failure("settings.read", {"AML_APP_ROOT": str(app), name: value})
    assert (message.startswith(f"{name}='{value}' is not a valid number of "), code) == (True, 1)


def test_an_invalid_log_level_is_explained(app: Path) -> None:
    read = module("settings").read
    assert read({"AML_APP_ROOT": str(app), "AZUREML_LOG_LEVEL": "debug"})
    message, code = failure("settings.read", {"AML_APP_ROOT": str(app), "AZUREML_LOG_LEVEL": "loud"})
    assert ("'loud' is not a log level: set one of DEBUG, INFO" in message, code) == (True, 1)


def test_workers_that_the_platform_does_not_allow_are_explained() -> None:
    check = module("settings").check_processes
    for count, limit in (("16", 49), ("1", 4), ("1000", None)):
        check({"WORKER_COUNT": count}, limit)
    message, code = failure("settings.check_processes", {"WORKER_COUNT": "17"}, 49)
    assert message.startswith(
        "WORKER_COUNT=17 needs 52 processes and threads (3 for each worker, and the first process)"
    )
    assert message.endswith(
        "the platform allows 49 (limit of the container, or `ulimit -u`): raise the limit, or set a "
        "smaller WORKER_COUNT"
    )
    assert code == 1
    message, _ = failure("settings.check_processes", {}, 3)
    assert message.endswith("raise the limit")


def test_a_debugger_that_is_not_installed_is_explained() -> None:
    module("settings").check_debugger({})
    message, code = failure("settings.check_debugger", {"AZUREML_DEBUG_PORT": "5678"})
    assert (message.startswith("AZUREML_DEBUG_PORT needs the package debugpy, which is not installed"), code) == (
        True,
        1,
    )


def test_the_address_to_listen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dual_stack = module("dual_stack")
    try:
        socket.socket(socket.AF_INET6).close()
        ipv6 = True
    except OSError:
        ipv6 = False
    assert dual_stack.address() == ("[::]" if ipv6 else "0.0.0.0")
    monkeypatch.setattr(dual_stack.socket, "AF_INET6", 12345)  # as in a kernel without IPv6
    assert dual_stack.address() == "0.0.0.0"


def test_a_folder_of_packages_is_relative_to_the_script(app: Path) -> None:
    (app / "code" / "lib").mkdir()
    prepare = module("extra_packages").prepare
    for value in ("lib", "/lib", str(app / "code" / "lib")):
        found = prepare({"AZUREML_EXTRA_PYTHON_LIB_PATH": value}, str(app / "code"))
        assert found == [str(app / "code" / "lib")], value


@pytest.mark.parametrize(
    ("variable", "value", "says", "code"),
    [
        ("AZUREML_EXTRA_PYTHON_LIB_PATH", "none", "none does not exist", 97),
        ("AZUREML_EXTRA_PYTHON_LIB_PATH", "main.py", "main.py is not a directory", 97),
        ("AZUREML_EXTRA_REQUIREMENTS_TXT", "none.txt", "none.txt does not exist", 99),
        ("AZUREML_EXTRA_REQUIREMENTS_TXT", "code", "code is not a file", 99),
        ("AZUREML_EXTRA_CONDA_YAML", "env.yml", "set AZUREML_EXTRA_REQUIREMENTS_TXT", 98),
        ("AZUREML_EXTRA_CONDA_YAML_ABS_PATH", "/model/conda.yaml", "AZUREML_EXTRA_CONDA_YAML_ABS_PATH needs conda", 98),
    ],
)
def test_a_wrong_extension_is_one_line_with_its_exit_code(
    app: Path, variable: str, value: str, says: str, code: int
) -> None:
    message, given = failure("extra_packages.prepare", {variable: value}, str(app))
    assert says in message
    assert "\n" not in message
    assert given == code


def test_requirements_are_not_installed_if_the_folder_is_wrong(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "requirements.txt").touch()
    monkeypatch.setattr(module("extra_packages"), "_install", lambda _: pytest.fail("pip ran"))
    both = {"AZUREML_EXTRA_PYTHON_LIB_PATH": "none", "AZUREML_EXTRA_REQUIREMENTS_TXT": "requirements.txt"}
    assert failure("extra_packages.prepare", both, str(app))[1] == 97


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the server's module names, whose telemetry client imports an exporter that is not installed."""
    server = tmp_path / "azureml_inference_server_http" / "server"
    server.mkdir(parents=True)
    for folder in (server, server.parent):
        (folder / "__init__.py").touch()
    (server / "appinsights_client.py").write_text(
        "from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter\nfrom opentelemetry import trace\n"
    )
    (tmp_path / "azure").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    return server


@pytest.mark.parametrize(("enabled", "key"), [(False, "key"), (True, "")])
def test_the_exporter_is_not_imported_while_telemetry_is_off(client: Path, enabled: bool, key: str) -> None:
    (client / "config.py").write_text(
        f"class config: app_insights_enabled, app_insights_key = {enabled}, {key!r}\n", encoding="utf-8"
    )
    try:
        module("telemetry").install()
        imported = importlib.import_module("azureml_inference_server_http.server.appinsights_client")
        assert imported.AzureMonitorTraceExporter
        # A scoring script that imports the real package does not get the stand-in.
        assert not [name for name in sys.modules if name.startswith(("opentelemetry", "azure."))]
    finally:
        forget_server()


def test_the_exporter_is_imported_while_telemetry_is_on(client: Path) -> None:
    (client / "config.py").write_text("class config: app_insights_enabled, app_insights_key = True, 'key'\n")
    try:
        module("telemetry").install()
        with pytest.raises(ModuleNotFoundError, match=r"azure\.monitor"):
            importlib.import_module("azureml_inference_server_http.server.appinsights_client")
    finally:
        forget_server()


def forget_server() -> None:
    for name in [name for name in sys.modules if name.startswith("azureml_inference_server_http")]:
        del sys.modules[name]


def test_every_module_goes_into_the_images() -> None:
    from build.builder.recipe_sources import start_files
    from build.paths import tool

    modules = {f"server_start/{file.name}" for file in (START / "server_start").glob("*.py")}
    others = {"start-server", "runsvdir", "entry_module.py", "standard_library/ensurepip.py"}
    assert modules | others == start_files(tool()).keys()
