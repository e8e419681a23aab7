"""The temporary folder of a run, and what the next run does about the folder of one that was killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from build.paths import repository
from build.system import processes, run_folder
from tests.conftest import wait_until

#: A run that starts a program of its own and one that may outlive it, prints its temporary folder and them, and waits.
RUN = """
    import pathlib, sys, tempfile, time
    from build.system import processes, run_folder

    with run_folder.opened({}):
        pathlib.Path(tempfile.gettempdir(), "left").mkdir()
        half = pathlib.Path(sys.argv[1])
        with run_folder.noted("path", str(half)), run_folder.noted("containers", "those of the run"):
            half.write_text("half of it")
            daemon = processes.start(["sleep", "600"])
            with processes.started(["sleep", "600"]) as program:
                print(tempfile.gettempdir(), program.pid, daemon.pid, flush=True)
                time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


class Other:
    """A run in another process."""

    def __init__(self, half: Path) -> None:
        command = [sys.executable, "-c", textwrap.dedent(RUN), str(half)]
        self.process = subprocess.Popen(command, cwd=repository().root, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        folder, program, daemon = self.process.stdout.readline().split()
        self.folder = Path(folder).parent
        self.program, self.daemon = psutil.Process(int(program)), psutil.Process(int(daemon))
        # The environment of a program can be read a moment after it was started.
        wait_until(lambda: "TMPDIR" in self.program.environ())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    one = Other(tmp_path / "half")
    yield one
    one.kill()
    processes.end([one.program, one.daemon])


def test_a_run_leaves_no_temporary_files(temporary: Path) -> None:
    with run_folder.opened({}):
        assert temporary in Path(tempfile.mkdtemp()).parents
        seen = processes.run(["sh", "-c", "echo $TMPDIR"]).stdout.strip()
        assert seen == tempfile.gettempdir()
    assert list(temporary.iterdir()) == []
    assert tempfile.gettempdir() == str(temporary)


def test_a_run_that_fails_leaves_no_temporary_files(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_folder.opened({}):
        tempfile.mkdtemp()
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_left(other: Other, temporary: Path, tmp_path: Path) -> None:
    assert (other.folder / "tmp/left").is_dir()
    assert (tmp_path / "half").is_file()
    other.kill()
    asked: list[object] = []

    def remember(content: object) -> bool:
        asked.append(content)
        return True

    with run_folder.opened({"containers": remember}):
        assert not other.folder.exists()
        assert not (tmp_path / "half").exists()
        assert not processes.is_alive(other.program)
        assert processes.is_alive(other.daemon), "a program that may outlive the run was ended"
        assert asked == ["those of the run"]
    assert list(temporary.iterdir()) == []


def test_a_program_that_starts_while_another_is_ended_is_ended_too(temporary: Path, tmp_path: Path) -> None:
    """As when the clean-up of a program outlives it, with an environment of its own."""
    dead = temporary / "inference-images-run-dead"
    (dead / "tmp").mkdir(parents=True)
    writer = 'echo $$ > "$2"; while :; do mkdir -p "$1/tmp/later"; : > "$1/tmp/later/file"; sleep 0.01; done'
    script = 'trap \'env -i sh -c "$3" sh "$1" "$2" & exit\' TERM; while :; do sleep 0.05; done'
    command = ["sh", "-c", script, "sh", str(dead), str(tmp_path / "writer"), writer]
    program = processes.start(command, environment={**os.environ, "TMPDIR": str(dead / "tmp")})
    wait_until(lambda: "TMPDIR" in psutil.Process(program.pid).environ())
    try:
        with run_folder.opened({}):
            assert not dead.exists()
            later = int((tmp_path / "writer").read_text())
            assert not psutil.pid_exists(later) or not processes.is_alive(psutil.Process(later))
    finally:
        processes.stop(program)


def test_what_a_killed_program_mounted_is_unmounted(temporary: Path) -> None:
    """As mmdebstrap mounts /proc in the root file system that it makes."""
    dead = temporary / "inference-images-run-dead"
    mounted = dead / "tmp" / "root"
    mounted.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "none"]
    if processes.run([*mount, str(mounted)]).returncode != 0:
        pytest.skip("this user may not mount")
    (mounted / "below").mkdir()
    processes.run([*mount, str(mounted / "below")])
    with run_folder.opened({}):
        assert not dead.exists()
    assert f" {mounted}" not in Path("/proc/self/mountinfo").read_text()


def test_a_run_that_is_alive_keeps_its_folder(other: Other, tmp_path: Path) -> None:
    with run_folder.opened({}):
        assert (other.folder / "tmp/left").is_dir()
        assert (tmp_path / "half").is_file()
        assert processes.is_alive(other.program)


def test_what_cannot_be_undone_is_tried_again(other: Other) -> None:
    other.kill()
    with run_folder.opened({"containers": lambda content: False}):
        assert other.folder.exists()
    with run_folder.opened({"containers": lambda content: True}):
        assert not other.folder.exists()


@pytest.mark.parametrize("note", ["{ half a fil", "[]", '{"kind": "of another version", "content": 1}'])
def test_a_note_that_cannot_be_read_is_removed(temporary: Path, note: str) -> None:
    dead = temporary / "inference-images-run-dead"
    dead.mkdir()
    (dead / "left-1.json").write_text(note)
    with run_folder.opened({}):
        assert not dead.exists()


def test_other_users_can_write_temporary_files_and_no_notes(temporary: Path) -> None:
    with run_folder.opened({}):
        own = Path(tempfile.gettempdir())
        assert (own.stat().st_mode & 0o7777, own.parent.stat().st_mode & 0o7777) == (0o1777, 0o711)


def test_a_scratch_folder_is_removed(tmp_path: Path) -> None:
    with run_folder.scratch(tmp_path, ".half-") as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_a_scratch_folder_is_removed_while_a_thread_still_writes_into_it(tmp_path: Path) -> None:
    """As after Ctrl-C in a download: threads are not waited for."""
    until = time.monotonic() + 1

    def write() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                (folder / str(time.monotonic_ns())).write_bytes(b"")

    parent = tmp_path / "parent"
    parent.mkdir()
    with run_folder.scratch(parent, ".work-") as folder:
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert list(parent.iterdir()) == []


def test_commands_that_write_nothing_work_where_nothing_can_be_written() -> None:
    """As on a full disk."""
    command = f"ulimit -f 0; exec {sys.executable} -m build list"
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    done = subprocess.run(["sh", "-c", command], cwd=repository().root, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "images" in done.stdout
