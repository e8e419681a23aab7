"""The text of a report: tables for the terminal, Markdown, JSON.  Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

from build.locks.debian_archive import Newer
from build.system import console
from build.update.report import Report

#: Image names in one cell of a table.
_NAMES = 3


def to_json(report: Report) -> str:
    """Return the report as JSON."""
    content = {
        "exclude-newer": {"old": report.old_day.isoformat(), "new": report.new_day.isoformat()},
        "moves": report.moves,
        "pins": [{"old": pin.pin.text, "new": pin.texts, "images": sorted(pin.moved_images)} for pin in report.pins],
        "images": {name: [dataclasses.asdict(each) for each in all_] for name, all_ in report.images.items()},
        "bases": {name: [dataclasses.asdict(each) for each in all_] for name, all_ in report.bases.items()},
        "cuda-bases": report.cuda_bases,
        "added": [
            {
                "framework": added.addition.framework,
                "version": added.key,
                "release": str(added.addition.version),
                "images": added.addition.images,
                "missing": added.addition.missing,
                "older": [{"version": key, "end": end} for key, end in added.ends.items()],
            }
            for added in report.added
        ],
        "rebuilt": report.rebuilt,
        "ended": report.ended,
        "bytes": report.new_bytes,
        "held": [dataclasses.asdict(held) for held in report.held],
        "lifecycles": [
            {
                "base": each.base,
                "phase": each.phase,
                "matrix": each.matrix.isoformat(),
                "distro-info-data": each.distro_info.isoformat(),
            }
            for each in report.lifecycles
        ],
        "failed": {name: dataclasses.asdict(each) for name, each in report.failed.items()},
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def tables(report: Report) -> Iterator[tuple[str, Sequence[str], list[Sequence[str]]]]:
    """Yield the tables of what changes, those that have rows: the title, the headings, the rows."""
    pins = [(pin.pin.text, ", ".join(pin.texts), console.some(sorted(pin.moved_images), _NAMES)) for pin in report.pins]
    added = [
        (
            f"{each.addition.framework} {each.key} ({each.addition.version})",
            console.some(each.addition.images, _NAMES),
            "; ".join(f"{key} {end}" for key, end in each.ends.items()),
        )
        for each in report.added
    ]
    packages = [(name, ", ".join(map(str, changed))) for name, changed in report.images.items()]
    debian = [
        (base, package.name, package.old, package.new) for base, newer in report.bases.items() for package in newer
    ]
    debian += [
        (base, name, old, new)
        for base, lines in report.cuda_bases.items()
        for name, old, _, new in (line.split(" ") for line in lines)
    ]
    found: tuple[tuple[str, Sequence[str], list[Sequence[str]]], ...] = (
        ("Pins", ("old", "new", "images"), list(pins)),
        ("New versions", ("version", "images", "older versions"), list(added)),
        ("Packages", ("image", "packages"), list(packages)),
        ("Debian packages", ("base", "package", "old", "new"), list(debian)),
    )
    yield from (table for table in found if table[2])


def held_lines(report: Report) -> list[str]:
    """Return one sentence for each release that is held back, with the reason."""
    lines = []
    for held in report.held:
        images = f" ({console.some(held.images, _NAMES)})" if held.images else ""
        versions = f" stays at {held.version}" if held.version else ""
        versions += f", not {held.newer}" if held.newer else ""
        lines.append(f"{held.name}{versions}{images}: {held.reason}")
    for added in report.added:
        for name, reason in added.addition.missing.items():
            lines.append(f"{name} is not added: {reason}")
    return lines


def failed_lines(report: Report) -> list[str]:
    """Return one sentence for each image that cannot be locked, with the reason and what is left of its lock."""
    return [f"{name}: {each.reason}; {each.lock}" for name, each in report.failed.items()]


def ended_lines(report: Report) -> list[str]:
    """Return one sentence for each image that has ended and changes all the same, with the reason."""
    lines = []
    for name, pins in report.ended.items():
        reason = f"it shares {', '.join(pins)} with images that have not ended" if pins else "all locks are of one day"
        if report.old_day == report.new_day and name not in report.images:
            reason = "its base gets newer Debian packages"
        lines.append(f"{name} changes too, since {reason}; it is built only if you select it")
    return lines


def fix_lines(report: Report) -> list[str]:
    """Return one line for each Debian package with a security update: its versions, the bases, the CVE ids."""
    found: dict[str, tuple[Newer, list[str]]] = {}
    for base, newer in report.bases.items():
        for package in newer:
            if package.is_security:
                change = f"{package.name} {package.old} → {package.new}"
                found.setdefault(change, (package, []))[1].append(base)
    return [
        f"{change} ({', '.join(bases)}): {', '.join(package.cves) or 'its changelog names no CVE id'}"
        for change, (package, bases) in found.items()
    ]


def to_markdown(report: Report) -> str:
    """Return the report for a pull request or the summary of a job."""
    days = f"`exclude-newer`: {report.old_day} → {report.new_day}"
    if report.old_day == report.new_day or not report.moves:
        days = f"`exclude-newer`: {report.old_day}"
    parts = ["# Update", f"**{report.title}**", days]
    for title, headings, rows in tables(report):
        table = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
        table += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
        parts += [f"## {title}", "\n".join(table)]
    if fixes := fix_lines(report):
        parts += ["## Security fixes", "\n".join(f"- {_escaped(line)}" for line in fixes)]
    if report.failed:
        parts += ["## Images that cannot be locked", "\n".join(f"- {_escaped(line)}" for line in failed_lines(report))]
    if report.rebuilt:
        parts += ["## Images to build again", "\n".join(f"- {name}" for name in report.rebuilt)]
    if report.ended:
        parts += ["## Images that have ended", "\n".join(f"- {_escaped(line)}" for line in ended_lines(report))]
    if report.lifecycles:
        parts += ["## Lifecycle dates to decide", "\n".join(f"- {_escaped(str(each))}" for each in report.lifecycles)]
    if lines := held_lines(report):
        parts += ["## Held back", "\n".join(f"- {_escaped(line)}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
