"""The push of one image by the engine."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import docker.auth
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image

from build.errors import EngineError, RegistryError
from build.publish.publication import Publication
from build.registry import failures
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.credentials import credentials
from build.registry.manifests import Blob

#: Called while an image goes up: its name, and of its layers that are being sent the bytes sent and in all.
Progress = Callable[[str, int, int], None]

#: Seconds of silence from the engine in a push: a registry may take minutes to store a layer of gigabytes.
_SILENCE = 600.0

_SENT = "Pushed"
_NOT_SENT = ("Layer already exists", "Mounted from")


def local_image(client: DockerClient, item: Publication) -> Image:
    with _engine(item):
        return client.images.get(item.local_reference)


def push(
    item: Publication, image: Image, remote: Client, client: DockerClient, progress: Progress | None
) -> Callable[[Blob], bool]:
    """Push one image under its recipe's tag; returns which of its blobs were sent."""
    registry = remote.registry
    repository = f"{registry.host}/{registry.repository(item.repository)}"
    reference = f"{repository}:{item.recipe_tag}"
    # The classic store's image id is its configuration's digest, of which the push says nothing.
    config_was_there = remote.has_blob(item.repository, str(image.id))
    states: dict[str, str] = {}
    amounts: dict[str, tuple[int, int]] = {}
    with _engine(item):
        image.tag(repository, item.recipe_tag)
        try:
            for event in _events(client, registry, repository, item.recipe_tag):
                if "error" in event:
                    raise _push_failed(item, registry, str(event["error"]))
                layer, status = event.get("id"), str(event.get("status", ""))
                if not layer:
                    continue
                states[layer] = status
                detail = event.get("progressDetail") or {}
                if status == "Pushing" and detail.get("total"):
                    amounts[layer] = (int(detail.get("current", 0)), int(detail["total"]))
                elif status == _SENT and layer in amounts:
                    amounts[layer] = (amounts[layer][1], amounts[layer][1])
                if progress and layer in amounts:
                    progress(item.name, *(sum(column) for column in zip(*amounts.values(), strict=True)))
        finally:
            # The name was for the push alone; left behind, it would keep every image ever published.
            with contextlib.suppress(DockerException, requests.RequestException):
                client.images.remove(reference, noprune=True)

    def sent(blob: Blob) -> bool:
        # The containerd store names blobs by digest, the classic one by diff id, both by 12 digits.
        for known_as in (blob.digest, blob.diff_id):
            state = states.get(known_as.partition(":")[2][:12]) if known_as else None
            if state is not None:
                return not state.startswith(_NOT_SENT)
        return not (blob.digest == image.id and config_was_there)

    return sent


def _events(client: DockerClient, registry: Registry, repository: str, tag: str) -> Iterator[dict[str, Any]]:
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
def _engine(item: Publication) -> Iterator[None]:
    """Tell the engine's failures apart."""
    try:
        yield
    except (ImageNotFound, NotFound) as error:
        raise EngineError(
            f"the engine has no image '{item.local_reference}'", where=item.name, fix="nox -s build verify"
        ) from error
    except APIError as error:
        raise EngineError(f"the engine failed publishing {item.name}", details=str(error)) from error
    except (DockerException, requests.RequestException, json.JSONDecodeError) as error:
        raise EngineError(
            f"the engine stopped answering while {item.name} was published",
            fix="nox -s engine, then publish again: what was pushed is kept",
            details=str(error),
        ) from error


def _push_failed(item: Publication, registry: Registry, words: str) -> RegistryError:
    # The addresses of uploads end in long tokens, which are nobody's business.
    words = re.sub(r"\?[^\s\"']+", "?…", words)
    text = words.lower()
    failure: RegistryError
    if any(mark in text for mark in ("x509", "certificate", "http response to https")):
        failure = failures.tls_failed(registry, words)
    elif any(mark in text for mark in ("unauthorized", "no basic auth", "denied", "authentication", "forbidden")):
        failure = failures.refused(registry, logged_in=credentials(registry) is not None, details=words)
    elif any(
        mark in text for mark in ("connection", "eof", "no such host", "broken pipe", "timeout", "failed to do request")
    ):
        failure = failures.not_there(registry, words)
    else:
        failure = RegistryError(
            f"the registry {registry.host} did not take {item.name}",
            where=registry.reference(item.repository, item.recipe_tag),
            fix="publish again: what was pushed is kept; look at the registry's own log",
            details=words,
        )
    return failure
