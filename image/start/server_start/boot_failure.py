"""Why a worker could not boot: told to the master through a pipe, so that it is the last thing in the log."""

from __future__ import annotations

import os
import traceback
from types import FrameType

from server_start import starting

#: Through this pipe a worker that cannot boot tells its master why. Created by `open_pipe`.
_pipe: tuple[int, int] | None = None
#: One write of less than the size of a pipe, so that the texts of two workers do not mix (bytes).
_LONGEST = 30000


def open_pipe() -> None:
    """Create the pipe that workers share with the master. Call before gunicorn runs."""
    global _pipe
    _pipe = os.pipe()
    for end in _pipe:
        os.set_blocking(end, False)


def tell(error: BaseException) -> None:
    """Tell the master why this worker cannot boot.

    Args:
        error: The exception that ends it.
    """
    text = describe(error)
    if text and _pipe is not None:
        try:
            os.write(_pipe[1], text.encode(errors="replace")[-_LONGEST:] + b"\0")
        except BlockingIOError:
            pass


def told(error: BaseException) -> str:
    """Return why the server could not boot: the traceback of the user's error, or an empty text.

    Args:
        error: The exception that ended the master.
    """
    if _pipe is not None:
        try:
            text = os.read(_pipe[0], 1 << 16)
        except BlockingIOError:
            text = b""
        if text:
            return text.split(b"\0")[0].decode(errors="replace")
    if starting.reason():
        return starting.reason()
    # With WORKER_PRELOAD the master itself imported the script, and the server raised SystemExit.
    return describe(error) if type(error.__context__).__name__.startswith("UserScript") else ""


def describe(error: BaseException) -> str:
    """Return the traceback of the exception in the user's script, without the server's frames before it.

    Args:
        error: The exception that the server raised because of it, SystemExit, after it logged the traceback.
    """
    reason = error.__context__ if isinstance(error, SystemExit) else error
    if reason is None:
        return ""
    reason = reason.__cause__ or reason
    frames = reason.__traceback__
    while frames is not None and _is_the_servers(frames.tb_frame):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(reason), reason, frames or reason.__traceback__))


def _is_the_servers(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return "azureml_inference_server_http" in file or file.startswith("<frozen importlib")
