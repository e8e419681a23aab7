"""From the environment to the running server."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import sys
import time
from types import FrameType

from server_start import extra_packages, settings
from server_start.failure import SCRIPT_FAILED, StartFailure
from server_start.settings import Settings

PORT = "5001"
#: Connections that wait for a prediction without keeping the health probe from its answer. Python before 3.9
#: starts a thread for every request until there are so many, and keeps them.
THREADS = 1000 if sys.version_info >= (3, 9) else 100


def main(arguments: list[str]) -> None:
    """Start the server; it ends with the process.

    Args:
        arguments: ``serve`` once the extra packages are on the import path; anything else is ignored
            (``runsvdir`` gets ``/var/runit``).

    Raises:
        SystemExit: Always.
    """
    # Without a handler the first process of a container ignores SIGTERM.
    signal.signal(signal.SIGTERM, _stop)
    try:
        asked = settings.read(os.environ)
        os.environ["AML_APP_ROOT"] = asked.app_root
        os.chdir(asked.app_root)
        if arguments != ["serve"]:
            folders = extra_packages.prepare(os.environ, asked.script_folder)
            if folders:
                os.environ["PYTHONPATH"] = os.pathsep.join([*folders, *_python_path()])
            if folders or os.environ.get(extra_packages.REQUIREMENTS):
                # A new interpreter sees what was installed; what it may be, this one has imported already.
                os.execv(sys.executable, [sys.executable, sys.argv[0], "serve"])
        serve(asked)
    except StartFailure as failure:
        sys.stdout.flush()
        print(f"start-server: {failure}", file=sys.stderr, flush=True)
        sys.exit(failure.code)


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM while it starts: nothing is in flight. An exception would pass for one of the user's init()."""
    os._exit(0)


def _python_path() -> list[str]:
    value = os.environ.get("PYTHONPATH")
    return [value] if value else []


def serve(asked: Settings) -> None:
    """Run Microsoft's server with our worker.

    Raises:
        SystemExit: When the server ends, with its exit code.
    """
    if os.environ.get("WORKER_PRELOAD", "").lower() != "true":  # there init() is called before there is a worker
        gc.disable()  # the worker says until when
    from server_start import telemetry, worker

    telemetry.install()
    worker.watch()
    os.environ["GUNICORN_CMD_ARGS"] = " ".join([*gunicorn_arguments(), os.environ.get("GUNICORN_CMD_ARGS", "")])
    from azureml_inference_server_http import amlserver
    from gunicorn.errors import HaltServer

    sys.argv = ["azmlinfsrv", "--entry_script", os.path.join(".", asked.entry_script), "--port", PORT]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what is printed stands in order in the log
    master = os.getpid()
    try:
        amlserver.run()
    except (SystemExit, HaltServer) as end:  # a worker, a copy of this process, comes by here too
        code = end.exit_status if isinstance(end, HaltServer) else end.code
        reason = worker.told(end) if code and os.getpid() == master else ""
        if not reason:
            sys.exit(code)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # gunicorn 20's handler raises where another worker ends
        sys.stdout.flush()
        # The last thing in the log, where people look first: the engine reads both streams, each for itself.
        time.sleep(0.2)
        message = "start-server: the scoring script failed, the container ends with exit code {}\n{}"
        print(message.format(SCRIPT_FAILED, reason), file=sys.stderr, end="", flush=True)
        # gunicorn's own code is another where several workers fail at a time.
        sys.exit(SCRIPT_FAILED)


def gunicorn_arguments() -> list[str]:
    """What gunicorn is told beside the server's own choices; a user's GUNICORN_CMD_ARGS comes after it and wins."""
    from gunicorn.config import KNOWN_SETTINGS

    arguments = [
        *("--worker-class", "server_start.worker.Worker"),
        *("--threads", str(THREADS), "--worker-connections", str(2 * THREADS)),
        # A client that keeps its connection would keep its worker, also a busy one while another is free.
        *(() if os.environ.get("WORKER_COUNT", "1") == "1" else ("--keep-alive", "0")),
        # The platform says how long a container may take to stop, and gunicorn's own limit would cut a queue short.
        *("--graceful-timeout", "86400"),
    ]
    if os.access("/dev/shm", os.W_OK):
        # The workers' heartbeat: in memory, and there on a read-only root.
        arguments += ["--worker-tmp-dir", "/dev/shm"]
    if any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS):
        arguments.append("--no-control-socket")  # a way into the server that nobody asked for
    return [shlex.quote(argument) for argument in arguments]
