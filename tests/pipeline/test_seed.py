"""One of the images of 2021 on Python 3.7, built on the stand-in base because its own base cannot be reached.

The XGBoost image covers the most: a package that is built from source, a patched pandas, and the old scoring server.
"""

from __future__ import annotations

import pytest

from build.bases import prefix
from build.checkout import project
from build.errors import PipelineError
from build.matrix.origins import PrefixPython
from tests.conftest import ROOT, Checkout

pytestmark = [pytest.mark.engine, pytest.mark.alone]

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


@pytest.mark.usefixtures("python37", "connection")
def test_it_passes_its_tests() -> None:
    checkout = Checkout(root=ROOT)
    built = checkout.run("build", XGBOOST, "--base", STAND_IN)
    assert built.code == 0, built.text
    assert "past its end of life (2023-05-31)" in built.err, built.err
    verified = checkout.run("verify", XGBOOST, "--base", STAND_IN)
    assert verified.code == 0, verified.text
    assert " verified" in verified.out
