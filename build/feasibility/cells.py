"""The cells of the matrix, checked when planned: which cannot be, why, and what is near to them.

The resolver decides; the facts of the indexes say beforehand what it would not find, and afterwards why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from build.errors import NetworkError
from build.feasibility.facts import Facts
from build.feasibility.nearness import Near, nearest_images
from build.locks import resolve
from build.locks.lock import LockedPackage
from build.locks.resolve import UnsatisfiableError
from build.packages.compatibility import Finding
from build.variants.variant import Variant

#: Questions to an index side by side.
QUESTIONS = 8
#: Packages that are looked at because the resolver names them.
_NAMED = 4
#: Resolutions side by side.
RESOLUTIONS = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a cell can be."""

    name: str
    #: None where the cell is not even a combination (a CUDA that the base cannot have).
    variant: Variant | None
    #: Why it cannot be, from the facts of the indexes.
    findings: tuple[Finding, ...] = ()
    #: Why it cannot be, in the resolver's or the matrix's own words.
    reason: str = ""
    #: Places that did not answer, where it depends on them.
    not_reached: tuple[str, ...] = ()
    #: Images that there are, each with what it has in common.
    near: tuple[Near, ...] = ()
    #: Other bases of the matrix on which these pins have wheels.
    other_bases: tuple[str, ...] = ()

    @property
    def impossible(self) -> bool:
        return bool(self.findings or self.reason) and not self.not_reached

    @property
    def possible(self) -> bool:
        return not (self.findings or self.reason or self.not_reached)

    @property
    def says(self) -> str:
        """Why it cannot be, as one sentence."""
        return "; ".join(finding.says for finding in self.findings) or " ".join(self.reason.split())


def verdict(facts: Facts, name: str, variant: Variant, requirements: Iterable[str], reason: str = "") -> Verdict:
    """What the indexes say about some requirements of a variant.

    Args:
        facts: Prepared.
        name: The image's name.
        variant: The cell.
        requirements: Those to look at.
        reason: The resolver's words, for the case that the indexes have all of them.
    """
    findings: list[Finding] = []
    silent: list[str] = []
    for requirement in requirements:
        finding, not_reached = facts.explain(variant, requirement)
        silent += not_reached
        if finding is not None and not not_reached:
            findings.append(finding)
    if findings:
        silent = []
    return Verdict(
        name=name,
        variant=variant,
        findings=tuple({finding.says: finding for finding in findings}.values()),
        reason="" if findings else reason,
        not_reached=tuple(dict.fromkeys(silent)) if not reason else (),
    )


def with_neighbours(facts: Facts, found: Verdict, there: Sequence[Variant]) -> Verdict:
    """A verdict with the images near to it, and the other bases that would do.

    Args:
        facts: Prepared.
        found: A cell that cannot be.
        there: The images that can be.
    """
    variant = found.variant
    if variant is None:
        return found
    near = nearest_images(variant, there)
    bases: tuple[str, ...] = ()
    if found.findings and not any(item.image.base_name != variant.base_name for item in near):
        bases = tuple(
            base_name
            for base_name in facts.project.matrix.bases
            if base_name != variant.base_name
            and all(facts.fits(variant, finding.requirement, base_name) for finding in found.findings)
        )
    return replace(found, near=near, other_bases=bases)


def built_from_source(facts: Facts, variant: Variant, packages: Iterable[LockedPackage]) -> tuple[Finding, ...]:
    """Own pins of a variant that the resolver could only take as source, though wheels of them exist for others.

    The resolver falls back to source where no wheel fits; a framework is not what a base compiles.
    """
    pins: dict[str, str] = {canonicalize_name(Requirement(text).name): text for text in variant.requirements}
    findings = []
    for package in packages:
        if package.filename.endswith(".whl") or package.name not in pins:
            continue
        finding = facts.explain(variant, pins[package.name])[0]
        finding = finding or facts.explain(variant, f"{package.name}=={package.version}")[0]
        if finding is not None:
            findings.append(finding)
    return tuple(findings)


def check_pins(facts: Facts) -> tuple[Verdict, ...]:
    """The images of the matrix that cannot be because of a pin of their own, before anything is resolved.

    Where a place does not answer, what depends on it is left to the resolver.

    Args:
        facts: Prepared.
    """
    variants = facts.project.variants

    def look(variant: Variant) -> Verdict:
        return verdict(facts, variant.name, variant, variant.requirements)

    with ThreadPoolExecutor(max_workers=QUESTIONS) as pool:
        found = [item for item in pool.map(look, variants) if item.findings]
    questions = {
        (finding.requirement, item.variant.base_name, str(facts.links(item.variant))): (item.variant, finding)
        for item in found
        if item.variant is not None
        for finding in item.findings
    }
    # The resolver has the last word: it may know places that are not known here.
    with ThreadPoolExecutor(max_workers=RESOLUTIONS) as pool:
        answers = pool.map(lambda pair: _has_no_wheel(facts, *pair), questions.values())
    wrong = {finding.says for (_, finding), sure in zip(questions.values(), answers, strict=True) if not sure}
    return tuple(
        Verdict(name=item.name, variant=item.variant, findings=kept)
        for item in found
        if (kept := tuple(finding for finding in item.findings if finding.says not in wrong))
    )


def explain_failure(facts: Facts, variant: Variant, words: str) -> Verdict:
    """Why an image that the resolver has no packages for cannot be.

    Args:
        facts: Prepared.
        variant: The image.
        words: The resolver's reason; what it says of packages that no pin names is looked at too.
    """
    found = verdict(facts, variant.name, variant, variant.requirements, words)
    if found.findings:
        return found
    indirect = verdict(facts, variant.name, variant, blamed(words), words)
    # How such a package comes in is what the resolver knows.
    return replace(indirect, reason=words) if indirect.findings else found


#: What uv says of packages that it cannot take: a name, a specifier.
_BLAMED = re.compile(
    r"(?:there (?:is|are) no versions? of (?P<a>[^\s,]\S*))"
    r"|(?P<b>[A-Za-z0-9][^\s\[]*)(?:\[\S*\])?(?P<s>\S*) (?:has|have) no (?:usable )?wheels"
    r"|and (?P<c>[A-Za-z0-9]\S*) depends on Python"
)


def blamed(words: str) -> list[str]:
    """The requirements that a resolver's reason says it cannot meet: ``wrapt>=1.11.1,<=1.12.1``."""
    found = []
    for match in _BLAMED.finditer(" ".join(words.split())):
        text = match["a"] or match["c"] or f"{match['b']}{match['s']}"
        try:
            found.append(str(Requirement(text.rstrip(".,"))))
        except InvalidRequirement:
            continue
    return list(dict.fromkeys(found))[:_NAMED]


def _has_no_wheel(facts: Facts, variant: Variant, finding: Finding) -> bool:
    """Whether the resolver finds no wheel for a pin either; what a wheel source shall give is for that to say."""
    if facts.from_source(variant, finding.requirement):
        return True
    try:
        resolve.resolve(
            [finding.requirement],
            facts.target(variant),
            wheel_directories=facts.links(variant),
            only_wheels=True,
            dependencies=False,
        )
    except UnsatisfiableError:
        return True
    except NetworkError:
        return False
    return False
