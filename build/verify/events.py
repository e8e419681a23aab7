"""The JSON lines that the image tests write while they run, as types.

``tests/images/image_results.py`` writes them: one line for each event. Unknown keys are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from build.verify.reports import Package


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Collected(_Line):
    """The tests are collected; none has started."""

    event: Literal["collected"]
    #: Image name → number of tests that apply to it.
    tests: Mapping[str, int]


class Started(_Line):
    """The first test of an image starts."""

    event: Literal["started"]
    image: str


class Inventory(_Line):
    """The packages in an image, as a test found them."""

    python: tuple[Package, ...] = ()
    debian: tuple[Package, ...] = ()


class Completed(_Line):
    """One test of one image is complete."""

    event: Literal["completed"]
    image: str
    #: The file of the test without ``test_image_``: ``packages``.
    group: str
    #: ``test_environment (LANG)``.
    test: str
    #: Whether the result is the same for all images with the same base and server layer.
    depends: Literal["base", "image"]
    outcome: Literal["passed", "failed", "skipped"]
    #: Why it failed or was skipped, in one line.
    reason: str
    #: Set-up and tear-down included.
    seconds: float
    #: None unless this test looked for it.
    inventory: Inventory | None = None
    #: Part of the server or of the environment → digest; empty unless this test looked for them.
    server_parts: Mapping[str, str] = Field(default_factory=dict)
    #: Times that were too long at the first try and were measured again, each in one line.
    measured_again: tuple[str, ...] = ()


class Error(_Line):
    """A failure that belongs to no image: a file of tests that cannot be imported, a worker process that died."""

    event: Literal["error"]
    where: str
    reason: str


Event = Collected | Started | Completed | Error
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def parse(line: str) -> Event:
    """Read one line.

    Raises:
        pydantic.ValidationError: It is not JSON, or not an event.
    """
    return _ADAPTER.validate_json(line)
