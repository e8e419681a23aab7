"""One of the images of 2021 on Python 3.7, built on the stand-in base because its own base cannot be reached.

The XGBoost image covers the most: a package that is built from source, a patched pandas, and the old scoring server.
"""

from __future__ import annotations

import pytest

from build.bases import prefix
from build.checkout import project
from build.engine.connect import Connection
from build.errors import PipelineError
from build.matrix.origins import PrefixPython
from tests.conftest import ROOT, Checkout, Ran, this_checkout

pytestmark = pytest.mark.engine

XGBOOST = "xgboost-0.9-ubuntu18.04-py37-cpu-inference"
STAND_IN = "ubuntu18.04=debian12-py37"


@pytest.fixture
def python37() -> None:
    """Skip where this machine has no CPython 3.7."""
    opened = project.open_project(Checkout(root=ROOT).paths)
    wanted = opened.matrix.bases["debian12-py37"].origin.python
    assert isinstance(wanted, PrefixPython)
    try:
        prefix.find(wanted, ROOT)
    except PipelineError as failure:
        pytest.skip(f"{failure.what}; {failure.fix}")


@pytest.fixture
def built(python37: None, connection: Connection) -> Ran:
    """The command that has built the image in this checkout, or found it in the engine."""
    with this_checkout():
        done = Checkout(root=ROOT).run("build", XGBOOST, "--base", STAND_IN)
    assert done.code == 0, done.text
    return done


def test_it_is_built(built: Ran) -> None:
    assert "past its end of life (2023-05-31)" in built.err, built.err


@pytest.mark.alone
def test_it_passes_its_tests(built: Ran) -> None:
    with this_checkout():
        verified = Checkout(root=ROOT).run("verify", XGBOOST, "--base", STAND_IN)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out
