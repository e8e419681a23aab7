"""A difference as a person and a program read it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from build.diff import documents, markdown, terminal
from build.diff.compare import Fetched, ImageDifference, compare
from build.diff.facts import ImageFacts, Layer, Packages
from build.diff.release_difference import NOTHING, ChangedImage, ReleaseDifference, Totals, common_changes
from tests.unit.diff.samples import MB, image, layer

#: What an image of somebody else may contain.
EVIL = "a\x1b[31m|<b>\n`x`"

ONE = compare(
    image("a1", layer("base", 30 * MB), layer("old"), python={"numpy": "1"}, debian={"libc6": "1"}, labels={"l": EVIL}),
    image(
        "a2",
        layer("base", 30 * MB),
        layer("new", 2 * MB),
        python={"numpy": "2"},
        debian={"libc6": "2"},
        labels={"inference-images.recipe": "x"},
        environment={"LONG": "x" * 250},
    ),
)
TWO = compare(
    image("b1", layer("base", 30 * MB), layer("old"), debian={"libc6": "1"}),
    image("b2", layer("base", 30 * MB), layer("new", 2 * MB), layer("own", 5 * MB), debian={"libc6": "2"}),
)
RELEASES = ReleaseDifference(
    before=("20261126.v1", "registry.example"),
    after=("20261127.v1", "registry.example"),
    added=("c",),
    removed=("d",),
    changed=(
        ChangedImage(name="a", difference=ONE),
        ChangedImage(name="b", difference=TWO),
        ChangedImage(name="lost", difference=None, problem="it is not in the registry"),
    ),
    unchanged=("e", "f"),
    totals=Totals(
        fetched=Fetched(bytes=7 * MB, layers=2), fetched_back=Fetched(bytes=2 * MB, layers=1), uncounted=("lost",)
    ),
)


def test_the_sections_of_two_images(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_images(ONE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "- registry.example/a/a1:1 (sha256:a1, 31.0 MB)",
        "+ registry.example/a/a2:1 (sha256:a2, 32.0 MB)",
    ]
    assert "Python packages: 1 changed:" in lines
    assert "  numpy  1 → 2" in lines
    at = lines.index("  LONG")
    assert lines[at + 1] == f"    + {'x' * 250}", "a long value has a line of its own"
    assert "layers: 1 of 2 new, 1 gone:" in lines
    assert "  + sha256:new    2.0 MB  made new" in lines
    assert "no difference: configuration" in lines
    assert lines[-1] == (
        "a machine with the first image fetches 1 layer, 2.0 MB of 32.0 MB; "
        "the other way round 1 layer, 1.0 MB of 31.0 MB"
    )


def test_values_of_an_image_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_images(ONE)
    assert "\x1b" not in capsys.readouterr().out
    text = markdown.of_images(ONE)
    assert "| `l` | `` a\\x1b[31m\\|<b>\\n`x` `` | – |" in text


def test_what_is_not_known_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = "Python packages: unknown, since no document that lists them is attached to either image"
    terminal.print_images(TWO)
    assert f"{words}; --layers reads the layers (38.0 MB to download)\n" in capsys.readouterr().out
    assert words in markdown.of_images(TWO)
    only_one = compare(TWO.before, ONE.after)
    terminal.print_images(only_one)
    assert "is attached to the first image; --layers reads the layers (31.0 MB" in capsys.readouterr().out
    document = json.loads(documents.of_images(TWO))
    assert (document["python"], document["debian"][0]["after"]) == (None, "2")


def test_an_image_and_itself(capsys: pytest.CaptureFixture[str]) -> None:
    same = compare(ONE.before, ONE.before)
    terminal.print_images(same)
    assert capsys.readouterr().out == "no difference: both are sha256:a1\n"
    assert "No difference: both are `sha256:a1`." in markdown.of_images(same)


def test_only_the_metadata_differs(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_images(compare(image("a", layer("1")), image("b", layer("1"))))
    text = capsys.readouterr().out
    assert "no difference: Python packages, Debian packages, environment, configuration, labels, layers\n" in text
    assert "the images are not the same, but nothing that is compared differs" in text


def test_images_of_a_release_share_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    changes = common_changes(RELEASES)
    assert [(each.change.name, each.images) for each in changes["Debian packages"]] == [("libc6", ("a", "b"))]
    assert [each.change.name for each in changes["labels"]] == ["l"], "the recipe differs in every image"
    assert "configuration" not in changes
    terminal.print_releases(RELEASES)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "release 20261126.v1 → 20261127.v1 at registry.example"
    assert "  libc6  1 → 2  a, b" in lines
    assert "lost cannot be compared: it is not in the registry" in lines
    assert any(line.startswith("packages are unknown") and ": b; --layers" in line for line in lines)
    assert lines[-1] == (
        "6 images: 1 added, 3 changed, 2 unchanged; 1 removed; a machine with all of the former ones fetches 2 layers, "
        "7.0 MB (not counting 1 image that cannot be read)"
    )


def test_the_notes_of_a_release() -> None:
    notes = markdown.of_releases(RELEASES)
    assert notes.startswith("## Release 20261127.v1\n\nRelease 20261126.v1 → 20261127.v1 at registry.example. 6 images")
    assert "| `a` | 2.0 MB of 32.0 MB | 1 Python package, 1 Debian package, environment, labels |" in notes
    assert "| `libc6` | `1` | `2` | `a`, `b` |" in notes
    assert "### Unchanged\n\n`e`, `f`\n" in notes
    tables = [line.count("|") - line.count("\\|") for line in notes.splitlines() if line.startswith("|")]
    assert set(tables) == {4, 5}, "a value broke a table"


def test_the_first_release() -> None:
    first = ReleaseDifference(
        before=None,
        after=("20261126.v1", "registry.example"),
        added=("a",),
        removed=(),
        changed=(),
        unchanged=(),
        totals=Totals(fetched=Fetched(bytes=9 * MB, layers=3), fetched_back=Fetched(bytes=0, layers=0)),
    )
    assert "1 image: 1 added; a machine without any of them fetches 3 layers, 9.0 MB." in markdown.of_releases(first)
    assert "the first one, so all of its images are new" in markdown.of_releases(first)
    assert json.loads(documents.of_releases(first))["before"] is None


def test_releases_as_json() -> None:
    document = json.loads(documents.of_releases(RELEASES))
    assert [(each["name"], each["problem"], each["difference"] is None) for each in document["changed"]] == [
        ("a", None, False),
        ("b", None, False),
        ("lost", "it is not in the registry", True),
    ]
    assert document["fetched"] == {"bytes": 7 * MB, "layers": 2}
    assert document["fetched_back"] == {"bytes": 2 * MB, "layers": 1}
    assert document["uncounted"] == ["lost"]
    assert document["changed"][1]["difference"]["fetched"] == {"bytes": 7 * MB + 1000, "layers": 2}


#: Texts that steer a terminal, or that are more than text in rich's markup, in Markdown or on GitHub.
HOSTILE = (
    "evil\x1b[31mred",
    "evil\x1b]8;;https://evil.example\x07link",
    "evil\x9b31m",
    "evil\nerror: evil",
    "evil\rover",
    "evil\tevil\x00\x08\x7f",
    "evil\u202ereversed\u2028\ud800",
    "evil [bold red]x[/bold red] [/] :heart: [link=https://evil.example]x[/link]",
    "[evil](https://evil.example) ![evil](https://evil.example/x.png) [evil]: https://evil.example",
    "<b>evil</b> <script> <!-- evil <https://evil.example>",
    "evil|evil|evil",
    "evil\\|evil\\",
    "`evil` ``evil",
    "evil`",
    "`",
    "**evil** __evil__ ~~evil~~ # evil > evil - evil",
    "@evil #1 evil@evil.example https://evil.example www.evil.example &lt;evil&gt;",
    " evil ",
)


def hostile(text: str) -> tuple[ImageDifference, ReleaseDifference]:
    """A difference of images and one of releases with a text in every place that an image or a record may fill."""

    def facts(letter: str) -> ImageFacts:
        values = {text: f"{text}{letter}"}
        one = Layer(digest=f"sha256:{letter}", size=MB, media_type=text, created_by=text, title=text)
        return ImageFacts(
            reference=text,
            digest=f"sha256:{letter}",
            config_digest=f"sha256:config-{letter}",
            config_size=1,
            layers=(one,),
            environment=values,
            labels=values,
            settings=values,
            packages=Packages(python=values, debian=values, source="recipe"),
        )

    images = compare(facts("a"), facts("b"))
    unknown = compare(image("a1", layer("old")), image("a2", layer("new")))
    releases = ReleaseDifference(
        before=("20261126.v1", "registry.example"),
        after=("20261127.v1", "other.example/team"),
        added=(text, text),
        removed=(text,),
        changed=(
            ChangedImage(name=text, difference=images),
            ChangedImage(name=text, difference=unknown),
            ChangedImage(name=text, difference=None, problem=text),
        ),
        unchanged=(text, text),
        totals=NOTHING,
    )
    return images, releases


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_text_on_a_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    images, releases = hostile(text)
    plain_images, plain_releases = hostile("x" * len(shown))
    lines = []
    for one, two in ((images, releases), (plain_images, plain_releases)):
        terminal.print_images(one)
        terminal.print_releases(two)
        lines.append(capsys.readouterr().out.splitlines())
    assert all(line.isprintable() for line in lines[0])
    assert len(lines[0]) == len(lines[1]), "a text has made a line of its own"
    assert sum(shown in line for line in lines[0]) >= 15, "a text is not shown as it is"
    for document in (documents.of_images(images), documents.of_releases(releases)):
        assert document.replace("\n", "").isprintable() and document.isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_text_in_markdown(text: str) -> None:
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    images, releases = hostile(text)
    plain_images, plain_releases = hostile("x")
    for found, expected in (
        (markdown.of_images(images), markdown.of_images(plain_images)),
        (markdown.of_releases(releases), markdown.of_releases(plain_releases)),
    ):
        tokens, plain = list(read(found)), list(read(expected))
        assert [each.type for each in tokens] == [each.type for each in plain], "a text is more than text"
        code = [each.content for each in tokens if each.type == "code_inline"]
        assert sum(shown.strip(" ") in content for content in code) >= 15
        assert not [each for each in tokens if each.type == "text" and "evil" in each.content], "it may become a link"


def read(text: str) -> Iterator[Token]:
    """The parts of a Markdown text, as a program sees them that shows it."""
    for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        yield from block.children or [block]
