"""The temporary folder of one run: everything that the run and its programs leave outside ``.pipeline/`` is in it.

It is removed when the run ends. A run that is killed cannot remove it: the next command does, of whichever kind and in
whichever clone. It also ends the programs that the dead run left running, and undoes what the run's notes name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from build.system import processes

if TYPE_CHECKING:
    import psutil

_PREFIX = "inference-images-run-"
#: A file in the folder. The run that owns the folder holds its lock, which the kernel releases if the run is killed.
_LOCK = "lock"
_NOTE = "left-*.json"
#: The folder for temporary files in it. Programs that run as other users (apt's, mmdebstrap's) write there too, but not
#: next to it, where the notes are.
_TEMPORARY = "tmp"
#: Seconds to try to remove the folder of a dead run, in which its programs may still write.
_PATIENCE = 5.0

#: Kind of a note → the function that undoes what a note of that kind names. It returns False to be asked again by the
#: next command.
Undo = Mapping[str, Callable[[Any], bool]]


@contextlib.contextmanager
def opened(undo: Undo) -> Iterator[None]:
    """Remove what dead runs have left, and give this run a temporary folder, which Python and all programs use.

    Args:
        undo: What to do about each kind of note.
    """
    with contextlib.ExitStack() as stack:
        try:
            before = tempfile.gettempdir()  # which tries to write, too
            _remove_left(Path(before), {"path": _remove_path, **undo})
            folder = stack.enter_context(_locked(Path(before)))
        except OSError:  # nothing can be written there, which most commands do not need
            yield
            return
        stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
        tempfile.tempdir = str(folder / _TEMPORARY)
        yield


@contextlib.contextmanager
def noted(kind: str, content: Any) -> Iterator[None]:
    """Have the next command undo something if this process is killed in the body, which undoes it otherwise.

    Args:
        kind: ``path``: a file or folder to remove; or a kind of its own, for the ``undo`` of `opened`.
        content: JSON data for the function that undoes it: for ``path`` a text.
    """
    folder = Path(tempfile.gettempdir()).parent
    if not folder.name.startswith(_PREFIX):  # no command of this program runs, but a test of it or a script
        yield
        return
    note = folder / _NOTE.replace("*", uuid.uuid4().hex)
    note.write_text(json.dumps({"kind": kind, "content": content}), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a folder for temporary files that must be on the file system of their destination.

    Args:
        parent: The folder to make it in.
        prefix: The beginning of its name.
    """
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    with noted("path", str(folder)):
        try:
            yield folder
        finally:
            # After Ctrl-C, a thread may still be writing: what it adds meanwhile is removed too.
            until = time.monotonic() + _PATIENCE
            while True:
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists() or time.monotonic() > until:
                    break
                time.sleep(0.05)


@contextlib.contextmanager
def _locked(parent: Path) -> Iterator[Path]:
    """Make a folder that is locked before it has its name, so that no other run takes it for that of a dead one."""
    new = Path(tempfile.mkdtemp(prefix="inference-images-new-", dir=parent))
    folder = parent / f"{_PREFIX}{new.name.rpartition('-')[2]}"
    lock = FileLock(new / _LOCK)
    try:
        lock.acquire(timeout=0)
        (new / _TEMPORARY).mkdir()
        (new / _TEMPORARY).chmod(0o1777)  # as /tmp has
        new.chmod(0o711)
        new.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        shutil.rmtree(new, ignore_errors=True)


def _remove_left(parent: Path, undo: Undo) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # What is in the way of one folder (another user's, a broken disk) must not stop this command.
        with contextlib.suppress(OSError, Timeout):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with FileLock(folder / _LOCK, timeout=0):
                _remove(folder, undo)


def _remove(folder: Path, undo: Undo) -> None:
    """Remove the folder of a dead run, after all that it was for."""
    until = time.monotonic() + _PATIENCE
    sessions: set[int] = set()
    while True:
        programs = _programs(folder, sessions)
        processes.end(programs)
        for note in folder.glob(_NOTE):
            _undo_note(note, undo)
        if any(folder.glob(_NOTE)):
            return
        _unmount(folder)
        if not _mounts(folder):  # what is in a mount is not removed
            shutil.rmtree(folder, ignore_errors=True)
        # Without programs, another try would change nothing.
        if not (programs or (sessions and folder.exists())) or time.monotonic() > until:
            return
        # While programs were being ended, one of them may have started another, which goes on writing.
        time.sleep(0.05)


def _undo_note(note: Path, undo: Undo) -> None:
    """Undo what a note names, and remove the note unless that is to be tried again."""
    try:
        read = json.loads(note.read_text(encoding="utf-8"))
        action = undo[read["kind"]]
        settled = action(read["content"])
    except (ValueError, LookupError, TypeError):  # the run was killed while it wrote the note, or is of another version
        settled = True
    if settled:
        note.unlink(missing_ok=True)


def _remove_path(content: Any) -> bool:
    path = Path(str(content))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return True


def _programs(folder: Path, sessions: set[int]) -> list[psutil.Process]:
    """Find the programs of a dead run that are still running: its temporary folder is theirs.

    Args:
        folder: The folder of the run.
        sessions: The sessions of the programs that earlier calls have found; those found now are added.
    """
    import psutil  # here, since it would slow down commands that have nothing to end

    found: dict[int, psutil.Process] = {}
    running = list(psutil.process_iter())
    for process in running:
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("TMPDIR") == str(folder / _TEMPORARY):
                found[process.pid] = process
                # `processes` starts each program in a session of its own.
                sessions.add(os.getsid(process.pid))
                # Its own programs may have another environment, as those that mmdebstrap runs in a root file system.
                found |= {each.pid: each for each in process.children(recursive=True)}
    sessions.discard(os.getsid(0))
    for process in running:
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) in sessions:
                found[process.pid] = process
    return [process for process in found.values() if processes.is_alive(process)]


def _unmount(folder: Path) -> None:
    """Undo what a program that was killed has mounted below the folder (mmdebstrap: /proc, /sys, /dev)."""
    for mount in reversed(_mounts(folder)):
        with contextlib.suppress(OSError):  # umount is not installed
            processes.run(["umount", "--lazy", mount])


def _mounts(folder: Path) -> list[str]:
    """Return where something is mounted below the folder."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [words[4] for line in lines if (words := line.split())[4].startswith(f"{folder}/")]
