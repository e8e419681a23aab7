"""Skip the import of the telemetry exporter if telemetry is off: it is a third of the server's imports.

Microsoft's server always imports the exporter of Application Insights, but uses it only if AML_APP_INSIGHTS_ENABLED and
AML_APP_INSIGHTS_KEY are set. Otherwise the one module that imports it gets empty stand-ins. A scoring script that
imports such a package itself gets the real one.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable

from server_start.at_import import at_import

#: The module that imports the exporter.
CLIENT = "azureml_inference_server_http.server.appinsights_client"
#: The exporter's packages, for server 1.x and 0.8.
EXPORTERS = ("azure.monitor", "opentelemetry", "opencensus")


def install() -> None:
    """Intercept the import of the server's telemetry client. Call this before the server is imported."""
    at_import(CLIENT, _load)


def is_enabled() -> bool:
    """Tell whether the server will send telemetry, by its own configuration."""
    from azureml_inference_server_http.server.config import config

    return bool(config.app_insights_enabled and config.app_insights_key)


def _load(module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
    """Load the client; with stand-ins for the exporter's packages if telemetry is off."""
    if is_enabled():
        execute(module)
        return
    finder = _StandInFinder()
    before = set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        execute(module)
    finally:
        sys.meta_path.remove(finder)
        # It looks for the names of models to send, and logs a traceback if there is a file next to them.
        if hasattr(module, "AppInsightsClient"):
            module.AppInsightsClient._get_model_ids = lambda self: []
        for name in set(sys.modules) - before:
            if isinstance(sys.modules[name], _StandIn):
                del sys.modules[name]


class _StandIn(ModuleType):
    """A module that has every attribute; none is used while telemetry is off."""

    __path__: Any = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _StandInFinder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if any(name == exporter or name.startswith(exporter + ".") for exporter in EXPORTERS):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass
