"""The cells of the matrix, checked before they are built: which ones cannot be built, why, and what is near to them.

The resolver decides. The files in the indexes show in advance what it would not find, and afterwards the reason.

Effects: searches indexes and runs uv.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement

from build.errors import NetworkError
from build.feasibility.facts import Facts
from build.feasibility.nearness import Near, nearest_images
from build.locks import resolve
from build.locks.lock import LockedPackage
from build.locks.resolve import UnsatisfiableError
from build.packages.compatibility import Finding
from build.requirements import distribution_name
from build.system import processes
from build.variants.variant import Variant

#: Number of requests to indexes in parallel.
QUESTIONS = 8
#: Number of resolutions in parallel.
RESOLUTIONS = 3
#: Number of packages that are looked up because the resolver names them.
_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer to whether a cell can be built."""

    name: str
    #: None if the cell is not a valid combination (a CUDA version that the base cannot have).
    variant: Variant | None
    #: Why it cannot be built, from the files in the indexes.
    findings: tuple[Finding, ...] = ()
    #: Why it cannot be built, in the resolver's or the matrix's own words.
    reason: str = ""
    #: Indexes and directories that did not answer, if the verdict depends on them.
    not_reached: tuple[str, ...] = ()
    #: Existing images, each with what it has in common with the cell.
    near: tuple[Near, ...] = ()
    #: Other bases of the matrix that have wheels for its pins.
    other_bases: tuple[str, ...] = ()

    @property
    def impossible(self) -> bool:
        return bool(self.findings or self.reason) and not self.not_reached

    @property
    def possible(self) -> bool:
        return not (self.findings or self.reason or self.not_reached)

    @property
    def says(self) -> str:
        """Why it cannot be built, in one sentence."""
        return "; ".join(finding.says for finding in self.findings) or " ".join(self.reason.split())


def verdict(facts: Facts, name: str, variant: Variant, requirements: Iterable[str], reason: str = "") -> Verdict:
    """Return whether the indexes have wheels for some requirements of a cell.

    Args:
        facts: Prepared.
        name: The image's name.
        variant: The cell.
        requirements: The requirements to look up.
        reason: The resolver's words, which count if the indexes have wheels for all of them.
    """
    findings: list[Finding] = []
    not_reached: list[str] = []
    for requirement in requirements:
        finding, unanswered = facts.explain(variant, requirement)
        not_reached += unanswered
        if finding is not None and not unanswered:
            findings.append(finding)
    if findings or reason:
        not_reached = []
    return Verdict(
        name=name,
        variant=variant,
        findings=tuple({finding.says: finding for finding in findings}.values()),
        reason="" if findings else reason,
        not_reached=tuple(dict.fromkeys(not_reached)),
    )


def with_neighbours(facts: Facts, verdict: Verdict, images: Sequence[Variant]) -> Verdict:
    """Add the nearest images to a verdict, and the other bases on which the cell could be built.

    Args:
        facts: Prepared.
        verdict: The verdict on a cell that cannot be built.
        images: The images that can be built.
    """
    variant = verdict.variant
    if variant is None:
        return verdict
    near = nearest_images(variant, images)
    bases: tuple[str, ...] = ()
    if verdict.findings and not any(item.image.base_name != variant.base_name for item in near):
        bases = tuple(
            base_name
            for base_name in facts.project.matrix.bases
            if base_name != variant.base_name
            and all(facts.fits(variant, finding.requirement, base_name) for finding in verdict.findings)
        )
    return replace(verdict, near=near, other_bases=bases)


def built_from_source(facts: Facts, variant: Variant, packages: Iterable[LockedPackage]) -> tuple[Finding, ...]:
    """Return the pins of an image that the resolver met only with a source although other targets have wheels.

    The resolver chooses the source if no wheel fits; but a base does not compile a framework.

    Args:
        facts: Prepared.
        variant: The image.
        packages: The resolver's answer.
    """
    pins: dict[str, str] = {distribution_name(text): text for text in variant.requirements}
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
    """Return the images of the matrix that cannot be built because of their own pins, before anything is resolved.

    What depends on an index that does not answer is left to the resolver.

    Args:
        facts: Prepared.
    """

    def look_up(variant: Variant) -> Verdict:
        return verdict(facts, variant.name, variant, variant.requirements)

    with processes.worker_threads(QUESTIONS) as pool:
        verdicts = [item for item in pool.map(look_up, facts.project.variants) if item.findings]
    questions = {
        (finding.requirement, item.variant.base_name, str(facts.links(item.variant))): (item.variant, finding)
        for item in verdicts
        if item.variant is not None
        for finding in item.findings
    }
    # The resolver decides: it may search places that are not known here.
    with processes.worker_threads(RESOLUTIONS) as pool:
        answers = pool.map(lambda question: _has_no_wheel(facts, *question), questions.values())
        refuted = {
            finding.says for (_, finding), confirmed in zip(questions.values(), answers, strict=True) if not confirmed
        }
    return tuple(
        Verdict(name=item.name, variant=item.variant, findings=findings)
        for item in verdicts
        if (findings := tuple(finding for finding in item.findings if finding.says not in refuted))
    )


def yanked_pins(facts: Facts) -> tuple[Verdict, ...]:
    """Return the images of the matrix that pin a yanked release.

    Args:
        facts: Prepared.
    """
    verdicts = []
    for variant in facts.project.variants:
        found = [facts.yanked(variant, requirement) for requirement in variant.requirements]
        if findings := tuple(finding for finding in found if finding is not None):
            verdicts.append(Verdict(name=variant.name, variant=variant, findings=findings))
    return tuple(verdicts)


def explain_failure(facts: Facts, variant: Variant, words: str) -> Verdict:
    """Return why an image that the resolver failed on cannot be built.

    Args:
        facts: Prepared.
        variant: The image.
        words: The resolver's reason; packages that it names are looked up too.
    """
    own = verdict(facts, variant.name, variant, variant.requirements, words)
    if own.findings:
        return own
    indirect = verdict(facts, variant.name, variant, blamed(words), words)
    # Only the resolver knows which package requires such a package.
    return replace(indirect, reason=words) if indirect.findings else own


#: uv's messages about packages that it cannot use: a name, a specifier.
_BLAMED = re.compile(
    r"(?:there (?:is|are) no versions? of (?P<a>[^\s,]\S*))"
    r"|(?P<b>[A-Za-z0-9][^\s\[]*)(?:\[\S*\])?(?P<s>\S*) (?:has|have) no (?:usable )?wheels"
    r"|and (?P<c>[A-Za-z0-9]\S*) depends on Python"
)


def blamed(words: str) -> list[str]:
    """Return the requirements that the resolver's reason says it cannot meet: ``wrapt>=1.11.1,<=1.12.1``."""
    requirements = []
    for match in _BLAMED.finditer(" ".join(words.split())):
        text = match["a"] or match["c"] or f"{match['b']}{match['s']}"
        try:
            requirements.append(str(Requirement(text.rstrip(".,"))))
        except InvalidRequirement:
            continue
    return list(dict.fromkeys(requirements))[:_NAMED]


def _has_no_wheel(facts: Facts, variant: Variant, finding: Finding) -> bool:
    """Tell whether the resolver finds no wheel for a pin either; a pin that needs a wheel source is not asked."""
    if facts.needs_source(variant, finding.requirement):
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
