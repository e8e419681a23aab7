"""What differs between two images, from facts."""

from __future__ import annotations

import random

from build.catalogue.changes import Change
from build.diff.compare import Fetched, compare
from build.diff.facts import ImageFacts
from tests.unit.diff.samples import MB, image, layer, names


def test_each_fact_is_compared() -> None:
    before = image("a", layer("1"), python={"x": "1", "y": "1"}, debian={"d": "1"}, environment={"A": "1"})
    after = image("b", layer("2"), python={"y": "2", "z": "1"}, debian={"d": "1"}, settings={"user": "app"})
    found = compare(before, after)
    assert found.python == (
        Change(name="x", before="1", after=None),
        Change(name="y", before="1", after="2"),
        Change(name="z", before=None, after="1"),
    )
    assert found.debian == ()
    assert found.environment == (Change(name="A", before="1", after=None),)
    assert found.settings == (Change(name="user", before=None, after="app"),)
    assert not found.is_empty and not found.is_same


def test_layers_that_both_have_are_not_fetched() -> None:
    shared, twice = layer("shared", 5 * MB), layer("twice", 2 * MB)
    before, after = image("a", shared, layer("old", 3 * MB)), image("b", shared, twice, twice, layer("new"))
    found = compare(before, after)
    assert names(found.added_layers) == ["twice", "new"]
    assert names(found.removed_layers) == ["old"]
    assert found.fetched == Fetched(bytes=3 * MB + 1000, layers=2), "a layer that is there twice is fetched once"
    assert found.fetched_back == Fetched(bytes=3 * MB + 1000, layers=1)
    assert after.size == 8 * MB + 1000


def test_packages_are_unknown_if_one_side_does_not_know_them() -> None:
    found = compare(image("a", layer("1"), python={"x": "1"}), image("b", layer("2"), debian={}))
    assert (found.python, found.debian) == (None, None)
    assert not found.is_empty


def test_images_with_the_same_files_have_the_same_packages() -> None:
    before, after = (image(name, layer(f"{name}1", content="c")) for name in ("a", "b"))
    found = compare(before, after)
    assert (found.python, found.debian) == ((), ())
    assert found.added_layers, "they are fetched all the same"


def test_an_image_does_not_differ_from_itself() -> None:
    one = image("a", layer("1"), labels={"l": "1"})
    found = compare(one, one)
    assert found.is_same and found.is_empty
    assert found.fetched == found.fetched_back == Fetched(bytes=0, layers=0)


def test_the_other_way_round_is_mirrored() -> None:
    numbers = random.Random(1)

    def some() -> dict[str, str]:
        return {name: str(numbers.randrange(2)) for name in "abcd" if numbers.random() < 0.7}

    def any_image(name: str) -> ImageFacts:
        layers = [layer(digest, numbers.randrange(MB)) for digest in "xyz" if numbers.random() < 0.7]
        known = numbers.random() < 0.8
        return image(name, *layers, python=some() if known else None, environment=some(), labels=some())

    for _ in range(200):
        one, two = any_image("one"), any_image("two")
        there, back = compare(one, two), compare(two, one)
        assert (there.added_layers, there.removed_layers) == (back.removed_layers, back.added_layers)
        assert (there.fetched, there.fetched_back) == (back.fetched_back, back.fetched)
        for kind in ("python", "debian", "environment", "labels", "settings"):
            changes = getattr(there, kind)
            mirrored = changes and tuple(Change(name=c.name, before=c.after, after=c.before) for c in changes)
            assert getattr(back, kind) == mirrored, kind
