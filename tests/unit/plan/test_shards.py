"""How images are divided into shards."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from build.errors import UsageError
from build.plan import shards
from build.plan.shards import Cell
from tests.unit.fixture_project import PROJECT

MB = 1_000_000


def cell(number: int, *, base: str = "", size: int = 20 * MB, gpu: bool = False, framework: str = "one") -> Cell:
    return Cell(
        name=f"image-{number:04}",
        base=base or f"base-{number % 3}",
        framework=framework,
        is_gpu=gpu,
        layers={"shared": 30 * MB, f"own-{number}": size},
    )


@pytest.mark.parametrize("count", [0, 1, 2, 256, 257, 1000])
@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("size", [20 * MB, 3000 * MB])
def test_each_image_is_in_one_shard_and_github_takes_them(count: int, gpu: bool, size: int) -> None:
    cells = [cell(number, size=size, gpu=gpu) for number in range(count)]
    divided = shards.divide(cells)
    assert Counter(name for shard in divided for name in shard.images) == Counter(each.name for each in cells)
    assert len(divided) <= 256
    assert [shard.number for shard in divided] == list(range(1, len(divided) + 1))
    assert all(re.fullmatch(rf"{shard.number}/{len(divided)}-[0-9a-f]{{4}}", shard.id) for shard in divided)
    assert all(shard.images for shard in divided)
    random.Random(1).shuffle(cells)
    assert shards.divide(cells) == divided, "it depends on the order"


def test_a_shard_has_images_of_one_base_and_a_framework_is_in_few() -> None:
    cells = [cell(number, base=f"base-{number % 2}", framework=f"framework-{number // 2 % 8}") for number in range(128)]
    random.Random(2).shuffle(cells)
    by_name = {each.name: each for each in cells}
    divided = shards.divide(cells)
    for shard in divided:
        assert len({by_name[name].base for name in shard.images}) == 1
        assert len(shard.images) <= 16
        assert len({by_name[name].framework for name in shard.images}) <= 3, "8 images of each on a base"


def test_a_shared_layer_takes_its_place_once() -> None:
    same = [cell(number, base="one", size=0) for number in range(10)]
    (shard,) = shards.divide(same)
    assert shard.bytes == 2_000_000_000 + 7 * 30 * MB


def test_the_disk_is_large_enough() -> None:
    cells = [cell(number, base="one", size=500 * MB) for number in range(10)]
    divided = shards.divide(cells)
    assert [len(shard.images) for shard in divided] == [3, 3, 3, 1]
    assert shards.too_large(divided, 14) == ()
    larger = shards.divide(cells, disk=40)
    assert [len(shard.images) for shard in larger] == [10]
    assert shards.too_large(larger, 14) == larger


def test_a_gpu_image_is_alone() -> None:
    cells = [cell(number, base="one", size=0, gpu=number % 2 == 0) for number in range(10)]
    divided = shards.divide(cells)
    assert sorted(len(shard.images) for shard in divided) == [1, 1, 1, 1, 1, 5]


def test_the_smallest_are_put_together_where_there_are_too_many() -> None:
    cells = [cell(number, base="one", size=number * MB, gpu=True) for number in range(12)]
    divided = shards.divide(cells, most=10)
    assert [shard.images for shard in divided if len(shard.images) > 1] == [
        ("image-0002", "image-0003"),
        ("image-0000", "image-0001"),
    ]


def test_the_largest_begins_first() -> None:
    cells = [cell(number, base=f"base-{number}", size=number * MB) for number in range(5)]
    assert [shard.images[0] for shard in shards.divide(cells)] == [f"image-000{number}" for number in (4, 3, 2, 1, 0)]


def test_shards_with_work_keep_their_numbers() -> None:
    divided = shards.divide([cell(number, base=f"base-{number}") for number in range(4)])
    assert [shard.number for shard in shards.with_work(divided, ["image-0000", "image-0002"])] == [1, 3]
    assert shards.with_work(divided, []) == ()


def test_a_shard_is_found_by_its_id() -> None:
    divided = shards.divide([cell(number, base=f"base-{number}") for number in range(12)])
    assert all(shards.find(divided, shard.id) == shard for shard in divided)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a shard"),
        ("3", "'3' is not a shard"),
        ("1/2", "'1/2' is not a shard"),
        ("0/2-1f2e", "'0/2-1f2e' is not a shard"),
        ("3/2-1f2e", "'3/2-1f2e' is not a shard"),
        ("1/2-1f2e; true", "is not a shard"),
        ("1/3-1f2e", "the selected images are not divided as '1/3-1f2e' says, but into 2 shards, as 1/2-"),
    ],
)
def test_another_shard_is_refused(text: str, message: str) -> None:
    divided = shards.divide([cell(0), cell(1)])
    with pytest.raises(UsageError, match=re.escape(message)):
        shards.find(divided, text)


def test_a_shard_of_another_division_into_as_many_is_refused() -> None:
    """The variables of a repository may change between two attempts of a run; the id is that of the first."""
    cells = [cell(number, base="one", size=size * MB) for number, size in enumerate((300, 1300, 200))]
    before, after = shards.divide(cells, disk=13), shards.divide(cells, disk=14)
    assert (len(before), len(after)) == (2, 2)
    assert {shard.images for shard in before} != {shard.images for shard in after}
    for shard in before:
        with pytest.raises(UsageError, match="not divided as") as failure:
            shards.find(after, shard.id)
        assert "start a new run" in str(failure.value.fix)
    with pytest.raises(UsageError, match=r"into 0 shards$"):
        shards.find((), "1/1-1f2e")


def test_a_project_gives_cells() -> None:
    images, _ = PROJECT.usable_images(PROJECT.variants)
    cells = {each.name: each for each in shards.cells(images)}
    assert len(cells) == len(images)
    for image in images:
        found = cells[image.variant.name]
        assert found.is_gpu == (image.variant.cuda is not None)
        assert sum(found.layers.values()) == sum(package.size or 0 for package in image.lock.packages)
