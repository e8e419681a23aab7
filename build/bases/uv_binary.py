"""The uv that installs packages into layers, as a file for the builder stage.

Effects: installs the wheel of ``locks/tools.txt`` into ``.pipeline/tools``.
"""

from __future__ import annotations

import shutil
import sys

from build.errors import NetworkError, PipelineError
from build.locks import lock as locks
from build.locks.lock import Lock
from build.packages import uv_failures
from build.packages.index import configured
from build.packages.uv_environment import environment
from build.paths import Paths, write_atomically
from build.system import processes


def prepare(paths: Paths, lock: Lock) -> None:
    """Install the uv of a lock for Linux, as a build context; this works on any system.

    Args:
        paths: The project's files.
        lock: The lock of the builder's tools.

    Raises:
        NetworkError: The index cannot be reached.
        PipelineError: uv cannot be installed.
    """
    import uv

    stamp = paths.tools / "tools.txt"
    text = locks.to_text(lock)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text and (paths.tools / "bin" / "uv").is_file():
        return
    shutil.rmtree(paths.tools, ignore_errors=True)
    paths.tools.mkdir(parents=True)
    requirements = paths.tools / "requirements.txt"
    requirements.write_text("".join(f"{package.requirement}\n" for package in lock.packages), encoding="utf-8")
    command = [
        *(uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(paths.tools), "--no-deps", "--require-hashes"),
        *("--python-platform", lock.platform, "--python-version", lock.python, "--python", sys.executable),
        *("--requirement", str(requirements)),
    ]
    done = processes.run(command, environment=environment())
    if done.returncode != 0:
        reason = uv_failures.explain(done.stderr, configured().indexes, locked=True)
        what = "uv cannot be installed for the builder"
        kind = NetworkError if reason and reason.is_network else PipelineError
        raise kind(
            f"{what}: {reason.what}" if reason else what,
            fix=reason.fix if reason else None,
            details=done.stderr.strip()[-800:],
        )
    write_atomically(stamp, text)
