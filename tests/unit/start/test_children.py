"""Forks of the server, in a process of their own: what registers itself for forks cannot be removed again."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from tests.unit.start.start_modules import START

#: A server: it listens, has a client, and handles signals like gunicorn.
SERVER = f"""
import importlib.util, json, os, signal, socket, sys, time, types
sys.path.insert(0, {str(START)!r})
from server_start import children

def note(number, frame):
    pass

note.__module__ = "gunicorn.workers.base"
children.install()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGUSR1):
    signal.signal(number, note)
listener = socket.create_server(("127.0.0.1", 0))
with children.forking_worker([listener]):
    pass
client = socket.create_connection(listener.getsockname())
accepted, _ = listener.accept()

def end_of(child):
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
"""


def run(code: str) -> Any:
    """Run a server, and return what it prints as JSON."""
    source = SERVER + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGALRM", "SIGUSR1"])
def test_a_signal_ends_a_child(name: str) -> None:
    ended = run(f"""
        child = os.fork()
        if not child:
            try:
                time.sleep(30)
            except KeyboardInterrupt:
                os._exit(77)
            os._exit(0)
        time.sleep(0.1)
        os.kill(child, signal.{name})
        print(json.dumps([end_of(child), signal.{name}]))
        """)
    assert ended[0] == (77 if name == "SIGINT" else -ended[1])


def test_a_signal_right_after_the_fork_is_not_lost() -> None:
    """`Process.terminate` right after `Process.start`."""
    ends = run("""
        ends = []
        for _ in range(50):
            child = os.fork()
            if not child:
                signal.alarm(5)
                time.sleep(30)
                os._exit(0)
            os.kill(child, signal.SIGTERM)
            ends.append(end_of(child))
        print(json.dumps([ends, sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))]))
        """)
    assert ends == [[-15] * 50, []]


def test_the_users_own_handlers_are_inherited_and_the_wakeup_pipe_is_not() -> None:
    kept = run("""
        def mine(number, frame):
            os._exit(5)
        signal.signal(signal.SIGUSR2, mine)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        signal.set_wakeup_fd(writer)
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(5)
            os._exit(0)
        code = end_of(child)
        try:
            woken = os.read(reader, 10).decode()
        except BlockingIOError:
            woken = None
        print(json.dumps([code, woken]))
        """)
    assert kept == [5, None]


def test_a_child_does_not_keep_connections_open() -> None:
    """The client gets the end of the answer although the child lives, and the child's own sockets are not touched."""
    received, kept = run("""
        mine, theirs = socket.socketpair()
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            number = listener.fileno()
            listener.close()
            again = open("/dev/zero", "rb")  # gets the number
            same = again.fileno() == number
            theirs.sendall(b"kept" if same and again.read(1) else b"lost")
            os.write(writer, b".")
            time.sleep(10)
        os.read(reader, 1)
        accepted.close()
        listener.close()
        client.settimeout(5)
        print(json.dumps([client.recv(10).decode(), mine.recv(10).decode()]))
        os.kill(child, signal.SIGKILL)
        """)
    assert (received, kept) == ("", "kept")


def test_a_worker_keeps_its_sockets() -> None:
    code, text = run("""
        signal.signal(signal.SIGINT, note)
        with children.forking_worker([listener]):
            child = os.fork()
        if not child:
            right = signal.getsignal(signal.SIGINT) == signal.SIG_DFL  # no exception in gunicorn's code
            accepted.sendall(b"answer" if right else b"wrong")
            os._exit(0)
        print(json.dumps([end_of(child), client.recv(10).decode()]))
        """)
    assert (code, text) == (0, "answer")


@pytest.mark.parametrize(
    ("statement", "code", "says"),
    [
        ("return 1", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(5)", 5, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("raise ValueError('bad')", 1, "ValueError: bad\n"),
        ("os._exit(9)", 9, ""),
    ],
)
def test_a_fork_of_run_ends_where_run_ends(statement: str, code: int, says: str) -> None:
    """It does not go on in the server, and does not run the exit handlers of its parent."""
    ended, error = run(f"""
        import atexit
        name = "azureml_inference_server_http.server.user_script"
        class UserScriptException(Exception):
            __module__ = name
        class UserScript:
            def invoke_init(self):
                pass
            def invoke_run(self):
                try:
                    return self.run()
                except Exception as error:
                    raise UserScriptException() from error
            def run(self):
                global child
                child = os.fork()
                if not child:
                    os.dup2(writer, 2)
                    {statement}
                return 1
        sys.modules[name] = types.SimpleNamespace(UserScript=UserScript)
        importlib.util.module_from_spec(importlib.util.spec_from_file_location("entry_module", "score.py"))
        reader, writer = os.pipe()
        parent = os.getpid()
        atexit.register(lambda: os.getpid() == parent or os.write(writer, b"exit handler"))
        UserScript().invoke_run()
        if os.getpid() != parent:
            os.write(writer, b"a second server")
            os._exit(99)
        os.close(writer)
        code = end_of(child)
        print(json.dumps([code, os.read(reader, 10000).decode()]))
        """)
    assert ended == code
    assert error.endswith(says)
    assert bool(error) == bool(says)
