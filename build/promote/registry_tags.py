"""The last steps in a registry, under its lock: immutable tags, then the record, then ``latest``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from build.promote.base_tags import missing_base_tags
from build.promote.decision import Decision, check_tags
from build.promote.found import Found
from build.publish import records
from build.publish.lock import Guard, NoGuard, locked
from build.publish.origin import Origin
from build.publish.record_write import write_record
from build.publish.records import read_tags
from build.publish.release import Place
from build.publish.tag_moves import Move, Moves, advice_about_latest, unfinished
from build.publish.targets import Rules
from build.publish.writes import Writes
from build.registry.manifests import Manifest
from build.registry.transfer import TransferClient
from build.system.parallel import run_parallel

COMMAND = "promote"


@dataclass(frozen=True, kw_only=True)
class RegistryTags:
    """Moves the tags of a registry that has everything else.

    Args:
        remote: The registry.
        repository: The repository of the records.
        origin: This run.
        rules: What a person allows.
    """

    remote: TransferClient
    repository: str
    origin: Origin
    rules: Rules

    def move(self, found: Found, decide: Callable[[], Decision]) -> Decision:
        """Move the tags.

        Args:
            found: What belongs to the release.
            decide: Reads the registry and decides; called when the lock is held, since another run may have published.

        Returns:
            What was decided, and is in the registry now.

        Raises:
            RegistryError: The registry is not there, refuses, or fails; another run publishes; or the release is
                refused now. The details say what each ``latest`` is.
        """
        remote, writes = self.remote, Writes(self.remote)
        with contextlib.ExitStack() as stack:
            stack.enter_context(advice_about_latest("promote", self.rules))
            guard: Guard = NoGuard()
            if self.rules.latest:
                guard = stack.enter_context(locked(remote, self.repository, self.origin, writes))
            decision = decide()
            check_tags(decision, read_tags(remote, decision.immutable), remote)
            moves = Moves(remote, writes, guard)
            manifests = found.manifests()
            moves.run(self._moves({**missing_base_tags(found.bases, remote), **self._unfinished()}, manifests))
            moves.run(self._moves(decision.immutable, manifests))
            for record in decision.records:
                write_record(remote, self.repository, record, writes, guard, COMMAND)
            with unfinished(decision.release.number, COMMAND):
                moves.run(self._moves(decision.rolling, manifests))
                moves.read_back(decision.tags, [])
            return decision

    def _unfinished(self) -> dict[Place, str]:
        """The immutable tags that an interrupted publish to the registry left out: nobody else would write them."""
        family = records.read(self.remote, self.repository)
        former = family.release.immutable_tags() if family.release else {}
        return {
            (each.repository, each.tag): each.wanted
            for each in family.differences
            if (each.repository, each.tag) in former
            and not each.is_conflict
            and (each.repository, each.wanted) not in family.gone
        }

    def _moves(self, tags: Mapping[Place, str], manifests: Mapping[Place, Manifest]) -> list[Move]:
        actual = read_tags(self.remote, tags)
        wanted = {place: digest for place, digest in tags.items() if actual[place] != digest}

        def move(place: Place) -> Move:
            repository, tag = place
            manifest = manifests.get((repository, wanted[place]))
            return Move(
                repository=repository,
                tag=tag,
                manifest=manifest or self.remote.manifest(repository, wanted[place]),
                former=self.remote.find_manifest(repository, tag),
            )

        return run_parallel(move, wanted)
