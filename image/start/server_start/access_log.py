"""Writes the access log, as gunicorn does, without collecting what its lines do not name."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

#: Whose handlers and formatters use a record's text, and not its arguments.
_KNOWN = frozenset(("logging", "gunicorn", "azureml_inference_server_http"))


class _Unlisted(dict):  # type: ignore[type-arg]
    """An environment whose variables can be looked up and are not listed."""

    def items(self) -> tuple[()]:  # type: ignore[override]
        """Return nothing."""
        return ()


class AccessLog:
    """The access log.

    Only names in braces, as in ``%({user-agent}i)s``, need all headers and variables.

    Args:
        log: gunicorn's logger.
        form: The format of its lines.
    """

    def __init__(self, log: Any, form: str) -> None:
        self._log = log
        kind = type(log)
        own = kind.atoms is not Logger.atoms or kind.access is not Logger.access
        self._all = "{" in form or own or _uses_arguments(log.access_log)

    def write(self, response: Any, request: Any, environ: dict[str, Any], took: timedelta) -> None:
        """Write the line of a request."""
        if self._all:
            self._log.access(response, request, environ, took)
        else:
            self._log.access(response, (), _Unlisted(environ), took)


def _uses_arguments(logger: logging.Logger | None) -> bool:
    """Return whether a user's filter, handler or formatter gets the records, which may look for any name in them.

    A logger's filters see what is logged by it, and not what comes from loggers below it.
    """
    if logger is not None and logger.filters:
        return True
    while logger is not None:
        for handler in logger.handlers:
            for used in (handler, handler.formatter, *handler.filters):
                if used is not None and type(used).__module__.partition(".")[0] not in _KNOWN:
                    return True
        logger = logger.parent if logger.propagate else None
    return False
