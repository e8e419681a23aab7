"""The processes that the user's code starts behave as in any program.

A fork of a worker inherits three things that it must not keep: the server's signal handlers, which note a signal but do
not end the process; the connections of the clients, which would stay open as long as the child lives; and the stack of
calls, so that a child that returns from run(), or calls sys.exit() in it, would go on as a second worker.

Processes that run another program inherit none of these: Python closes the files, and the kernel resets the handlers.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import stat
import sys
import threading
import traceback
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Iterable, Iterator, NoReturn

from server_start import pickling

#: The name under which Microsoft's server imports the user's script.
ENTRY = "entry_module"
_USER_SCRIPT = "azureml_inference_server_http.server.user_script"
#: The packages whose signal handlers children do not inherit.
_SERVERS = ("gunicorn", "server_start", "azureml_inference_server_http")
#: Signals that one process sends to another.
_BLOCKED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

#: Holds `mask`: the signals that the thread had blocked before it forked.
_thread = threading.local()
#: True while gunicorn's master forks a worker.
_forking_worker = False
#: Where the server listens: ports, and paths of Unix sockets.
_addresses: frozenset[Any] = frozenset()


def install() -> None:
    """Prepare this process and its forks. Call it once, in the first process, before it imports the script."""
    os.register_at_fork(before=_block_signals, after_in_parent=_unblock_signals, after_in_child=_become_ordinary)
    module_from_spec = importlib.util.module_from_spec

    def register(spec: ModuleSpec) -> ModuleType:
        module = module_from_spec(spec)
        if spec.name == ENTRY:
            pickling.install(module)
            _end_children_that_return()
        return module

    importlib.util.module_from_spec = register


@contextmanager
def forking_worker(listeners: Iterable[Any]) -> Iterator[None]:
    """Within this context, the process forks a worker, not a child of the user's code.

    Args:
        listeners: The sockets on which the worker will listen.
    """
    global _addresses, _forking_worker
    _addresses = frozenset(_local_address(listener) for listener in listeners)
    _forking_worker = True
    try:
        yield
    finally:
        _forking_worker = False


def _block_signals() -> None:
    """Before a fork: a signal that came before `_become_ordinary` would be lost in the child."""
    _thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _thread.mask)


def _become_ordinary() -> None:
    """Undo what a fork inherits from the server; runs in the child, right after the fork."""
    try:
        _reset()
    finally:
        _unblock_signals()


def _reset() -> None:
    global _forking_worker
    worker, _forking_worker = _forking_worker, False
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        if str(getattr(signal.getsignal(number), "__module__", "")).partition(".")[0] in _SERVERS:
            # A worker sets its own handlers. Until then, Ctrl-C must not raise an exception in gunicorn's code.
            python = number == signal.SIGINT and not worker
            signal.signal(number, signal.default_int_handler if python else signal.SIG_DFL)
    if not worker:
        pickling.register_in_fork()
        _drop_sockets()


def _drop_sockets() -> None:
    """Close the server's sockets. Their numbers stay in use: the objects that own them may close them again."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in map(int, os.listdir("/proc/self/fd")):
        if _is_the_servers(number):
            os.dup2(null, number, inheritable=False)
    os.close(null)


def _is_the_servers(number: int) -> bool:
    """Tell whether a file descriptor is a socket on which the server listens, or a connection that it accepted."""
    try:
        if not _addresses or not stat.S_ISSOCK(os.fstat(number).st_mode):
            return False
        sock = socket.socket(fileno=number)
    except OSError:
        return False
    try:
        return _local_address(sock) in _addresses
    finally:
        sock.detach()


def _local_address(sock: Any) -> Any:
    """Return the port, or the path of a Unix socket; None for sockets that have neither, and for closed ones."""
    try:
        address = sock.getsockname()
    except OSError:
        return None
    if isinstance(address, tuple):
        return address[1] if sock.family in (socket.AF_INET, socket.AF_INET6) else None
    return address or None


def _end_children_that_return() -> None:
    """End children that return from the user's init() or run(), or raise an exception in it."""
    script: Any = sys.modules[_USER_SCRIPT]
    script.UserScript.invoke_init = _ending_children(script.UserScript.invoke_init)
    script.UserScript.invoke_run = _ending_children(script.UserScript.invoke_run)


def _ending_children(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        process = os.getpid()
        try:
            result = function(*arguments, **named)
        except BaseException as error:
            if os.getpid() != process:
                _end(error)
            raise
        if os.getpid() != process:
            _end(None)
        return result

    return call


def _end(error: BaseException | None) -> NoReturn:
    """End a forked process as the end of a program would, but without the exit handlers, which are its parent's.

    Args:
        error: The exception that ends it. The server has wrapped the script's own in another one.
    """
    code = 0
    while error is not None and type(error).__module__.startswith("azureml_inference_server_http"):
        error = error.__cause__
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    elif error is not None:
        code = 1
        traceback.print_exception(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code & 0xFF)
