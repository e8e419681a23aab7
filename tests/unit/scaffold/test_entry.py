"""The entries that `nox -s new` writes into the matrix."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
import yaml
from packaging.version import Version

from build.matrix.edit import NotEditableError
from build.matrix.insert import append
from build.scaffold import entry, script
from build.scaffold.entry import Model, NewVersion
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


MODEL = Model(key="1.2", releases=(Version("1.2.0"),), distributions=("boost-cpu", "boost"))
NEWER = NewVersion(version=Version("1.3.1"), day=datetime.date(2026, 10, 11))


def made(text: str) -> dict[str, Any]:
    """Return the versions of a matrix."""
    versions: dict[str, Any] = yaml.safe_load(text)["frameworks"]["boost"]["versions"]
    return versions


def with_version(text: str, new: NewVersion = NEWER, model: Model = MODEL) -> str:
    return entry.with_version("matrix.yaml", text, "boost", model, new)


def test_a_version_is_made_after_another_one() -> None:
    text = with_version(MATRIX)
    assert list(made(text)) == ["0.9", "1.2", "1.3"]
    assert made(text)["1.2"] == made(MATRIX)["1.2"]
    assert made(text)["1.3"] == {
        "devices": ["cpu", "cuda13.0.3"],
        "cpu": {"contract": ["boost-cpu==1.3.1"]},
        "gpu": {"contract": ["boost[all]==1.3.1", "boost-tools==1.2.0.1"]},
        "lifecycle": {"released": datetime.date(2026, 10, 11)},
    }
    assert text.count("# Why it has two devices.") == 2
    head, tail = MATRIX.split("\n# What follows.")
    assert text.startswith(head) and text.endswith("\n# What follows." + tail)


@pytest.mark.parametrize(
    ("comment", "is_copied"),
    [
        ("# boost==1.2.0 has a bug", False),
        ("# Since 1.2, it needs\n        # tools of its own.", False),
        ("# tools\n\n        # 1.2.4 has no wheel", None),
        ("# Needs 11.2 GB, or 1.25 of that.", True),
    ],
)
def test_a_comment_that_names_the_older_version_is_not_copied(comment: str, is_copied: bool | None) -> None:
    text = MATRIX.replace("# Why it has two devices.", comment)
    after = with_version(text)
    head, _, tail = after.partition('      "1.3":')
    assert tail and head == text[: text.index("\n# What follows.")], "the older entry has changed"
    if is_copied is None:  # the first of two
        assert "# tools" in tail and "1.2.4" not in tail
    else:
        assert (comment in tail) is is_copied
        assert is_copied or "#" not in tail.partition("\n\n")[0]


def test_a_comment_at_the_end_of_a_line_is_told_from_a_text() -> None:
    pins = 'guards: [{pin: "boost==1.2.0", reason: "see # 1.2.0"}]  # until boost==1.2.0 is gone\n'
    text = MATRIX.replace("lifecycle: {released: 2026-01-02}\n", pins)
    after = with_version(text)
    assert 'guards: [{pin: "boost==1.3.1", reason: "see # 1.2.0"}]\n' in after
    assert after.count("is gone") == 1


def test_comments_at_the_end_of_an_entry_stay_with_it() -> None:
    """Those further in than the key belong to the entry, the others to what comes after it."""
    last = "        lifecycle:\n          released: 2026-01-02\n          # from its page\n"
    end = "        # 1.2: until the customer has moved\n"
    above = "      # The first one.\n"
    text = MATRIX.replace("        lifecycle: {released: 2026-01-02}\n", last + end + above + '      "1.1": {}\n')
    after = with_version(text)
    assert (after.count("from its page"), after.count("until the customer")) == (1, 1)
    old, _, new = after.partition('      "1.3":\n')
    assert old.endswith(last + end)
    assert new.partition(above)[0].endswith("        lifecycle: {released: 2026-10-11}\n")


def test_line_ends_stay_as_they_are() -> None:
    text = with_version(MATRIX.replace("\n", "\r\n"))
    assert text == with_version(MATRIX).replace("\n", "\r\n")
    ended = entry.with_end("matrix.yaml", text, "boost", "1.2", UNTIL, SOURCE)
    assert ended.count("\n") == ended.count("\r\n")


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
    text = with_version(ending, dataclasses.replace(NEWER, bases=("one",), devices=("cpu",)))
    assert (text.count("lifecycle:"), text.count("full-support:")) == (2, 1)
    version = made(text)["1.3"]
    assert version["lifecycle"] == {"released": datetime.date(2026, 10, 11)}
    assert (version["bases"], version["devices"], version["gpu-note"]) == (["one"], ["cpu"], 1)


def test_a_version_with_two_ranges_of_pythons_gets_one_release() -> None:
    pins = """["boost==1.2.1; python_version >= '3.12'", "boost==1.2.0; python_version < '3.12'"]"""
    text = MATRIX.replace("[boost-cpu==1.2.0]", pins)
    model = dataclasses.replace(MODEL, releases=(Version("1.2.1"), Version("1.2.0")))
    assert made(with_version(text, model=model))["1.3"]["cpu"]["contract"] == [
        "boost==1.3.1; python_version >= '3.12'",
        "boost==1.3.1; python_version < '3.12'",
    ]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (
            '      "1.2": {contract: [boost==1.2.0], lifecycle: {released: 2026-01-02}}  # why\n',
            '      "1.3": {contract: [boost==1.3.1], lifecycle: {released: 2026-10-11}}  # why\n',
        ),
        (
            "      '1.2': {lifecycle: {released: 2026-01-02}, contract: [boost==1.2.0]}\n",
            "      '1.3': {contract: [boost==1.3.1], lifecycle: {released: 2026-10-11}}\n",
        ),
        (
            '      "1.2": {\n        contract: [boost==1.2.0], # why\n      }\n',
            '      "1.3": {\n        contract: [boost==1.3.1], lifecycle: {released: 2026-10-11}, # why\n      }\n',
        ),
        (
            '      "1.2": {contract: [boost==1.2.0], lifecycle: *life}\n',
            '      "1.3": {contract: [boost==1.3.1], lifecycle: {released: 2026-10-11}}\n',
        ),
    ],
    ids=["braces", "first", "several lines", "alias"],
)
def test_a_version_in_braces(versions: str, expected: str) -> None:
    text = f"life: &life {{released: 2026-01-02}}\nframeworks:\n  boost:\n    versions:\n{versions}groups: {{}}\n"
    assert with_version(text) == text.replace(versions, versions + expected)


def test_versions_in_braces() -> None:
    text = 'frameworks: {boost: {versions: {"1.2": {contract: [boost==1.2.0]}}}} # end\n'
    new = '"1.3": {contract: [boost==1.3.1], lifecycle: {released: 2026-10-11}}'
    assert with_version(text) == text.replace("}}}} #", f"}}, {new}}}}}}} #")


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ('      "1.2": &model\n        contract: [boost==1.2.0]\n      "1.1": *model\n', "comes from an alias"),
        ('      "1.2": *model\n', "comes from an alias"),
        ('      "1.2":\n        contract: &pins [boost==1.2.0]\n', "has the anchor '&pins'"),
    ],
)
def test_what_comes_from_an_alias_or_has_an_anchor_is_left_to_a_person(versions: str, words: str) -> None:
    head = "model: &model {contract: [boost==1.2.0]}\n" if "&model" not in versions else ""
    with pytest.raises(NotEditableError, match=words):
        with_version(f"{head}frameworks:\n  boost:\n    versions:\n{versions}")


UNTIL, SOURCE = datetime.date(2027, 5, 26), 'replaced by 1.3: kept for "180 days"'


@pytest.mark.parametrize(
    "lifecycle",
    [
        "        lifecycle: {released: 2026-01-02}  # known\n",
        "        lifecycle:\n          # known\n          released: 2026-01-02\n",
        "",
    ],
)
def test_an_end_date_changes_nothing_else(lifecycle: str) -> None:
    before = MATRIX.replace("        lifecycle: {released: 2026-01-02}\n", lifecycle)
    text = entry.with_end("matrix.yaml", before, "boost", "1.2", UNTIL, SOURCE)
    assert made(text)["1.2"]["lifecycle"]["full-support"] == {"until": UNTIL, "source": SOURCE}
    for line in before.splitlines():
        assert line.partition("}")[0] in text
    assert text.count("# known") == before.count("# known")
    assert len(text.splitlines()) <= len(before.splitlines()) + 1


def test_an_end_date_in_a_lifecycle_of_several_versions_is_left_to_a_person() -> None:
    before = MATRIX.replace("lifecycle: {released", "lifecycle: &life {released")
    assert "full-support" in entry.with_end("matrix.yaml", before, "boost", "1.2", UNTIL, SOURCE)
    with pytest.raises(NotEditableError, match="comes from an alias"):
        entry.with_end("matrix.yaml", f"{before}other: *life\n", "boost", "1.2", UNTIL, SOURCE)


def test_an_end_date_does_not_hide_a_lifecycle_that_a_merge_key_brings() -> None:
    before = MATRIX.replace(
        "        lifecycle: {released: 2026-01-02}\n", "        <<: {lifecycle: {released: 2026-01-02}}\n"
    )
    with pytest.raises(NotEditableError, match="merge key"):
        entry.with_end("matrix.yaml", before, "boost", "1.2", UNTIL, SOURCE)


def test_an_alias_is_where_it_is_used() -> None:
    text = "life: &life {released: 2026-01-02}\na:\n  b:\n    c: 1\n    life: *life\nd: [1]\n"
    root = compose(text)
    assert append(text, root, ("a",), ["  e: 2"]).splitlines()[4:6] == ["    life: *life", "  e: 2"]


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
