"""Licences in the inventory: which ones are read from a package, and which are left unknown."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from build.paths import repository


@pytest.fixture(scope="module")
def inventory() -> ModuleType:
    """The script that runs in the images."""
    spec = importlib.util.spec_from_file_location("inventory", repository().root / "tests/images/inside/inventory.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BSD = "License :: OSI Approved :: BSD License"
#: The field of scipy 1.17: a whole licence.
WHOLE = "Copyright (c) 2001-2002 Enthought, Inc. 2003, SciPy Developers.\nAll rights reserved.\n\nRedistribution"


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "licence", "source"),
    [
        ("MIT OR Apache-2.0", "MIT", [BSD], "MIT OR Apache-2.0", "License-Expression"),
        (None, "BSD-3-Clause", [BSD], "BSD-3-Clause", "License"),
        (None, WHOLE, [BSD], "BSD License", "classifiers"),
        (None, "UNKNOWN", [BSD, "License :: OSI Approved"], "BSD License", "classifiers"),
        (None, None, [BSD, "License :: Other/Proprietary License"], "BSD License or Other/Proprietary License",
         "classifiers"),
        (None, "    MIT License\n\n    Copyright (c) Microsoft", [], "MIT License", "first line of License"),
        (None, WHOLE, [], None, None),
        (None, None, ["Programming Language :: Python"], None, None),
        (None, "UNKNOWN", [], None, None),
    ],
)  # fmt: skip
def test_licence_of_a_distribution(
    inventory: ModuleType,
    expression: str | None,
    text: str | None,
    classifiers: list[str],
    licence: str | None,
    source: str | None,
) -> None:
    assert inventory.python_licence(expression, text, classifiers) == (licence, source)


DEP5 = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: MPL-2.0

Files: debian/*
License: GPL-2+
 On Debian systems the text is in /usr/share/common-licenses/GPL-2.

License: MPL-2.0
"""


@pytest.mark.parametrize(
    ("text", "licence", "source"),
    [
        (DEP5, "MPL-2.0, GPL-2+", "copyright file (DEP 5)"),
        (
            "It is in `/usr/share/common-licenses/LGPL-2.1', and GPL-2 in /usr/share/common-licenses/GPL-2.",
            "LGPL-2.1, GPL-2",
            "licences that the copyright file refers to",
        ),
        ("This software is free. License: yes.", None, None),
    ],
)
def test_licence_of_a_debian_package(inventory: ModuleType, text: str, licence: str | None, source: str | None) -> None:
    assert inventory.debian_licence(text) == (licence, source)
