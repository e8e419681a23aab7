"""Every failure a user can cause or meet: one class and one exit code for each kind.

The text of an error says what happened; ``where`` names the place (file, line, key); ``fix`` says what to do.
``build.cli`` prints them and exits with the class's code.
"""

from __future__ import annotations


class PipelineError(Exception):
    """A failure that a user can act on.

    Args:
        what: What happened, one sentence, no trailing full stop needed.
        where: The place: ``matrix.yaml:41 (frameworks.sklearn)``, a host, a path.
        fix: What to do about it: a command, an edit.
        details: The lines of a log that matter, printed below.
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
    """A selection that matches nothing, a flag that makes no sense."""

    exit_code = 2


class MatrixError(PipelineError):
    """``matrix.yaml`` is wrong."""

    exit_code = 2


class DriftError(PipelineError):
    """What is committed is not what the matrix gives."""

    exit_code = 1


class LockError(PipelineError):
    """Requirements that no index can satisfy, or a lock that is missing or stale."""

    exit_code = 1


class BuildError(PipelineError):
    """One or more images failed to build."""

    exit_code = 1


class VerifyError(PipelineError):
    """One or more images do not keep the contract."""

    exit_code = 1


class EngineError(PipelineError):
    """No engine, an engine that is too old, or one that stopped answering."""

    exit_code = 4


class RegistryError(PipelineError):
    """A registry that is not there, refuses, or stopped answering."""

    exit_code = 5


class NetworkError(PipelineError):
    """A package index or archive that cannot be reached."""

    exit_code = 6


class BusyError(PipelineError):
    """Another run works in this clone."""

    exit_code = 7


#: Exit code for a failure that nobody foresaw; its message names the log.
UNEXPECTED_EXIT_CODE = 3
#: Exit code after Ctrl-C, the shell's convention (128 + SIGINT).
INTERRUPTED_EXIT_CODE = 130
