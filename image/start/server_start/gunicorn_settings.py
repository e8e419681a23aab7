"""gunicorn's settings: the image's defaults, the user's own, and those of the user that would break the container.

Users set them in a ``gunicorn.conf.py`` in the app root, and in GUNICORN_CMD_ARGS, which may name another file.
gunicorn reads both when Microsoft's server runs it. Errors name the file or the variable, and the setting.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import shlex
import sys
import traceback
from typing import Any, Mapping, NoReturn

import gunicorn.app.wsgiapp
from gunicorn.config import get_default_config_file

from server_start.failure import WRONG_SETTING, StartFailure

VARIABLE = "GUNICORN_CMD_ARGS"
#: Where the user's settings are, for messages.
SOURCES = f"gunicorn.conf.py or {VARIABLE}"
WORKER = "server_start.worker.Worker"
#: Seconds for which a connection without a request stays open: nginx's default, as in front of the original images.
KEEP_ALIVE = 75
#: Connections of a worker, if the platform allows so many open files.
CONNECTIONS = 2000
#: Seconds for which requests in progress may go on after SIGTERM. The platform limits how long a container may take to
#: stop; gunicorn's own limit would drop waiting requests.
GRACE = 86400
#: The workers' heartbeat files are here: in memory, and writable on a read-only root.
MEMORY = "/dev/shm"

#: Settings of the user that are not used → why. Most would make the container end, or never answer.
IGNORED = {
    "bind": "the server listens on port 5001 of all addresses",
    "workers": "set WORKER_COUNT",
    "timeout": "set WORKER_TIMEOUT",
    "worker_class": "the image has its own worker",
    "threads": "a worker calls run() for one request at a time; for more set WORKER_COUNT",
    "daemon": "the container would end",
    "check_config": "the container would end",
    "print_config": "the container would end",
    "reload": "it is for development; restart the container instead",
    "reuse_port": "all workers share one socket",
    "accesslog": "the container's output has the log",
    "errorlog": "the container's output has the log",
    "capture_output": "what the script prints would be lost",
    "wsgi_app": "the image serves Microsoft's server",
    "paste": "the image serves Microsoft's server",
    "protocol": "the image's worker speaks HTTP/1.1",
    "http_protocols": "the image's worker speaks HTTP/1.1",
    "proxy_protocol": "the image's worker does not read it",
}
#: Values of IGNORED settings that ask for what happens anyway, in addition to gunicorn's own default.
_SAME = {
    "bind": ("0.0.0.0:5001", "[::]:5001", ":5001"),
    "worker_class": (WORKER,),
    "accesslog": ("-",),
    "errorlog": ("-",),
    "threads": (1,),
    "proxy_protocol": (False, "off"),
}
#: Settings that only root can use.
_OF_ROOT = ("user", "group")


def install() -> None:
    """Make Microsoft's server run gunicorn with the settings of this module. Call this before the server runs."""
    gunicorn.app.wsgiapp.WSGIApplication = Application


class Application(gunicorn.app.wsgiapp.WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's application for Microsoft's server."""

    cfg: Any

    def do_load_config(self) -> None:
        """Load all settings.

        Raises:
            StartFailure: A setting of the user is wrong.
        """
        self.load_default_config()
        for name, value in defaults(self.cfg.settings).items():
            self.cfg.set(name, value)
        self.load_config()

    def load_config(self) -> None:
        """Set what the user sets, then what Microsoft's server sets on gunicorn's command line (`sys.argv`)."""
        parser = self.cfg.parser()
        servers = parser.parse_args()
        self.init(parser, servers, servers.args)  # sets the application
        self.chdir()
        users = _arguments(parser, os.environ.get(VARIABLE, ""))
        asked: list[tuple[str, str, Any]] = []
        file = users.config or get_default_config_file()
        if file:
            asked += [(file, name, value) for name, value in self._read(file).items() if name in self.cfg.settings]
        asked += [(VARIABLE, name, value) for name, value in _given(users).items() if name != "config"]
        self._set_users(asked)
        for name, value in _given(servers).items():
            self.cfg.set(name, value)
        if self.cfg.preload_app and os.environ.get("WORKER_PRELOAD", "").lower() != "true":
            os.environ["WORKER_PRELOAD"] = "true"  # the same by another name
            gc.enable()
        self._check()
        self.chdir()

    def reload(self) -> None:
        """Load the settings again, on SIGHUP. If they are wrong, the server goes on with those that it has."""
        before = self.cfg
        try:
            super().reload()
        except StartFailure as failure:
            _warn(f"the settings are not loaded again: {failure}")
            self.cfg = before

    def _read(self, file: str) -> Mapping[str, Any]:
        try:
            if file.startswith("python:"):
                return vars(importlib.import_module(file[len("python:") :]))
            path = file[len("file:") :] if file.startswith("file:") else file
            if not os.path.isfile(path):
                what = "is not a file" if os.path.exists(path) else "does not exist"
                raise StartFailure(f"{VARIABLE}: {path}, gunicorn's configuration file, {what}", WRONG_SETTING)
            values: Mapping[str, Any] = self.get_config_from_filename(path)  # prints a traceback, exits
        except StartFailure:
            raise
        except (Exception, SystemExit) as error:
            reason = "see the traceback above" if isinstance(error, SystemExit) and error.code == 1 else repr(error)
            message = f"{file}, gunicorn's configuration file, failed: {reason}; correct it, or remove it"
            raise StartFailure(message, WRONG_SETTING) from error
        return values

    def _set_users(self, asked: list[tuple[str, str, Any]]) -> None:
        for source, name, value in asked:
            reason = self._why_not(name, value)
            if reason:
                _warn(f"{source}: {name} = {value!r} is ignored: {reason}")
                continue
            if name in IGNORED:
                continue
            try:
                self.cfg.set(name, value)
            except Exception as error:
                message = f"{source}: {name} = {value!r} is not valid: {error}"
                raise StartFailure(message, WRONG_SETTING) from error

    def _why_not(self, name: str, value: Any) -> str:
        """Return why a setting of the user is not used; empty if it is, or if it changes nothing."""
        default = self.cfg.settings[name].default
        if name in IGNORED:
            one = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
            harmless = value == default or one in _SAME.get(name, ()) or str(one) == _of_server(name)
            return "" if harmless else IGNORED[name]
        if name in _OF_ROOT and os.geteuid() != 0 and not self._is_own(name, value):
            return f"only root can change it, and the container's user is {os.geteuid()}"
        folder = {"pidfile": lambda: os.path.dirname(os.path.abspath(value)), "worker_tmp_dir": lambda: value}.get(name)
        if folder and isinstance(value, str) and not os.access(folder(), os.W_OK | os.X_OK):
            return f"{folder()} is not a folder that is writable"
        return ""

    def _is_own(self, name: str, value: Any) -> bool:
        """Return whether a user or group is the one of this process, to which gunicorn's settings default."""
        setting = self.cfg.settings[name]
        try:
            return bool(setting.validator(value) == setting.get())
        except Exception:  # noqa: BLE001 - an unknown name
            return False

    def run(self) -> None:
        """Run the server until it ends.

        Raises:
            StartFailure: gunicorn could not start with the user's settings (a hook failed, a file cannot be used).
        """
        master = os.getpid()
        try:
            super().run()
        except Exception as error:
            if os.getpid() == master:
                traceback.print_exc()
                raise _failure(error) from error
            raise
        except SystemExit as end:
            # With these codes gunicorn itself ends after an exception, which it has printed.
            if os.getpid() == master and end.code in (1, -1) and isinstance(end.__context__, Exception):
                raise _failure(end.__context__) from end
            raise

    def _check(self) -> None:
        """Check settings that gunicorn itself uses only when it is too late for a clear message.

        Raises:
            StartFailure: One is wrong.
        """
        if self.cfg.is_ssl:
            _check_certificate(self.cfg)
        try:
            self.cfg.logger_class, self.cfg.env  # noqa: B018 - it loads the class, and splits the variables
            if hasattr(self.cfg, "validate"):
                self.cfg.validate()
        except Exception as error:
            raise _failure(error) from error


def defaults(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image's own defaults. The user's settings override them, except for those in `IGNORED`.

    Args:
        known: The settings that this version of gunicorn has.
    """
    values: dict[str, Any] = {
        "worker_class": WORKER,
        "worker_connections": CONNECTIONS,
        "keepalive": KEEP_ALIVE,
        "graceful_timeout": GRACE,
    }
    if os.access(MEMORY, os.W_OK):
        values["worker_tmp_dir"] = MEMORY
    if "control_socket_disable" in known:
        values["control_socket_disable"] = True  # an interface to the server that is not needed
    return values


def _arguments(parser: argparse.ArgumentParser, text: str) -> argparse.Namespace:
    """Parse GUNICORN_CMD_ARGS.

    Raises:
        StartFailure: It is not a list of gunicorn's options.
    """

    def fail(message: str) -> NoReturn:
        raise StartFailure(f"{VARIABLE}={text!r}: {message}", WRONG_SETTING)

    parser.error = fail  # type: ignore[method-assign]  # the original prints the usage and exits
    try:
        return parser.parse_args(shlex.split(text))
    except ValueError as error:
        fail(str(error))
    except SystemExit:
        fail("the container would end; remove --help or --version")
    raise AssertionError  # for mypy: `fail` always raises


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(arguments).items() if value is not None and name != "args"}


def _of_server(name: str) -> str:
    """Return the value with which Microsoft's server overrides a setting; empty if it does not."""
    variables = {"workers": ("WORKER_COUNT", "1"), "timeout": ("WORKER_TIMEOUT", "300")}
    return os.environ.get(*variables[name]) if name in variables else ""


def _failure(error: Exception) -> StartFailure:
    lines = [line for line in str(error).splitlines() if line.strip(" []")]
    # gunicorn puts a whole traceback into the text of some errors.
    text = " … ".join([lines[0].rstrip(), *lines[-1:]] if len(lines) > 1 else lines)
    message = f"gunicorn could not run with its settings: {type(error).__name__}: {text}; correct {SOURCES}"
    return StartFailure(message, WRONG_SETTING)


def _check_certificate(cfg: Any) -> None:
    import ssl  # here, since few containers speak TLS

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cfg.certfile, cfg.keyfile, password=_no_password)
        if cfg.ca_certs:
            context.load_verify_locations(cfg.ca_certs)
        if cfg.ciphers:
            context.set_ciphers(cfg.ciphers)
    except (OSError, TypeError, ValueError) as error:
        files = f"certfile = {cfg.certfile!r}, keyfile = {cfg.keyfile!r}, ca_certs = {cfg.ca_certs!r}"
        raise StartFailure(
            f"gunicorn's settings for TLS are not valid: {error} ({files}); correct {SOURCES}", WRONG_SETTING
        ) from error


def _no_password() -> NoReturn:
    raise ValueError("the key has a password; the server needs one without")


def _warn(message: str) -> None:
    print(f"start-server: {message}", file=sys.stderr, flush=True)
