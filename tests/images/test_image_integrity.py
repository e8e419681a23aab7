"""What the shared tests were run on is what this image has.

Most tests of the base and of the server layer run in one image of a family and count for the others. A package layer of
another image could still change what they were about: these tests run in each image, and show that none does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from image_container import LIBRARY, PROGRAMS, Answers
from image_plan import Image

#: What `python -m venv` and the server's layer put into the environment besides packages.
OF_THE_ENVIRONMENT = re.compile(
    r"\.gitignore|bin/[Aa]ctivate(\.\w+)?|bin/python[\d.]*|lib64|pip\.conf|pyvenv\.cfg|server-constraints\.txt"
)


def test_each_file_belongs_to_a_package(probed: Answers) -> None:
    """No ``.pth``, no ``sitecustomize``, no module that no installed package lists."""
    found = [path for path in probed["strays"] if not OF_THE_ENVIRONMENT.fullmatch(path)]
    assert not found, f"of no package: {', '.join(found[:20])}"


def test_the_server_is_as_its_packages_were_made(probed: Answers) -> None:
    records = probed["records"]
    assert records["files"] > 0, "no file was compared"
    assert not records["others"], f"differ from RECORD: {', '.join(records['others'])}"


def test_bytecode_and_settings_of_the_server(
    image: Image, probed: Answers, record_server_parts: Callable[[dict[str, str]], None]
) -> None:
    """They are those of the image in which the shared tests ran; `build.verify.whole_suite` compares them."""
    parts = {
        part: digest
        for part, digest in probed["parts"].items()
        if part.startswith("bytecode ") or OF_THE_ENVIRONMENT.fullmatch(part)
    }
    record_server_parts(parts)
    assert {"pyvenv.cfg", "server-constraints.txt", f"bytecode in {LIBRARY}"} <= parts.keys()
    assert sum(part.startswith("bytecode of ") for part in parts) > len(image.server_packages) / 2


def test_the_start_files_are_those_of_the_base(image: Image, probed: Answers) -> None:
    found = probed["digests"]
    always = {path: digest for path, digest in image.start.items() if not path.startswith("standard_library/")}
    expected = {_place(path): digest for path, digest in always.items()}
    differ = sorted(path for path in {*expected, *found} if expected.get(path) != found.get(path))
    assert not differ, f"not those of the recipe: {', '.join(differ)}"


def _place(path: str) -> str:
    """Return where a file of ``image/start`` is in an image (``image/scripts/setup-base``)."""
    folder = LIBRARY if PurePosixPath(path).suffix == ".py" else PROGRAMS
    return f"{folder}/{path}"
