"""`nox -s new` with the real index and a small matrix."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import Checkout
from tests.pipeline.test_impossible_cells import write

pytestmark = pytest.mark.network

SIX = """\
  six:
    title: Six
    versions:
      "1.16":
        contract: [six==1.16.0]  # for Python 2 and 3
        lifecycle: {released: 2021-05-05}
"""

FLASK = """\
  flask:
    title: Flask
    versions:
      "2.3":
        contract: [flask==2.3.3, werkzeug<3]
"""


def test_a_framework_that_nobody_named(checkout: Checkout) -> None:
    write(checkout, SIX)
    done = checkout.run("new", "framework", "colorama", "--title", "Colorama", "--version", "0.4")
    assert done.code == 0, done.text
    made = yaml.safe_load(checkout.paths.matrix.read_text())["frameworks"]["colorama"]
    (version,) = made["versions"].values()
    assert list(made["versions"]) == ["0.4"]
    assert re.fullmatch(r"colorama==0\.4\.\d+", version["contract"][0])
    assert version["lifecycle"]["released"].year >= 2013
    name = "colorama-0.4-debian13-py313-cpu-inference"
    assert (checkout.root / f"locks/debian13-py313/{name}.txt").is_file()
    assert (checkout.root / f"dockerfiles/{name}/Dockerfile").is_file()
    assert "import colorama" in (checkout.root / "tests/images/scoring/colorama.py").read_text()
    assert "1. edit tests/images/scoring/colorama.py" in done.out
    assert "2. nox -s build verify -- 'colorama-0.4-*'" in done.out
    again = checkout.run("new", "framework", "colorama")
    assert again.code == 2
    assert "nox -s new -- version colorama VERSION" in again.one_screen()


@pytest.mark.thorough  # two versions of a distribution in one matrix take a minute to resolve
def test_a_version_keeps_the_comments_of_its_model(checkout: Checkout) -> None:
    write(checkout, SIX)
    before = checkout.paths.matrix.read_text()
    done = checkout.run("new", "version", "six", "1.17")
    assert done.code == 0, done.text
    text = checkout.paths.matrix.read_text()
    assert re.search(r'      "1\.17":\n        contract: \[six==1\.17\.0\]  # for Python 2 and 3\n', text)
    assert text.replace(re.search(r'      "1\.17":\n(        .*\n)+', text)[0], "") == before  # type: ignore[index]
    assert (checkout.root / "locks/debian13-py313/six-1.17-debian13-py313-cpu-inference.txt").is_file()
    again = checkout.run("new", "version", "six", "1.17")
    assert again.code == 2
    assert "the matrix has six 1.17" in again.one_screen()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("framework", "no-such-distribution-of-anyone"), 2, "no index has a distribution"),
        (("framework", "colorama", "--version", "99.9"), 2, "colorama has no release 99.9"),
        (("framework", "Colorama"), 2, "'Colorama' cannot be the name of a framework"),
        (("version", "nothing", "1.0"), 2, "nox -s new -- framework nothing"),
        (("version", "six", "0.0.1"), 2, "six has no release 0.0.1"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    checkout: Checkout, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write(checkout, SIX)
    before = checkout.paths.matrix.read_bytes()
    done = checkout.run("new", *arguments)
    assert done.code == code, done.text
    assert words in done.one_screen()
    assert checkout.paths.matrix.read_bytes() == before


def test_what_cannot_be_locked_is_taken_out_of_the_matrix_again(checkout: Checkout) -> None:
    """The new release needs a newer version of what the contract pins."""
    write(checkout, FLASK)
    before = checkout.paths.matrix.read_bytes()
    done = checkout.run("new", "version", "flask", "3.0")
    assert done.code == 1, done.text
    assert "nothing was added" in done.one_screen()
    assert checkout.paths.matrix.read_bytes() == before


def test_a_pin_that_cannot_be_replaced_is_an_error(checkout: Checkout) -> None:
    write(checkout, SIX.replace("six==1.16.0", "'six == 1.16.0'"))
    before = checkout.paths.matrix.read_bytes()
    done = checkout.run("new", "version", "six", "1.17")
    assert done.code == 2, done.text
    assert "the pins of the newest version could not be replaced by six==1.17.0" in done.one_screen()
    assert checkout.paths.matrix.read_bytes() == before
