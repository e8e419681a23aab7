"""Move the pins of a project, add new versions of frameworks, and make its locks again.

A pin whose new release cannot be locked with the rest of its image stays, and the others are tried without it.  An
image of a new version that cannot be built is not added.  An image that cannot be locked although none of its pins
moved, for example since the index no longer has one of its wheels, keeps its lock and stops no other one.
Effects: the network; writes the matrix of the copy.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from build.checkout.project import Project, open_project
from build.errors import MatrixError
from build.feasibility.facts import Facts
from build.locks.make import NewLocks
from build.matrix.edit import NotEditableError, edited
from build.matrix.positions import KeyPath
from build.paths import write_atomically
from build.scaffold.model import pinned
from build.system import console
from build.update import relock
from build.update.additions import Added, Addition, with_addition
from build.update.decide import Decision, Held, decide, source_not_reached
from build.update.lookup import Files, look_up
from build.update.pins import Pin, exact_pins
from build.update.proposals import Proposals, propose
from build.update.relock import Remade
from build.update.staging import Staging


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A project with moved pins, and its new locks, which are not written."""

    project: Project
    decisions: tuple[Decision, ...]
    #: The new versions of frameworks in the matrix.
    added: tuple[Added, ...]
    #: Those that could not be added.
    not_added: tuple[Held, ...]
    locks: NewLocks
    #: Image name → the wheel sources that did not answer, in words.
    unanswered: Mapping[str, str]
    #: Image name → why it cannot be locked, whatever its pins become; it keeps the lock that it has.
    failed: Mapping[str, str]

    @property
    def held(self) -> tuple[Held, ...]:
        """The releases that are held back, and the images whose locks could not be made here."""
        found = [held for decision in self.decisions for held in decision.held]
        for name, failure in self.locks.not_reached.items():
            reason = f"it keeps its lock: {self.unanswered.get(name, failure.what)}"
            found.append(Held(name="(all packages)", version="", newer="", images=(name,), reason=reason))
        return (*found, *self.not_added)

    @property
    def moved_pins(self) -> dict[str, tuple[str, ...]]:
        """Image name → the pins that moved in it."""
        names = {name for each in self.decisions for name in each.moved_images}
        return {name: tuple(each.pin.text for each in self.decisions if name in each.moved_images) for name in names}


@dataclass(frozen=True, kw_only=True)
class _Grown:
    """The matrix with new versions, before its pins move."""

    text: str
    project: Project
    pins: tuple[Pin, ...]
    files: Files
    added: tuple[Added, ...] = ()
    not_added: tuple[Held, ...] = ()


def move(
    staging: Staging, project: Project, day: datetime.date, today: datetime.date, *, new_versions: bool = False
) -> Moved:
    """Decide which pins move, write the matrix of the copy, and resolve all images.

    Args:
        staging: The copy.
        project: The project itself.
        day: The new ``exclude-newer``.
        today: The day (UTC) that the ends of images are compared with.
        new_versions: Add new versions of frameworks.

    Raises:
        NetworkError: An index does not answer.
        LockError: The tools that all images need cannot be locked.
    """
    facts = Facts(project)
    facts.prepare()
    pins = exact_pins(project, today)
    files = look_up(facts, pins)
    facts.check_upload_times()
    as_it_is = _Grown(text=_text(staging), project=project, pins=pins, files=files)
    proposals = Proposals()
    if new_versions:
        proposals = propose(project.matrix, project.variants, pins, files, day.isoformat())
    proposed = proposals.additions
    for each in proposed:
        console.info(f"new version: {each.framework} {each.version}, {console.count(len(each.images), 'image')}")
    wanted = proposed
    grown = _grow(staging, as_it_is, wanted, today)
    refused: dict[KeyPath, dict[str, str]] = {}
    failed: dict[str, str] = {}
    while True:
        decisions = tuple(
            decide(pin, grown.files[pin.keys], day.isoformat(), refused.get(pin.keys)) for pin in grown.pins
        )
        write_atomically(staging.copy.matrix, new_text(grown.project, grown.text, decisions, day))
        changed = Facts(open_project(staging.copy))
        changed.prepare()
        remade = relock.make(changed, [each for each in changed.project.variants if each.name not in failed])
        if not remade.failed:
            return Moved(
                project=changed.project,
                decisions=decisions,
                added=grown.added,
                not_added=(*proposals.put_off, *grown.not_added),
                locks=remade.locks,
                unanswered=_unanswered(grown),
                failed=failed,
            )
        console.info(f"{console.count(len(remade.failed), 'image')} cannot be built: trying again without the cause")
        if refuse_server(decisions, remade, refused):
            continue
        smaller = _without_failed(wanted, decisions, remade.failed)
        if smaller != wanted:
            wanted = smaller
            grown = _grow(staging, as_it_is, wanted, today)
            continue
        noted = refuse(decisions, remade.failed, refused)
        if not noted:  # none of their pins moved
            failed |= remade.failed
            refused = without_blame(grown.pins, refused, failed.keys())
        if wanted != proposed and any(keys[0] == "server" for keys in noted):  # it was to blame for the others, too
            wanted = proposed
            grown = _grow(staging, as_it_is, wanted, today)


def _text(staging: Staging) -> str:
    return staging.before["matrix.yaml"].decode()


def _grow(staging: Staging, before: _Grown, wanted: Sequence[Addition], today: datetime.date) -> _Grown:
    """Return the matrix with new versions, those without an image excepted."""
    text, project = before.text, before.project
    added: list[Added] = []
    not_added: list[Held] = []
    for addition in wanted:
        if not addition.images:
            not_added.append(_not_added(addition, "; ".join(dict.fromkeys(addition.missing.values()))))
            continue
        try:
            longer, made = with_addition(project.loaded.file, text, before.project.matrix, addition, today)
            write_atomically(staging.copy.matrix, longer)
            opened = open_project(staging.copy)
        except MatrixError as failure:
            hint = failure.what if isinstance(failure, NotEditableError) else failure.reason
            not_added.append(_not_added(addition, f"{hint}; add it by hand"))
            continue
        images = [each for each in opened.variants if (each.framework, each.version) == (addition.framework, made.key)]
        if not pinned(images, addition.version):
            not_added.append(_not_added(addition, "its pins could not be written automatically; add it by hand"))
            continue
        text, project = longer, opened
        added.append(made)
    if not added:
        return _Grown(
            text=before.text, project=before.project, pins=before.pins, files=before.files, not_added=tuple(not_added)
        )
    facts = Facts(project)
    facts.prepare()
    pins = exact_pins(project, today)
    return _Grown(
        text=text,
        project=project,
        pins=pins,
        files=look_up(facts, pins),
        added=tuple(added),
        not_added=tuple(not_added),
    )


def _not_added(addition: Addition, reason: str) -> Held:
    key = addition.of.model.key
    return Held(name=addition.framework, version=key, newer=str(addition.version), images=(), reason=reason)


def _without_failed(
    wanted: Sequence[Addition], decisions: Sequence[Decision], failed: Mapping[str, str]
) -> tuple[Addition, ...]:
    """Return the new versions without the images that cannot be built although no pin of their own moved."""
    moved = {name for each in decisions if each.pin.keys[0] != "server" for name in each.moved_images}
    smaller = []
    for addition in wanted:
        missing = {name: reason for name, reason in failed.items() if name in addition.images and name not in moved}
        smaller.append(addition.without(missing) if missing else addition)
    return tuple(smaller)


def _unanswered(grown: _Grown) -> dict[str, str]:
    """Return the images with wheel sources that did not answer."""
    found: dict[str, str] = {}
    for pin in grown.pins:
        for variant in pin.variants:
            words = source_not_reached(variant, grown.files[pin.keys][variant.name])
            if words is not None:
                found.setdefault(variant.name, words)
    return found


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


def refuse_server(decisions: Sequence[Decision], remade: Remade, refused: dict[KeyPath, dict[str, str]]) -> bool:
    """Note the server's pins that must stay on bases where the server cannot be installed; return False if none moved.

    Its images fail for that reason alone, so their own pins are not to blame.
    """
    is_new = False
    for each in decisions:
        for variant in each.pin.variants if each.pin.keys[0] == "server" else ():
            if variant.base_name in remade.servers and variant.name in each.moved_images:
                refused.setdefault(each.pin.keys, {})[variant.name] = remade.servers[variant.base_name]
                is_new = True
    return is_new


def refuse(
    decisions: Sequence[Decision], failed: Mapping[str, str], refused: dict[KeyPath, dict[str, str]]
) -> frozenset[KeyPath]:
    """Note the pins that must stay in images that cannot be built, and return them; none if none of their pins moved.

    The server's pins are in every image: they stay only if an image fails without new pins of its own, too. Then the
    server was to blame, and the own pins of all images with that Python are tried again.
    """
    noted: dict[KeyPath, set[str]] = {}
    pins = {each.pin.keys: each.pin for each in decisions}
    for name, reason in failed.items():
        moved = [each.pin for each in decisions if name in each.moved_images]
        own = [pin for pin in moved if pin.keys[0] != "server"]
        for pin in own or moved:
            refused.setdefault(pin.keys, {})[name] = reason
            noted.setdefault(pin.keys, set()).add(name)
    for place, names in noted.items():
        if place[0] != "server":
            continue
        pin = pins[place]
        pythons = {variant.base.python for variant in pin.variants if variant.name in names}
        images = {variant.name for variant in pin.variants if variant.base.python in pythons}
        for keys in refused:
            if keys[0] != "server":
                refused[keys] = {name: reason for name, reason in refused[keys].items() if name not in images}
    return frozenset(noted)


def without_blame(
    pins: Sequence[Pin], refused: Mapping[KeyPath, Mapping[str, str]], failed: Collection[str]
) -> dict[KeyPath, dict[str, str]]:
    """Return the pins that must stay without those that stayed for images that cannot be locked with any pins.

    A pin that no other image with the same Python has still stays: nothing could be made with its new release.
    """
    rest: dict[KeyPath, dict[str, str]] = {}
    for pin in pins:
        others = {variant.base.python for variant in pin.variants if variant.name not in failed}
        pythons = {variant.name: variant.base.python for variant in pin.variants}
        reasons = refused.get(pin.keys, {})
        kept = {name: why for name, why in reasons.items() if name not in failed or pythons.get(name) not in others}
        if kept:
            rest[pin.keys] = kept
    return rest
