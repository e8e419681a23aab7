"""The moves of tags: each is checked right before and read back after; if one fails, ``latest`` moves back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from build.errors import PipelineError, RegistryError
from build.publish.lock import Guard, LostLockError
from build.publish.plan import Plan
from build.publish.records import read_tags
from build.publish.release import Place
from build.publish.targets import Rules
from build.publish.writes import UnansweredInterrupt, Writes
from build.registry.client import Client
from build.registry.failures import ImmutableTagError
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system import console


@dataclass(frozen=True, kw_only=True)
class Move:
    """A tag that must point to another manifest."""

    repository: str
    tag: str
    #: What it will point to.
    manifest: Manifest
    #: What it points to now; None if it does not exist.
    former: Manifest | None

    @property
    def former_digest(self) -> str | None:
        return self.former.digest if self.former else None

    @property
    def name(self) -> str:
        return f"{self.repository}:{self.tag}"


#: ``asked``: the request was sent, and its outcome is unknown. ``unsettled``: it is done, but an earlier attempt had no
#: answer, and may still be carried out.
_State = Literal["asked", "done", "unsettled", "refused"]


@contextlib.contextmanager
def advice_about_latest(command: str, rules: Rules) -> Iterator[None]:
    """Name the option for registries whose tags cannot be moved, unless the run has it.

    Args:
        command: The name of the command.
        rules: What a person allows.
    """
    try:
        yield
    except ImmutableTagError as error:
        if rules.latest:
            error.fix = f"{command} with --no-latest, which moves no tag"
        raise


@contextlib.contextmanager
def nothing_moved(plans: Sequence[Plan]) -> Iterator[None]:
    """Add to a failure which images of the run are in the registry."""
    try:
        yield
    except PipelineError as error:
        kept = [plan.item.name for plan in plans if plan.pushed]
        state = "no tag was moved"
        if kept:
            state += f"; pushed and kept for the next run: {', '.join(kept)}"
        add_details(error, state)
        raise


@contextlib.contextmanager
def unfinished(number: str, command: str = "publish") -> Iterator[None]:
    """Add to a failure that a release is not finished.

    Args:
        number: The release.
        command: What finishes it.
    """
    state = f"release {number} is not finished; {command} again to finish it"
    try:
        yield
    except PipelineError as error:
        add_details(error, state)
        raise
    except KeyboardInterrupt:
        console.warn(state)
        raise


def add_details(error: PipelineError, *lines: str) -> None:
    """Add lines to the details of a failure."""
    error.details = "\n".join(text for text in (error.details, *lines) if text)


class Moves:
    """The moves of a run.

    Args:
        remote: The registry.
        writes: Writes the tags.
        guard: Checked before each write.
    """

    def __init__(self, remote: Client, writes: Writes, guard: Guard) -> None:
        self._remote = remote
        self._writes = writes
        self._guard = guard
        self._states: list[tuple[Move, _State]] = []
        #: The first request for moving back that nothing answered.
        self._silence: RegistryError | None = None

    def run(self, moves: Sequence[Move]) -> None:
        """Move tags, in their order; if one fails, every ``latest`` that this run moved moves back.

        Raises:
            RegistryError: A tag could not be moved, or another run or program moved it; the details say what each
                ``latest`` is now.
        """
        try:
            for move in moves:
                self._move(move)
        except LostLockError as error:
            add_details(error, *self._left_to_the_other_run())
            raise
        except PipelineError as error:
            add_details(error, *self._move_back())
            raise
        except BaseException:
            for line in self._move_back():
                console.warn(line)
            raise

    def read_back(self, wanted: Mapping[Place, str], more: Sequence[Place]) -> dict[Place, str | None]:
        """Read tags after the moves.

        Args:
            wanted: Repository and tag → the digest that it must have.
            more: Further tags, which may have any.

        Returns:
            Repository and tag → the digest that it has.

        Raises:
            RegistryError: A tag that must be something is something else; or the registry does not answer.
        """
        try:
            tags = read_tags(self._remote, [*wanted, *more])
        except RegistryError as error:
            add_details(error, "all tags were moved, but it could not be read back whether they still are")
            raise
        for (repository, tag), digest in wanted.items():
            if (actual := tags[repository, tag]) != digest:
                self._guard.check()  # the message of a lost lock names the other run
                raise _moved_by_another(self._remote, repository, tag, actual)
        return tags

    def _move(self, move: Move) -> None:
        self._guard.check()
        actual = self._remote.digest(move.repository, move.tag)
        if actual == move.manifest.digest:
            return
        if actual != move.former_digest:
            raise _moved_by_another(self._remote, move.repository, move.tag, actual)
        self._states.append((move, "asked"))
        try:
            is_settled = self._writes.put(move.repository, move.tag, move.manifest)
        except UnansweredInterrupt:
            raise
        except KeyboardInterrupt:
            self._set("done")
            raise
        except RegistryError as error:
            # The registry may have moved it all the same.
            with contextlib.suppress(RegistryError):
                if self._remote.digest(move.repository, move.tag) == move.manifest.digest:
                    self._set("unsettled" if error.maybe_done else "done")
                    return
                if not error.maybe_done:
                    self._set("refused")
            raise
        self._set("done" if is_settled else "unsettled")

    def _set(self, state: _State) -> None:
        self._states[-1] = (self._states[-1][0], state)

    def _move_back(self) -> list[str]:
        """Move back each ``latest`` that this run moved, or may have moved; returns lines for the message."""
        begun = [(move, state) for move, state in reversed(self._states) if move.tag == LATEST and state != "refused"]
        lines = [line for move, state in begun if (line := self._moved_back(move, state))]
        return lines or ["every 'latest' is what it was before"]

    def _moved_back(self, move: Move, state: _State) -> str:
        """Move one back; returns what is to be said about it, an empty text where it is what it was."""
        if self._silence:  # each further request would wait as long as that one
            return _unknown(move, self._silence)
        try:
            actual = self._remote.digest(move.repository, move.tag)
            if actual == move.manifest.digest:
                self._guard.check()
                if move.former is None:
                    return self._remove(move)
                self._writes.put(move.repository, move.tag, move.former)
                actual = self._remote.digest(move.repository, move.tag)
        except RegistryError as failure:
            if failure.is_unanswered:
                self._silence = failure
            return _unknown(move, failure)
        if state in ("asked", "unsettled"):
            return (
                f"{move.name} is unknown: the registry did not answer a request to move it, and may still carry it "
                f"out; when it was last read it was {self._in_words(move, actual)}"
            )
        if actual != move.former_digest:
            return f"{move.name} was moved by another program: it is {actual or 'gone'}"
        return ""

    def _remove(self, move: Move) -> str:
        with contextlib.suppress(RegistryError):
            self._remote.remove_tag(move.repository, move.tag)
        if self._remote.digest(move.repository, move.tag) is None:
            return ""
        return f"{move.name} is new and stays: the registry did not delete it"

    def _in_words(self, move: Move, actual: str | None) -> str:
        if actual == move.former_digest:
            return "what it was before" if actual else "not there"
        return "the new image" if actual == move.manifest.digest else f"{actual or 'gone'}"

    def _left_to_the_other_run(self) -> list[str]:
        moved = [move.name for move, state in self._states if state != "refused"]
        if not moved:
            return ["this run moved no tag"]
        return [f"this run moved {', '.join(moved)}; the other run decides what becomes of them"]


def _unknown(move: Move, failure: RegistryError) -> str:
    return f"it is unknown which image {move.name} points to, the new one or the old one ({failure.what})"


def _moved_by_another(remote: Client, repository: str, tag: str, actual: str | None) -> RegistryError:
    return RegistryError(
        f"another run or program moved {repository}:{tag} in the meantime: it is {actual or 'gone'}",
        where=remote.registry.reference(repository, tag),
        fix="run it again when nothing else writes to this registry",
    )
