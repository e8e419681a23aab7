"""Start the server: read the environment, add the user's packages, run gunicorn."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from types import FrameType

from server_start import account, config_files, extra_packages, ignored, platform_limits, settings, thread_pools
from server_start.failure import SCRIPT_FAILED, StartFailure
from server_start.settings import Settings

PORT = "5001"


def main(arguments: list[str]) -> None:
    """Run the server until the process ends.

    Args:
        arguments: ``serve`` once the extra packages are on the import path; anything else is ignored
            (``runsvdir`` is called with ``/var/runit``).

    Raises:
        SystemExit: Always.
    """
    # Without a handler, the first process of a container ignores SIGTERM.
    signal.signal(signal.SIGTERM, _stop)
    try:
        no_home = account.prepare(os.environ)
        platform_limits.raise_open_files()
        thread_pools.apply(os.environ)
        asked = settings.read(os.environ)
        os.environ["AML_APP_ROOT"] = asked.app_root
        os.chdir(asked.app_root)
        if arguments != ["serve"]:
            settings.check_processes(os.environ, platform_limits.process_limit())
            ignored.report(os.environ)
            folders = extra_packages.prepare(os.environ, asked.script_folder)
            if folders:
                os.environ["PYTHONPATH"] = os.pathsep.join([*folders, *_python_path()])
            if folders or os.environ.get(extra_packages.REQUIREMENTS):
                # Only a new interpreter sees the installed packages: this one may have imported older versions already.
                os.execv(sys.executable, [sys.executable, sys.argv[0], "serve"])
        if no_home:
            print(f"start-server: {no_home}", file=sys.stderr, flush=True)
        settings.check_debugger(os.environ)
        config_files.check(os.environ, asked)
        serve(asked)
    except StartFailure as failure:
        sys.stdout.flush()
        time.sleep(0.2)  # see `serve`
        print(f"start-server: {failure}", file=sys.stderr, flush=True)
        sys.exit(failure.code)


def _stop(number: int, frame: FrameType | None) -> None:
    """End at once: no request is in progress. An exception would look like an error in the user's init()."""
    os._exit(0)


def _python_path() -> list[str]:
    value = os.environ.get("PYTHONPATH")
    return [value] if value else []


def serve(asked: Settings) -> None:
    """Run Microsoft's server with our worker.

    Raises:
        SystemExit: When the server ends, with its exit code.
        StartFailure: A setting of gunicorn is wrong.
    """
    if os.environ.get("WORKER_PRELOAD", "").lower() != "true":  # with it, init() is called before a worker exists
        gc.disable()  # the worker enables it again
    from server_start import (
        boot_failure,
        dual_stack,
        gunicorn_settings,
        schema_errors,
        script_module,
        telemetry,
        worker,
    )

    telemetry.install()
    script_module.install()
    schema_errors.install()
    worker.prepare(int(os.environ.get("WORKER_COUNT", "1")))
    dual_stack.install()
    gunicorn_settings.install()
    from azureml_inference_server_http import amlserver
    from gunicorn.errors import HaltServer

    sys.argv = ["azmlinfsrv", "--entry_script", os.path.join(".", asked.entry_script), "--port", PORT]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # keeps printed lines in order in the log
    master = os.getpid()
    try:
        amlserver.run()
    except (SystemExit, HaltServer) as end:  # a worker, a fork of this process, gets here too
        code = end.exit_status if isinstance(end, HaltServer) else end.code
        reason = boot_failure.told(end) if code and os.getpid() == master else ""
        if not reason:
            sys.exit(code)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # gunicorn 20's handler raises if another worker ends
        sys.stdout.flush()
        # The message must be last in the log, where people look first, but the engine reads the two streams separately.
        time.sleep(0.2)
        message = "start-server: the scoring script failed, the container ends with exit code {}\n{}"
        print(message.format(SCRIPT_FAILED, reason), file=sys.stderr, end="", flush=True)
        # gunicorn's own exit code differs if several workers fail at the same time.
        sys.exit(SCRIPT_FAILED)
