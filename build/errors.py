"""The failures that users can cause or meet: a class and an exit code for each kind.

``build.cli`` prints them and exits with the code of the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


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

    @property
    def reason(self) -> str:
        """What happened, where, and how to fix it, in one line."""
        where = f" ({self.where})" if self.where else ""
        return f"{self.what}{where}" + (f"; {self.fix}" if self.fix else "")


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
    #: Whether nothing answered.
    is_unanswered = False
    #: Whether another attempt may succeed, and the client has not made all of them itself.
    may_pass = False


class NetworkError(PipelineError):
    """A package index or an archive cannot be reached."""

    exit_code = 6


class BusyError(PipelineError):
    """Another run uses this clone."""

    exit_code = 7


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """An image that a command left out because it cannot be made; it stops no other image."""

    #: The image name.
    name: str
    why: PipelineError


def left_out_lines(left_out: Iterable[LeftOut]) -> list[str]:
    """Say in one line for each reason which images are left out."""
    names: dict[str, list[str]] = {}
    for each in left_out:
        names.setdefault(each.why.reason, []).append(each.name)
    return [f"{', '.join(some)} {'is' if len(some) == 1 else 'are'} left out: {why}" for why, some in names.items()]


class LeftOutError(PipelineError):
    """Some of the selected images cannot be made; everything else was done.

    Its exit code is 1; if no image could be made, and all for one kind of reason, it is the code of that kind.

    Args:
        left_out: At least one.
        selected: The number of images that were to be made.
        kind: Another name of what they are.
    """

    def __init__(self, left_out: Sequence[LeftOut], selected: int, kind: str = "images") -> None:
        super().__init__(
            f"{len(left_out)} of {selected} {kind} were left out: {', '.join(item.name for item in left_out)}",
            fix="see below for each of them" + ("" if len(left_out) == selected else "; all others were done"),
            details=_reasons(left_out),
        )
        codes = {item.why.exit_code for item in left_out}
        self.exit_code = codes.pop() if len(left_out) == selected and len(codes) == 1 else 1


class NotReadyError(PipelineError):
    """Some images cannot be released, and so none is: no job builds, or no tag moves.

    Args:
        missing: At least one.
        selected: The number of images of the release.
        fix: What to do next.
    """

    exit_code = 1

    def __init__(self, missing: Sequence[LeftOut], selected: int, fix: str) -> None:
        super().__init__(
            f"{len(missing)} of {selected} images cannot be released: {', '.join(item.name for item in missing)}",
            fix=fix,
            details=_reasons(missing),
        )


def _reasons(left_out: Iterable[LeftOut]) -> str:
    """Say each reason once, with the images, where it is and how to fix it."""
    reasons: dict[str, list[LeftOut]] = {}
    for item in left_out:
        why = item.why
        reasons.setdefault(f"{why.what} {why.where} {why.fix} {why.details}", []).append(item)
    details: list[str] = []
    for items in reasons.values():
        why = items[0].why
        details.append(f"{', '.join(item.name for item in items)}: {why.what}")
        details += [f"  where: {why.where}"] if why.where else []
        details += [f"  fix: {why.fix}"] if why.fix else []
        details += [f"  {line}" for line in (why.details or "").splitlines()]
    return "\n".join(details)


#: Exit code of an unexpected failure; its message names a log.
UNEXPECTED_EXIT_CODE = 3
#: Exit code after Ctrl-C, the shell's convention (128 + SIGINT).
INTERRUPTED_EXIT_CODE = 130
