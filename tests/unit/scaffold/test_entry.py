"""The entries that `nox -s new` writes into the matrix."""

from __future__ import annotations

import datetime
from dataclasses import replace

import yaml
from packaging.version import Version

from build.matrix.insert import append, lines_of
from build.scaffold import entry, script
from build.scaffold.entry import Model
from build.scaffold.release import Release

MATRIX = """\
frameworks:
  boost:  # a comment
    versions:
      "0.9":
        contract: [boost==0.9.0]
      "1.2":
        # Why it has two devices.
        devices: [cpu, cuda13.0.3]
        cpu: {contract: [boost-cpu==1.2.0]}
        gpu:
          contract: ["boost[all]==1.2.0", boost-tools==1.2.0.1]
        lifecycle: {released: 2026-01-02}

# What follows.
groups: {}
"""


def compose(text: str) -> yaml.Node:
    root = yaml.compose(text)
    assert root is not None
    return root


NEWER = Release(
    distribution="boost", version=Version("1.3.1"), day=datetime.date(2026, 10, 11), bases=("one", "two"), misfits={}
)
OLDER_ALONE = Release(
    distribution="small", version=Version("2.0"), day=None, bases=("one",), misfits={"two": "it has no wheel"}
)


def test_a_framework_goes_to_the_end_of_the_frameworks_and_nothing_else_changes() -> None:
    lines = ["", *entry.framework("small", "Small: one", OLDER_ALONE)]
    text = append(MATRIX, compose(MATRIX), ("frameworks",), lines)
    head, tail = MATRIX.split("\n# What follows.")
    assert text.startswith(head) and text.endswith("\n# What follows." + tail)
    assert yaml.safe_load(text)["frameworks"]["small"] == {
        "title": "Small: one",
        "versions": {"2.0": {"bases": ["one"], "contract": ["small==2.0"]}},
    }


def test_a_version_is_made_after_another_one() -> None:
    root = compose(MATRIX)
    keys = ("frameworks", "boost", "versions", "1.2")
    model = Model(
        key="1.2",
        release=Version("1.2.0"),
        distributions=("boost-cpu", "boost"),
        lines=tuple(lines_of(MATRIX, root, keys)),
    )
    text = append(MATRIX, root, keys, entry.version(model, NEWER))
    made = yaml.safe_load(text)["frameworks"]["boost"]["versions"]
    assert list(made) == ["0.9", "1.2", "1.3"]
    assert made["1.2"] == yaml.safe_load(MATRIX)["frameworks"]["boost"]["versions"]["1.2"]
    assert made["1.3"] == {
        "devices": ["cpu", "cuda13.0.3"],
        "cpu": {"contract": ["boost-cpu==1.3.1"]},
        "gpu": {"contract": ["boost[all]==1.3.1", "boost-tools==1.2.0.1"]},
        "lifecycle": {"released": datetime.date(2026, 10, 11)},
    }
    assert text.count("# Why it has two devices.") == 2


def test_a_version_does_not_inherit_the_end_of_another_one() -> None:
    ending = MATRIX.replace(
        "        lifecycle: {released: 2026-01-02}\n",
        """\
        bases:
          - one
          - two
        lifecycle:
          released: 2026-01-02
          full-support: {until: 2026-03-01, source: a page of upstream}
        gpu-note: 1
""",
    )
    root = compose(ending)
    keys = ("frameworks", "boost", "versions", "1.2")
    lines = tuple(lines_of(ending, root, keys))
    model = Model(key="1.2", release=Version("1.2.0"), distributions=("boost",), lines=lines)
    release = replace(NEWER, bases=("one",), misfits={"two": "it has no wheel"})
    text = append(ending, root, keys, entry.version(model, release))
    assert (text.count("lifecycle:"), text.count("full-support:")) == (2, 1)
    made = yaml.safe_load(text)
    version = made["frameworks"]["boost"]["versions"]["1.3"]
    assert version["lifecycle"] == {"released": datetime.date(2026, 10, 11)}
    assert (version["bases"], version["gpu-note"]) == (["one"], 1)


def test_an_alias_is_where_it_is_used() -> None:
    text = "life: &life {released: 2026-01-02}\na:\n  b:\n    c: 1\n    life: *life\nd: [1]\n"
    root = compose(text)
    assert lines_of(text, root, ("a", "b")) == ["  b:", "    c: 1", "    life: *life"]
    assert append(text, root, ("a",), ["  e: 2"]).splitlines()[4:6] == ["    life: *life", "  e: 2"]


def test_a_version_names_its_bases_where_it_does_not_fit_all() -> None:
    model = Model(
        key="1.0",
        release=Version("1.0"),
        distributions=("small",),
        lines=('      "1.0":', "        bases: [one, two]", "        contract: [small==1.0]"),
    )
    lines = entry.version(model, OLDER_ALONE)
    assert lines == ['      "2.0":', "        bases: [one]", "        contract: [small==2.0]"]


def test_a_block_text_ends_where_it_ends() -> None:
    text = "a:\n  b: |\n    one\n    two\nc: 1"
    assert append(text, compose(text), ("a",), ["  d: 2"]) == "a:\n  b: |\n    one\n    two\n  d: 2\nc: 1"
    assert append(text, compose(text), ("c",), ["e: 3"]) == text + "\ne: 3\n"


def test_the_beginning_of_a_script_runs_and_says_that_it_makes_no_model() -> None:
    text = script.skeleton("JSON", "json", "tests/images/scoring/json.py")
    names: dict[str, object] = {}
    exec(compile(text, "json.py", "exec"), names)
    assert names["REQUEST"] and names["ANSWER"]
    assert "tests/images/scoring/json.py makes no model yet" in text
    assert max(map(len, text.splitlines())) <= 120
