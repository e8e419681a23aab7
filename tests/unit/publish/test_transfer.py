"""The layers of a push, from the events of the engine."""

from __future__ import annotations

from build.publish.push import Transfer
from build.registry.manifests import Blob

LAYER = Blob(digest="sha256:" + "a" * 64, size=100, diff_id="sha256:" + "b" * 64)
NAME = "a" * 12


def test_a_repeated_push_counts_layers_that_the_first_attempt_sent() -> None:
    transfer = Transfer()
    transfer.take({"id": NAME, "status": "Pushing", "progressDetail": {"current": 50, "total": 100}})

    transfer.repeat()
    transfer.take({"id": NAME, "status": "Layer already exists"})

    assert transfer.state(LAYER) == "Pushed"


def test_a_layer_that_existed_before_the_first_attempt_is_not_counted() -> None:
    transfer = Transfer()
    transfer.take({"id": NAME, "status": "Layer already exists"})

    transfer.repeat()
    transfer.take({"id": NAME, "status": "Layer already exists"})

    assert transfer.state(LAYER) == "Layer already exists"


def test_the_amounts_of_all_layers_are_added_up() -> None:
    transfer = Transfer()

    assert transfer.take({"status": "The push refers to repository [r]"}) is None
    assert transfer.take({"id": "x", "status": "Preparing"}) is None
    assert transfer.take({"id": "x", "status": "Pushing", "progressDetail": {"current": 5, "total": 10}}) == (5, 10)
    assert transfer.take({"id": "y", "status": "Pushing", "progressDetail": {"current": 1, "total": 20}}) == (6, 30)
    assert transfer.take({"id": "x", "status": "Pushed"}) == (11, 30)
