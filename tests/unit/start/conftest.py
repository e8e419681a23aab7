"""The start-up code of the images is importable in the tests of this folder (`start_modules.module`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.unit.start.start_modules import START


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the folder of `server_start` on the path, and forget its modules after the test."""
    monkeypatch.syspath_prepend(str(START))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "server_start"]:
        del sys.modules[name]
