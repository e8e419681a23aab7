"""Which release a pin moves to, and what is held back."""

from __future__ import annotations

import dataclasses

import pytest

from build.matrix.upkeep import Update
from build.packages.distribution import File
from build.update.decide import Decision, decide
from build.update.pins import Pin
from tests.unit.update.values import DAY, EVERY_PYTHON, files, found, pins

(SKLEARN,) = pins("scikit-learn==1.9.1")
PY311, PY312, PY313 = (
    [variant.name for variant in SKLEARN.variants if variant.base.python == python]
    for python in ("3.11", "3.12", "3.13")
)


def release(version: str, *pythons: str, uploaded: str = "2026-11-01", yanked: str | None = None) -> tuple[File, ...]:
    return files("scikit-learn", version, *(pythons or EVERY_PYTHON), uploaded=uploaded, yanked=yanked)


def decided(*releases: tuple[File, ...], pin: Pin = SKLEARN, refused: dict[str, str] | None = None) -> Decision:
    return decide(pin, found(pin, release("1.9.1"), *releases), DAY, refused)


def with_rule(rule: str, pin: Pin = SKLEARN) -> Pin:
    return dataclasses.replace(pin, rule=Update.model_validate({"rule": rule, "reason": "for this test"}))


def test_the_newest_release_of_the_minor_version_is_taken() -> None:
    decision = decided(release("1.9.0"), release("1.9.2"), release("1.9.10"))
    assert decision.texts == ("scikit-learn==1.9.10",)
    assert decision.moves
    assert decision.moved_images == {variant.name for variant in SKLEARN.variants}
    assert decision.held == ()


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        (release("1.9.2", yanked="breaks fit()"), "scikit-learn 1.9.2 was yanked from the index: breaks fit()"),
        (
            release("1.9.2", uploaded="2026-11-20"),
            "scikit-learn 1.9.2 was published on 2026-11-20, and the index is seen as of 2026-11-20 (exclude-newer)",
        ),
        (
            release("1.10.0"),
            "the rule is 'minor', and 1.10.0 is another minor version; to add it: nox -s new -- version sklearn 1.10.0",
        ),
        (release("1.9.2", "cp314"), "scikit-learn 1.9.2 has no wheel for Python 3.11 (only for 3.14)"),
    ],
    ids=["yanked", "fresh", "other minor", "no wheel"],
)
def test_a_release_that_is_not_taken_is_held_back_with_its_reason(newer: tuple[File, ...], reason: str) -> None:
    decision = decided(newer)
    assert not decision.moves
    assert decision.texts == (SKLEARN.text,)
    assert decision.held[0].reason == reason
    assert (decision.held[0].version, decision.held[0].newer) == ("1.9.1", str(newer[0].version))
    # The newest of those that may be taken is, all the same.
    assert decided(newer, release("1.9.1.post1")).texts == ("scikit-learn==1.9.1.post1",)


@pytest.mark.parametrize("version", ["1.9.2rc1", "1.9.2.dev1", "1.9.2+cpu"])
def test_pre_releases_and_other_builds_are_no_updates(version: str) -> None:
    decision = decided(release(version))
    assert not decision.moves
    assert decision.held == ()


def test_a_build_moves_to_the_same_build() -> None:
    (torch,) = pins("torch==2.13.0+cpu")
    newer = (
        files("torch", "2.13.1", "cp311"),
        files("torch", "2.13.1+cpu", "cp311"),
        files("torch", "2.13.2", "cp311"),
    )
    assert decide(torch, found(torch, *newer), DAY).texts == ("torch==2.13.1+cpu",)


def test_a_python_without_a_wheel_stays_and_the_others_move() -> None:
    decision = decided(release("1.9.2", "cp312", "cp313"))
    assert decision.texts == (
        "scikit-learn==1.9.2; python_version >= '3.12'",
        "scikit-learn==1.9.1; python_version < '3.12'",
    )
    assert decision.moved_images == {*PY312, *PY313}
    (held,) = decision.held
    assert list(held.images) == PY311
    assert held.reason == "scikit-learn 1.9.2 has no wheel for Python 3.11 (only for 3.12, 3.13)"


def test_each_python_gets_the_newest_that_it_can_have() -> None:
    decision = decided(release("1.9.2", "cp311", "cp313"), release("1.9.3", "cp313"))
    assert decision.texts == (
        "scikit-learn==1.9.3; python_version >= '3.13'",
        "scikit-learn==1.9.1; python_version >= '3.12' and python_version < '3.13'",
        "scikit-learn==1.9.2; python_version < '3.12'",
    )


def test_conditions_are_added_to_a_marker() -> None:
    (server,) = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'")
    assert server.pythons == ("3.11", "3.12", "3.13")
    decision = decide(server, found(server, files(server.name, "1.5.2", "cp312", "cp313")), DAY)
    assert decision.texts == (
        "azureml-inference-server-http==1.5.2; python_version >= '3.9' and python_version >= '3.12'",
        "azureml-inference-server-http==1.5.1; python_version >= '3.9' and python_version < '3.12'",
    )


def test_a_refused_image_keeps_its_pin_and_so_do_the_others_of_its_python() -> None:
    decision = decided(release("1.9.2"), refused={PY313[0]: "numpy is too new"})
    assert decision.texts == (
        "scikit-learn==1.9.1; python_version >= '3.13'",
        "scikit-learn==1.9.2; python_version < '3.13'",
    )
    (held,) = decision.held
    assert (list(held.images), held.newer, held.reason) == (PY313, "1.9.2", "numpy is too new")


def test_newest_leaves_the_minor_version_but_not_the_key_that_image_names_show() -> None:
    newest = with_rule("newest")
    assert newest.key == (1, 9)
    decision = decided(release("1.9.2"), release("1.10.0"), pin=newest)
    assert decision.texts == ("scikit-learn==1.9.2",)
    assert "the version's key, which image names show, is 1.9" in decision.held[0].reason
    named = dataclasses.replace(newest, key=(1,))
    assert decided(release("1.10.0"), release("2.0"), pin=named).texts == ("scikit-learn==1.10.0",)
    assert decided(release("1.10.0"), release("2.0"), pin=dataclasses.replace(newest, key=())).texts == (
        "scikit-learn==2.0",
    )


def test_a_held_pin_names_what_it_misses() -> None:
    decision = decided(release("1.9.2"), release("1.10.0"), pin=dataclasses.replace(SKLEARN, held="it is needed here"))
    assert not decision.moves
    (held,) = decision.held
    assert (held.newer, held.reason) == ("1.10.0", "it is needed here")
    assert decided(pin=dataclasses.replace(SKLEARN, held="it is needed here")).held == ()


def test_a_wheel_source_that_does_not_answer_is_named_and_the_pin_stays() -> None:
    (torch,) = pins("torch==2.13.0+cpu")
    decision = decide(torch, found(torch, not_reached=("https://wheels.example",)), DAY)
    assert not decision.moves
    (held,) = decision.held
    assert (held.version, held.newer) == ("2.13.0+cpu", "")
    assert held.reason == (
        "the wheel source 'pytorch-cpu' did not answer (https://wheels.example), "
        "so it is not known whether it has a newer release"
    )


def test_images_that_have_ended_stay_if_no_living_image_has_their_python() -> None:
    pin = dataclasses.replace(SKLEARN, ended=frozenset(PY311))
    decision = decided(release("1.9.2"), pin=pin)
    assert decision.texts == (
        "scikit-learn==1.9.2; python_version >= '3.12'",
        "scikit-learn==1.9.1; python_version < '3.12'",
    )
    (held,) = decision.held
    assert (list(held.images), held.newer, held.reason) == (PY311, "1.9.2", "the images with Python 3.11 have ended")
    # An image of the same Python that has not ended takes the others along: a marker cannot tell them apart.
    server = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'")[0]
    one = next(variant.name for variant in server.variants if variant.base.python == "3.13")
    some = dataclasses.replace(server, ended=frozenset({one}))
    assert one in decide(some, found(some, files(some.name, "1.5.2", "cp313")), DAY).moved_images


def test_the_reason_of_an_image_that_has_not_ended_comes_first() -> None:
    server = pins("azureml-inference-server-http==1.5.1; python_version >= '3.9'")[0]
    first, second = [variant.name for variant in server.variants if variant.base.python == "3.13"][:2]
    pin = dataclasses.replace(server, ended=frozenset({first}))
    offered = found(pin, files(pin.name, "1.5.2", "cp313"))
    (held,) = [each for each in decide(pin, offered, DAY, {first: "a", second: "b"}).held if each.reason in "ab"]
    assert held.reason == "b"
    reasons = [each.reason for each in decide(pin, offered, DAY, {first: "a"}).held]
    assert f"a; {first} has ended: without it in the matrix, the others can move" in reasons


def test_a_version_that_the_matrix_has_is_not_offered_again() -> None:
    pin = dataclasses.replace(SKLEARN, newest={variant.name: (1, 10) for variant in SKLEARN.variants})
    assert decided(release("1.10.0"), pin=pin).held == ()
    assert decided(release("1.11.0"), pin=pin).held[0].newer == "1.11.0"


def test_a_version_that_has_no_image_on_a_base_is_reported_with_the_place_to_add_it() -> None:
    newest = {variant.name: (1, 10) for variant in SKLEARN.variants} | dict.fromkeys(PY311, (1, 9))
    pin = dataclasses.replace(SKLEARN, newest=newest, siblings=frozenset({"1.9", "1.10"}))
    (held,) = decided(release("1.10.0"), pin=pin).held
    assert (list(held.images), held.newer) == (PY311, "1.10.0")
    assert held.reason.startswith(
        "1.10 has no CPU image there, although scikit-learn 1.10.0 has a wheel for it; to get one, "
    )
    assert held.reason.endswith('add the base and the device to frameworks.sklearn.versions."1.10"')
    (other,) = decided(release("1.11.0"), pin=pin).held
    assert other.reason.endswith("to add it: nox -s new -- version sklearn 1.11.0")
