"""Servers for the pipeline tests: containers of the smallest image, which are removed after the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from image_container import Container, Start

from build.engine.connect import Connection
from tests.conftest import ROOT, Checkout, this_checkout
from tests.pipeline.helpers import local_image
from tests.pipeline.rows import MINIMAL


def minimal_image(connection: Connection) -> str:
    """Return the ID of the smallest image, which is built where the engine does not have it."""
    with this_checkout():
        built = Checkout(root=ROOT).run("build", MINIMAL)
    assert built.code == 0, built.text
    return local_image(connection.client, Checkout(root=ROOT), MINIMAL).id


@contextmanager
def containers(connection: Connection) -> Iterator[Start]:
    """Give a function that starts containers of the smallest image, and remove them after the block."""
    started: list[Container] = []
    image = minimal_image(connection)

    def start(
        files: dict[str, bytes],
        *,
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] = (),
        reference: str | None = None,
    ) -> Container:
        one = Container.start(
            reference or image,
            files=files,
            labels={"inference-images.pipeline": "serving"},
            environment=environment,
            options=options,
            command=command,
        )
        started.append(one)
        return one

    with pytest.MonkeyPatch.context() as patch:
        for key, value in connection.environment.items():
            patch.setenv(key, value)
        try:
            yield start
        finally:
            for one in started:
                one.remove()


def must_serve(connection: Connection, reference: str) -> None:
    """Start a container of an image with a script, and assert that it answers a request."""
    script = b"def init():\n    pass\n\n\ndef run(data):\n    return {'got': data}\n"
    with containers(connection) as start:
        answer = start({"main.py": script}, reference=reference).ask({"x": 1})
    assert answer == {"got": '{"x": 1}'}, answer
