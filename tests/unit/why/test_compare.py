"""The fields that differ between two recipes: a pair for each kind of input."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from build.why.compare import Change, compare, compare_packages

OLD: dict[str, Any] = {
    "format": 2,
    "platform": "linux/amd64",
    "dockerfile": "1" * 64,
    "layers": {"numpy-2.5.4": "2" * 64, "server-5bb84b62": "3" * 64},
    "scripts": {"link-cuda": "4" * 64},
    "base": {
        "sha256": "5" * 64,
        "inputs": {
            "format": 2,
            "dockerfile": "6" * 64,
            "start": {"main.py": "7" * 64},
            "scripts": {"setup-base": "8" * 64},
            "bootstrap": ["--variant=apt", "--include=python3", "trixie"],
            "debian": ["libc6=2.41-12", "libgomp1=14.2"],
            "prefix": "3.7.16 of here",
        },
    },
    "builder": {"sha256": "9" * 64, "inputs": {"uv": "a" * 64, "python": "3.13.5", "dockerfile": "b" * 64}},
    "compiler": {"sha256": "c" * 64, "inputs": {"build": "d" * 64}},
}
X = "e" * 64


@pytest.mark.parametrize(
    ("keys", "value", "field", "old", "new"),
    [
        (("format",), 3, ("format",), "2", "3"),
        (("platform",), "linux/arm64", ("platform",), "linux/amd64", "linux/arm64"),
        (("dockerfile",), X, ("dockerfile",), "1" * 64, X),
        (("layers", "server-5bb84b62"), X, ("layers", "server-5bb84b62"), "3" * 64, X),
        (("layers", "scipy-1.18"), X, ("layers", "scipy-1.18"), None, X),
        (("scripts", "link-cuda"), X, ("scripts", "link-cuda"), "4" * 64, X),
        (("base", "inputs", "dockerfile"), X, ("base", "dockerfile"), "6" * 64, X),
        (("base", "inputs", "start", "main.py"), X, ("base", "start", "main.py"), "7" * 64, X),
        (("base", "inputs", "scripts", "setup-base"), X, ("base", "scripts", "setup-base"), "8" * 64, X),
        (("base", "inputs", "prefix"), "3.7.17 of here", ("base", "prefix"), "3.7.16 of here", "3.7.17 of here"),
        (("builder", "inputs", "uv"), X, ("builder", "uv"), "a" * 64, X),
        (("builder", "inputs", "python"), "3.13.6", ("builder", "python"), "3.13.5", "3.13.6"),
        (("compiler", "inputs", "build"), X, ("compiler", "build"), "d" * 64, X),
    ],
)
def test_each_kind_of_input_is_named_with_both_values(
    keys: tuple[str, ...], value: object, field: tuple[str, ...], old: str | None, new: str
) -> None:
    changed = copy.deepcopy(OLD)
    *parents, last = keys
    inside = changed
    for key in parents:
        inside = inside[key]
    inside[last] = value
    if parents and parents[0] in ("base", "builder", "compiler"):
        changed[parents[0]]["sha256"] = X  # which follows from it
    assert compare(OLD, changed) == (Change(field=field, old=old, new=new),)
    assert compare(changed, OLD) == (Change(field=field, old=new, new=old),)


def test_debian_packages_are_compared_by_name() -> None:
    changed = copy.deepcopy(OLD)
    changed["base"]["inputs"]["debian"] = ["libc6=2.41-13", "tzdata=2026b"]
    assert compare(OLD, changed) == (
        Change(field=("base", "debian", "libc6"), old="2.41-12", new="2.41-13"),
        Change(field=("base", "debian", "libgomp1"), old="14.2", new=None),
        Change(field=("base", "debian", "tzdata"), old=None, new="2026b"),
    )


def test_arguments_are_compared_one_by_one() -> None:
    changed = copy.deepcopy(OLD)
    changed["base"]["inputs"]["bootstrap"] = ["--variant=apt", "--include=python3,less", "trixie"]
    assert [(change.field[-1], change.old, change.new) for change in compare(OLD, changed)] == [
        ("--include=python3", "yes", None),
        ("--include=python3,less", None, "yes"),
    ]


def test_a_part_that_is_new_or_gone_is_named_with_all_of_its_inputs() -> None:
    without = {key: value for key, value in OLD.items() if key != "compiler"}
    assert compare(without, OLD) == (Change(field=("compiler", "build"), old=None, new="d" * 64),)
    assert compare(OLD, without) == (Change(field=("compiler", "build"), old="d" * 64, new=None),)


def test_equal_recipes_differ_in_nothing() -> None:
    assert compare(OLD, copy.deepcopy(OLD)) == ()


def test_python_packages() -> None:
    assert compare_packages({"numpy": "2.5.4", "six": "1.17"}, {"numpy": "2.5.5"}) == (
        Change(field=("packages", "numpy"), old="2.5.4", new="2.5.5"),
        Change(field=("packages", "six"), old="1.17", new=None),
    )
