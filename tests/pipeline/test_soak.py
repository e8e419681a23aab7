"""A server under steady load: nothing fails, no worker is replaced, and its memory does not grow."""

from __future__ import annotations

import pytest

from build.engine.connect import Connection
from tests.pipeline.serving import containers
from tests.soak import soak

pytestmark = pytest.mark.engine


@pytest.mark.alone
@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 2])
def test_a_minute_of_load(connection: Connection, workers: int) -> None:
    """`python -m tests.soak` does the same for ten minutes."""
    with containers(connection) as start:
        done = soak(start, seconds=60, workers=workers, interval=5, report=print)
    assert done.load["requests"] > 0
    assert not done.problems(workers), done.problems(workers)


def test_seconds_of_load(connection: Connection) -> None:
    """So short a time tells nothing of the memory."""
    with containers(connection) as start:
        done = soak(start, seconds=3, workers=2, interval=1, report=print)
    problems = [problem for problem in done.problems(2) if "memory" not in problem]
    assert done.load["requests"] > 0
    assert not problems, problems
