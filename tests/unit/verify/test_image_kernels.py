"""For which GPUs an image counts as compiled, from the compiled files in its libraries."""

from __future__ import annotations

from image_kernels import reach


def test_an_architecture_with_a_few_additional_files_does_not_count() -> None:
    """The counts of torch 2.15.0: most of its code runs on sm_100, and not on sm_103 and sm_90a."""
    counts = {"sm_75": 478, "sm_80": 510, "sm_86": 510, "sm_100": 510, "sm_103": 59, "sm_90a": 4, "sm_121a": 1}
    assert reach(counts) == {"sm_75", "sm_80", "sm_86", "sm_100"}


def test_an_architecture_with_most_of_the_code_counts() -> None:
    """The counts of ONNX Runtime 1.31.1: attention needs sm_80, and the rest runs on sm_75."""
    assert reach({"sm_75": 217, "sm_80": 308, "sm_90a": 600}) == {"sm_75", "sm_80", "sm_90a"}


def test_intermediate_code_counts_like_machine_code() -> None:
    assert reach({"sm_90": 40, "compute_90": 40}) == {"sm_90", "compute_90"}


def test_no_code_reaches_nothing() -> None:
    assert reach({}) == set()
