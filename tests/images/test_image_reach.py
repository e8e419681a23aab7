"""For which GPUs the framework of a GPU image has code, read from its libraries without a GPU."""

from __future__ import annotations

import pytest
from image_container import Start
from image_kernels import DISTRIBUTION, cuobjdump, kernels, reach
from image_plan import Image, applies
from packaging.requirements import Requirement


@applies(lambda image: image.cuda is not None and image.version is not None)
def test_the_framework_reaches_the_promised_gpus(image: Image, start: Start) -> None:
    """The label and the catalogue say the same as the libraries of the distributions that the image promises."""
    if image.cuda_absent:
        pytest.skip(image.cuda_absent)
    program = cuobjdump()
    if program is None:
        pytest.skip(f"there is no {DISTRIBUTION} for this machine")
    names = [Requirement(pin).name for pin in image.contract]
    counts = kernels(start({}, command=["sleep", "infinity"]), program, names)
    found = " ".join(sorted(reach(counts), key=_order))
    if not image.reach:
        pytest.skip(f"the matrix promises no reach for it; it has code for: {found or 'no GPU'}")
    assert found, f"no library of {', '.join(names)} contains code for a GPU"
    promised = " ".join(sorted(image.reach, key=_order))
    assert found == promised, f"it has code for {found}, but 'reach' in matrix.yaml says {promised}"


def _order(architecture: str) -> tuple[bool, int, str]:
    """``sm_`` before ``compute_``, each by number."""
    kind, _, number = architecture.partition("_")
    return kind != "sm", int(number.rstrip("af")), number
