"""Pins that stay because an image cannot be built with them."""

from __future__ import annotations

from build.locks.make import NewLocks
from build.matrix.positions import KeyPath
from build.update import packages
from build.update.decide import decide
from build.update.relock import Remade
from tests.unit.update.values import DAY, files, found, pins

(SERVER,) = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'")
(SKLEARN,) = pins("scikit-learn==1.9.1")
IMAGE = "sklearn-1.9-debian13-py313-cpu-inference"
OTHER = "lightgbm-4.7-debian13-py313-cpu-inference"
DECISIONS = [
    decide(SERVER, found(SERVER, files(SERVER.name, "1.5.2", "cp313")), DAY),
    decide(SKLEARN, found(SKLEARN, files("scikit-learn", "1.9.2", "cp313")), DAY),
]


def refused(
    failed: dict[str, str], before: dict[KeyPath, dict[str, str]] | None = None
) -> tuple[frozenset[KeyPath], dict[KeyPath, dict[str, str]]]:
    noted = dict(before or {})
    return packages.refuse(DECISIONS, failed, noted), {keys: names for keys, names in noted.items() if names}


def remade(servers: dict[str, str]) -> Remade:
    return Remade(locks=NewLocks(), failed={IMAGE: "a conflict"}, servers=servers)


def test_an_images_own_pin_stays_before_the_servers_does() -> None:
    assert refused({IMAGE: "a conflict"}) == (frozenset({SKLEARN.keys}), {SKLEARN.keys: {IMAGE: "a conflict"}})
    assert refused({OTHER: "a conflict"}) == (frozenset({SERVER.keys}), {SERVER.keys: {OTHER: "a conflict"}})


def test_an_image_without_a_moved_pin_is_a_failure() -> None:
    """Python 3.11 has no wheel of either."""
    assert not refused({IMAGE.replace("debian13-py313", "debian12-py311"): "a conflict"})[0]


def test_the_own_pins_are_tried_again_once_the_server_is_to_blame() -> None:
    older = IMAGE.replace("debian13-py313", "debian12-py311")
    before = {SKLEARN.keys: {IMAGE: "a conflict", older: "no wheel"}}
    noted, reasons = refused({OTHER: "a conflict"}, before)
    assert noted == {SERVER.keys}
    assert reasons == {SERVER.keys: {OTHER: "a conflict"}, SKLEARN.keys: {older: "no wheel"}}


def test_a_server_that_cannot_be_installed_holds_back_its_own_pins_alone() -> None:
    noted: dict[KeyPath, dict[str, str]] = {}
    assert packages.refuse_server(DECISIONS, remade({"debian13-py313": "it needs nothing-1"}), noted)
    assert noted.keys() == {SERVER.keys}
    assert noted[SERVER.keys][IMAGE] == noted[SERVER.keys][OTHER] == "it needs nothing-1"
    assert all("debian13-py313" in name for name in noted[SERVER.keys])
    assert not packages.refuse_server(DECISIONS, remade({"debian12-py311": "it needs nothing-1"}), {})


def test_an_image_that_cannot_be_locked_with_any_pins_holds_back_no_other_image() -> None:
    """Its own pins stay where no other image with the same Python has them."""
    refused_pins = {SERVER.keys: {IMAGE: "gone", OTHER: "a conflict"}, SKLEARN.keys: {IMAGE: "gone"}}
    assert packages.without_blame([SERVER, SKLEARN], refused_pins, {IMAGE}) == {
        SERVER.keys: {OTHER: "a conflict"},
        SKLEARN.keys: {IMAGE: "gone"},
    }
    every = {variant.name for variant in SERVER.variants}
    assert packages.without_blame([SERVER, SKLEARN], refused_pins, every) == refused_pins
    assert packages.without_blame([SERVER], {SERVER.keys: {IMAGE: "gone"}}, {IMAGE}) == {}
