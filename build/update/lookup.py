"""Look up the files that pins may move to.

Effects: the network; runs uv and pip to learn which indexes and directories they use.
"""

from __future__ import annotations

from collections.abc import Sequence

from build.errors import NetworkError
from build.feasibility.cells import QUESTIONS
from build.feasibility.facts import Facts
from build.matrix.positions import KeyPath
from build.packages.distribution import Distribution
from build.system import processes
from build.update.pins import Pin
from build.variants.variant import Variant

#: Keys of a pin, image name → the files of the pin's distribution where the image takes it from.
Files = dict[KeyPath, dict[str, Distribution]]


def look_up(facts: Facts, pins: Sequence[Pin]) -> Files:
    """Return the files of all pins' distributions.

    Args:
        facts: Prepared.
        pins: The pins.

    Raises:
        NetworkError: An index does not answer. An extra wheel source that does not is not an error: pins on it stay.
    """
    questions = [(pin, variant) for pin in pins for variant in pin.variants]

    def ask(question: tuple[Pin, Variant]) -> Distribution:
        pin, variant = question
        distribution = facts.distribution(variant, pin.name)
        if not distribution.places and not facts.needs_source(variant, pin.text):
            why = facts.default.not_reached(distribution)
            raise NetworkError(
                why.what,
                where=why.where or facts.project.loaded.where(*pin.keys),
                fix=f"{why.fix}; nothing was written",
            )
        return distribution

    with processes.worker_threads(QUESTIONS) as pool:
        answers = list(pool.map(ask, questions))
    files: Files = {pin.keys: {} for pin in pins}
    for (pin, variant), distribution in zip(questions, answers, strict=True):
        files[pin.keys][variant.name] = distribution
    return files
