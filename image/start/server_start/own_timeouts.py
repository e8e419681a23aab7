"""Tell a TimeoutError of the script's own from SCORING_TIMEOUT_MS.

The server's alarm raises TimeoutError in run(), and the server takes every TimeoutError for its alarm: a script that
waited in vain for a database was answered "Scoring timeout after 3600000 ms", and its traceback was not in the log.
Timeouts of sockets, asyncio and concurrent.futures are such errors (since Python 3.10 and 3.11).
"""

from __future__ import annotations

from typing import Any


def install(user_script: Any) -> None:
    """Change how a failing run() is reported.

    Args:
        user_script: The server's module `server.user_script`.
    """
    invoke_run = user_script.UserScript.invoke_run

    def invoke(*arguments: Any, **named: Any) -> Any:
        try:
            return invoke_run(*arguments, **named)
        except user_script.UserScriptTimeout as timeout:
            own = timeout.__context__  # the server suppresses it in the traceback, but it is there
            if timeout.elapsed_ms >= timeout.timeout_ms or not isinstance(own, TimeoutError):
                raise
            raise user_script.UserScriptException(own) from own

    user_script.UserScript.invoke_run = invoke
