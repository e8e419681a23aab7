"""What init() leaves in the master, with WORKER_PRELOAD=true."""

from __future__ import annotations

import threading

import pytest

from tests.unit.start.start_modules import module


def test_threads_are_named_once(capfd: pytest.CaptureFixture[str]) -> None:
    preload = module("preload")
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="refresh")
    thread.start()
    try:
        preload.warn()
        preload.warn()
    finally:
        end.set()
        thread.join()
    said = capfd.readouterr().err
    assert said.count("WORKER_PRELOAD=true: init() started threads (") == 1
    assert "refresh" in said
    assert said.count("\n") == 1


def test_the_copies_of_a_library_are_found() -> None:
    """Without OpenMP in the process, there is nothing to end."""
    preload = module("preload")
    assert any("libc.so" in path or "libc-" in path for path in preload._loaded("libc"))
    assert preload._loaded("libgomp-is-not-loaded") == []
    preload.before_fork()
