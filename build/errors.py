"""The failures that users can cause or meet: a class and an exit code for each kind.

``build.cli`` prints them and exits with the code of the class.
"""

from __future__ import annotations


class PipelineError(Exception):
    """A failure that a user can act on.

    Args:
        what: What happened, in one sentence without a full stop.
        where: Where it happened: ``matrix.yaml:41 (frameworks.sklearn)``, a host, a path.
        fix: How to fix it: a command, an edit.
        details: The relevant lines of a log; they are printed below.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: str | None = None, fix: str | None = None, details: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.details = details


class UsageError(PipelineError):
    """A selection that matches nothing, or options that contradict each other."""

    exit_code = 2


class MatrixError(PipelineError):
    """``matrix.yaml`` is not valid."""

    exit_code = 2


class DriftError(PipelineError):
    """A committed file is not what the matrix and the locks give."""

    exit_code = 1


class LockError(PipelineError):
    """No index satisfies the requirements, or a lock is missing, damaged or stale."""

    exit_code = 1


class BuildError(PipelineError):
    """One or more images failed to build."""

    exit_code = 1


class VerifyError(PipelineError):
    """One or more images failed their tests."""

    exit_code = 1


class EngineError(PipelineError):
    """There is no engine, it is too old, or it stopped answering."""

    exit_code = 4


class RegistryError(PipelineError):
    """A registry cannot be reached, refuses a request, or stopped answering."""

    exit_code = 5
    #: Whether the request may have been carried out, or may still be: nothing answered it, or a failing server did.
    maybe_done = False


class NetworkError(PipelineError):
    """A package index or an archive cannot be reached."""

    exit_code = 6


class BusyError(PipelineError):
    """Another run uses this clone."""

    exit_code = 7


#: Exit code of an unexpected failure; its message names a log.
UNEXPECTED_EXIT_CODE = 3
#: Exit code after Ctrl-C, the shell's convention (128 + SIGINT).
INTERRUPTED_EXIT_CODE = 130
