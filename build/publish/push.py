"""The push of one image by the engine."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import docker.auth
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image

from build.errors import EngineError
from build.publish.publication import Upload
from build.registry import push_failures
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.credentials import credentials
from build.registry.manifests import Blob
from build.system import console

#: Called while an image is pushed: its name, and of the layers that are being sent the bytes sent and in all.
Progress = Callable[[str, int, int], None]

#: What the engine sends while it pushes (JSON).
Event = dict[str, Any]

#: Seconds of silence from the engine in a push: a registry may take minutes to store a layer of gigabytes.
_SILENCE = 600.0

_POLICY = push_failures.POLICY

_SENT = "Pushed"
_NOT_SENT = ("Layer already exists", "Mounted from")


def local_image(client: DockerClient, item: Upload) -> Image:
    """Find the image in the engine.

    Raises:
        EngineError: It is not there, or the engine does not answer.
    """
    with _engine(item):
        return client.images.get(item.local_reference)


class Transfer:
    """The layers of a push, from the engine's events."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        #: Layers that an earlier attempt began to send: that they exist now is this run's doing.
        self._begun: set[str] = set()
        self._amounts: dict[str, tuple[int, int]] = {}

    def take(self, event: Event) -> tuple[int, int] | None:
        """Note an event; returns the bytes sent and in all where it is about a layer that is being sent."""
        layer, status = event.get("id"), str(event.get("status", ""))
        if not layer:
            return None
        is_repeated = layer in self._begun and status.startswith(_NOT_SENT)
        self._states[layer] = _SENT if is_repeated else status
        detail = event.get("progressDetail") or {}
        if status == "Pushing" and detail.get("total"):
            self._amounts[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif status == _SENT and layer in self._amounts:
            self._amounts[layer] = (self._amounts[layer][1], self._amounts[layer][1])
        if layer not in self._amounts:
            return None
        sent, total = zip(*self._amounts.values(), strict=True)
        return sum(sent), sum(total)

    def repeat(self) -> None:
        """Begin another attempt of the push."""
        self._begun |= {layer for layer, state in self._states.items() if state.startswith(("Pushing", _SENT))}

    def state(self, blob: Blob) -> str | None:
        """The last state of a blob, None where the engine said nothing about it."""
        # The containerd store names blobs by digest, the classic one by diff id, both by 12 digits.
        for known_as in (blob.digest, blob.diff_id):
            state = self._states.get(known_as.partition(":")[2][:12]) if known_as else None
            if state is not None:
                return state
        return None


def push(
    item: Upload, image: Image, remote: Client, client: DockerClient, progress: Progress | None
) -> Callable[[Blob], bool]:
    """Push one image under its tag.

    Args:
        item: The image.
        image: The image in the engine.
        remote: The registry.
        client: The engine.
        progress: Called while it is pushed.

    Returns:
        A function that tells whether a blob of the image was sent.

    Raises:
        RegistryError: The registry is not there, refuses, or fails, in spite of retries.
        EngineError: The engine fails or stops answering.
    """
    registry = remote.registry
    repository = f"{registry.host}/{registry.repository(item.repository)}"
    # The classic store's image id is its configuration's digest, about which the push says nothing.
    config_was_there = remote.has_blob(item.repository, str(image.id))
    transfer = Transfer()
    with _engine(item):
        image.tag(repository, item.tag)
        try:
            attempt = 1
            while (words := _push_once(item, repository, registry, client, transfer, progress)) is not None:
                limited = push_failures.is_rate_limit(words)
                pause = _POLICY.wait(attempt, limited=limited) if push_failures.is_temporary(words) else None
                if pause is None:
                    raise push_failures.explain(
                        item.name, registry.reference(item.repository, item.tag), registry, words
                    )
                attempt += 1
                transfer.repeat()
                console.warn(
                    f"the push of {item.name} failed: {push_failures.shortened(words)}; trying again in "
                    f"{console.seconds(pause)} (attempt {attempt} of {_POLICY.attempts})"
                )
                time.sleep(pause)
        finally:
            # The name was for the push alone; left there, it would keep every image ever published.
            with contextlib.suppress(DockerException, requests.RequestException):
                client.images.remove(f"{repository}:{item.tag}", noprune=True)

    def was_sent(blob: Blob) -> bool:
        state = transfer.state(blob)
        if state is not None:
            return not state.startswith(_NOT_SENT)
        return not (blob.digest == image.id and config_was_there)

    return was_sent


def _push_once(
    item: Upload,
    repository: str,
    registry: Registry,
    client: DockerClient,
    transfer: Transfer,
    progress: Progress | None,
) -> str | None:
    """Push; returns the engine's words where it failed, else None."""
    # Leaving the loop early must close the connection, which ends the push.
    with contextlib.closing(_events(client, registry, repository, item.tag)) as events:
        for event in events:
            if "error" in event:
                return push_failures.shortened(str(event["error"]))
            amounts = transfer.take(event)
            if progress and amounts:
                progress(item.name, *amounts)
    return None


def _events(client: DockerClient, registry: Registry, repository: str, tag: str) -> Generator[Event, None, None]:
    """The engine's answer to a push, event by event; leaving it early ends the push.

    The API is Docker's ``POST /images/{name}/push``; ``client.api.push`` calls it too, but cannot be closed.
    """
    login = credentials(registry)
    # The engine wants the header even where there is no login.
    header = docker.auth.encode_header(login.for_engine() if login else {})
    response = client.api.post(
        f"{client.api.base_url}/v{client.api.api_version}/images/{repository}/push",
        params={"tag": tag},
        headers={"X-Registry-Auth": header.decode("ascii")},
        stream=True,
        timeout=(client.api.timeout, _SILENCE),
    )
    with contextlib.closing(response):
        if not response.ok:
            with contextlib.suppress(ValueError):
                yield {"error": response.json().get("message", response.text)}
                return
            yield {"error": response.text or f"HTTP {response.status_code}"}
            return
        for line in response.iter_lines():
            if line:
                yield json.loads(line)


@contextlib.contextmanager
def _engine(item: Upload) -> Iterator[None]:
    """Turn the engine's failures into ours."""
    try:
        yield
    except (ImageNotFound, NotFound) as error:
        raise EngineError(
            f"the engine has no image '{item.local_reference}'", where=item.name, fix="nox -s build verify"
        ) from error
    except APIError as error:
        raise EngineError(f"the engine failed to push {item.name}", details=str(error)) from error
    except (DockerException, requests.RequestException, json.JSONDecodeError) as error:
        raise EngineError(
            f"the engine stopped answering while {item.name} was published",
            fix="nox -s engine, then publish again: what was pushed is kept",
            details=str(error),
        ) from error
