"""Pins that stay because an image cannot be built with them."""

from __future__ import annotations

from build.matrix.positions import KeyPath
from build.update import packages
from build.update.decide import decide
from tests.unit.update.values import DAY, files, found, pins

(SERVER,) = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'")
(SKLEARN,) = pins("scikit-learn==1.9.1")
IMAGE = "sklearn-1.9-debian13-py313-cpu-inference"
OTHER = "lightgbm-4.7-debian13-py313-cpu-inference"
DECISIONS = [
    decide(SERVER, found(SERVER, files(SERVER.name, "1.5.2", "cp313")), DAY),
    decide(SKLEARN, found(SKLEARN, files("scikit-learn", "1.9.2", "cp313")), DAY),
]


def refused(failed: dict[str, str]) -> tuple[bool, dict[KeyPath, dict[str, str]]]:
    noted: dict[KeyPath, dict[str, str]] = {SERVER.keys: {}, SKLEARN.keys: {}}
    return packages._refuse(DECISIONS, failed, noted), noted


def test_an_images_own_pin_stays_before_the_servers_does() -> None:
    assert refused({IMAGE: "a conflict"}) == (True, {SERVER.keys: {}, SKLEARN.keys: {IMAGE: "a conflict"}})
    assert refused({OTHER: "a conflict"}) == (True, {SERVER.keys: {OTHER: "a conflict"}, SKLEARN.keys: {}})


def test_an_image_without_a_moved_pin_is_a_failure() -> None:
    """Python 3.11 has no wheel of either."""
    assert refused({IMAGE.replace("debian13-py313", "debian12-py311"): "a conflict"})[0] is False
