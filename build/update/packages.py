"""Move the pins of a project and make its locks again.

A pin whose new release cannot be locked with the rest of its image stays, and the others are tried without it.
Effects: the network; writes the matrix of the copy.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from build.checkout.project import Project, open_project
from build.feasibility.facts import Facts
from build.locks.make import NewLocks
from build.matrix.edit import edited
from build.matrix.positions import KeyPath
from build.paths import write_atomically
from build.system import console
from build.update import relock
from build.update.decide import Decision, Held, decide
from build.update.lookup import look_up
from build.update.pins import exact_pins
from build.update.staging import Staging


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A project with moved pins, and its new locks, which are not written."""

    project: Project
    decisions: tuple[Decision, ...]
    locks: NewLocks

    @property
    def held(self) -> tuple[Held, ...]:
        """The releases that are held back, and the images whose locks could not be made here."""
        found = [held for decision in self.decisions for held in decision.held]
        for name, failure in self.locks.not_reached.items():
            reason = f"it keeps its lock: {failure.what}"
            found.append(Held(name="(all packages)", version="", newer="", images=(name,), reason=reason))
        return tuple(found)


def move(staging: Staging, project: Project, day: datetime.date, today: datetime.date) -> Moved:
    """Decide which pins move, write the matrix of the copy, and resolve all images.

    Args:
        staging: The copy.
        project: The project itself.
        day: The new ``exclude-newer``.
        today: The day (UTC) that the ends of images are compared with.

    Raises:
        NetworkError: An index does not answer.
        LockError: An image cannot be built although none of its pins moved.
    """
    facts = Facts(project)
    facts.prepare()
    pins = exact_pins(project, today)
    files = look_up(facts, pins)
    facts.check_upload_times()
    refused: dict[KeyPath, dict[str, str]] = {pin.keys: {} for pin in pins}
    while True:
        decisions = tuple(decide(pin, files[pin.keys], day.isoformat(), refused[pin.keys]) for pin in pins)
        write_atomically(staging.copy.matrix, new_text(project, _text(staging), decisions, day))
        changed = Facts(open_project(staging.copy))
        changed.prepare()
        locks, failed = relock.make(changed)
        if not failed:
            return Moved(project=changed.project, decisions=decisions, locks=locks)
        if not _refuse(decisions, failed, refused):
            raise relock.cannot_be_locked(changed, failed)
        console.info(f"{console.count(len(failed), 'image')} cannot be built with new pins: trying without these")


def _text(staging: Staging) -> str:
    return staging.before["matrix.yaml"].decode()


def new_text(project: Project, text: str, decisions: Sequence[Decision], day: datetime.date) -> str:
    """Return the matrix with moved pins and another ``exclude-newer``.

    Args:
        project: The project.
        text: The content of its matrix.
        decisions: What becomes of its pins.
        day: The new ``exclude-newer``.
    """
    values: dict[KeyPath, Sequence[str]] = {each.pin.keys: each.texts for each in decisions if each.moves}
    if day != project.matrix.project.exclude_newer:
        values["project", "exclude-newer"] = [day.isoformat()]
    return edited(project.loaded.file, text, values)


def _refuse(
    decisions: Sequence[Decision], failed: Mapping[str, str], refused: Mapping[KeyPath, dict[str, str]]
) -> bool:
    """Note the pins that must stay in images that cannot be built; return False if none of their pins moved.

    The server's pins are in every image: they stay only if the image has no other pin that moved.
    """
    is_new = False
    for name, reason in failed.items():
        moved = [each.pin for each in decisions if name in each.moved_images]
        own = [pin for pin in moved if pin.keys[0] != "server"]
        for pin in own or moved:
            refused[pin.keys][name] = reason
            is_new = True
    return is_new
