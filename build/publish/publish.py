"""Publishing: images go up under their recipe first; only when all are there do tags move, ``latest`` last.

So a registry never shows a family of which a part is new: a push that breaks leaves at most recipe tags,
which the next run finds and does not send again.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import docker.auth
import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image

from build.errors import EngineError, PipelineError, RegistryError
from build.images.recipe import recipe_tag
from build.registry import attachments, failures
from build.registry.address import Registry
from build.registry.client import Client
from build.registry.credentials import credentials
from build.registry.manifests import Blob, Manifest
from build.registry.tags import LATEST, date_tag, dated
from build.system import console
from build.verify import reports
from build.verify.reports import Report

#: Called while an image goes up: its name, and of its layers that are being sent the bytes sent and in all.
Progress = Callable[[str, int, int], None]

#: Seconds of silence from the engine in a push: a registry may take minutes to store a layer of gigabytes.
_SILENCE = 600.0

#: The annotation of a report with the hash of what was asked.
_SUITE = "inference-images.suite"

_SENT = "Pushed"
_NOT_SENT = ("Layer already exists", "Mounted from")

Status = Literal["published", "already published", "moved"]


@dataclass(frozen=True, kw_only=True)
class Publication:
    """An image to publish."""

    #: The image name.
    name: str
    #: As the matrix names it: ``azureml/sklearn-…``.
    repository: str
    #: The image in the engine: a tag or an id.
    local_reference: str
    #: The recipe: at least 16 hexadecimal digits.
    recipe: str
    #: The base that stands in for its own: a part of its immutable tag.
    stand_in: str | None = None
    #: Whether ``latest`` moves to it.
    rolling: bool = True
    #: What was asserted of it; attached to the image before a tag moves.
    report: Report | None = None

    @property
    def recipe_tag(self) -> str:
        return recipe_tag(self.recipe)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of one image."""

    #: The image name.
    name: str
    #: The recipe's tag, the run's immutable one (if it put one), latest (not of a stand-in):
    #: ``host/repository:tag@sha256:…``.
    references: tuple[str, ...]
    #: Of these the one to give to others: the immutable one, else latest, else the recipe's.
    pull: str
    #: Of the image's manifest, ``sha256:…``.
    digest: str
    #: Bytes of layers and configuration that went over the wire; manifests, some 1 kB each, are not counted.
    bytes_sent: int
    #: ``published``: sent in this run; ``moved``: was there, and tags now point to it; ``already published``:
    #: nothing was to do.
    status: Status
    #: What its push took; 0.0 where there was none.
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the registry has of an image, and what this run found or did."""

    item: Publication
    tags: tuple[str, ...]
    #: What ``latest`` points to, to be able to move it back.
    latest: Manifest | None
    #: What the recipe's tag points to; None: must be pushed.
    digest: str | None
    bytes_sent: int = 0
    pushed: bool = False
    seconds: float = 0.0
    #: Its newest immutable tag points to it already; looked at only where no ``latest`` says so.
    dated: bool = False

    @property
    def is_current(self) -> bool:
        if self.digest is None or not self.item.rolling:
            return self.dated
        return self.latest is not None and self.latest.digest == self.digest

    def date_tag(self, tag: str) -> str:
        """Its form of the run's immutable tag."""
        return f"{tag}-{self.item.stand_in}" if self.item.stand_in else tag


def publish(
    items: Sequence[Publication],
    registry: Registry,
    client: DockerClient,
    today: datetime.date,
    *,
    progress: Progress | None = None,
) -> list[Published]:
    """Push images and move their tags, all of them or none.

    An image whose recipe the registry has is not pushed: the registry's wins even where the digests differ.
    Immutable tags and recipe tags are never overwritten.

    Args:
        items: The images; all are in the engine.
        registry: Where to.
        client: The engine.
        today: The day in the immutable tag (UTC).
        progress: Told how the push of each image goes on.

    Returns:
        What became of each, in the order of ``items``.

    Raises:
        RegistryError: The registry is not there, refuses, or stopped answering; it says what the run left.
        EngineError: The engine stopped answering, or an image is not in it.
    """
    if not items:
        return []
    with Client(registry) as remote:
        plans = [_look(remote, item) for item in items]
        for plan in plans:
            if plan.digest is None:
                _local_image(client, plan.item)
        with _nothing_moved(plans):
            _push_missing(plans, remote, client, progress)
            _attach_reports(plans, remote)
        moving = [plan for plan in plans if not plan.is_current]
        new_tag = date_tag(today, [plan.tags for plan in plans])
        if moving:
            with _nothing_moved(plans):
                manifests = _put_date_tags(moving, new_tag, remote)
            _move_latest([plan for plan in moving if plan.item.rolling], manifests, remote)
        return [_result(plan, registry, new_tag) for plan in plans]


def table(results: Sequence[Published]) -> None:
    """Print what was sent, the totals, and every reference with its digest: each whole, to be copied.

    Args:
        results: What ``publish`` returned.
    """
    rows = [
        (result.name, result.status, console.size(result.bytes_sent), console.seconds(result.seconds))
        for result in results
    ]
    counts = {status: sum(result.status == status for result in results) for status in get_args(Status)}
    total = console.size(sum(result.bytes_sent for result in results))
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.table(("image", "status", "sent>", "time>"), rows)
    console.out.print(f"{summary or 'nothing to publish'}; {total} sent\n")
    for result in results:
        for reference in result.references:
            console.out.print(reference, soft_wrap=True, markup=False)


def _look(remote: Client, item: Publication) -> _Plan:
    latest = remote.digest(item.repository, LATEST)
    digest = remote.digest(item.repository, item.recipe_tag)
    tags = tuple(remote.tags(item.repository))
    is_dated = False
    if digest is not None and not item.rolling:
        newest = next((each.tag for each in dated(tags) if each.stand_in == (item.stand_in or "")), None)
        is_dated = newest is not None and remote.digest(item.repository, newest) == digest
    return _Plan(
        item=item,
        tags=tags,
        latest=remote.manifest(item.repository, latest) if latest else None,
        digest=digest,
        dated=is_dated,
    )


def _local_image(client: DockerClient, item: Publication) -> Image:
    with _engine(item):
        return client.images.get(item.local_reference)


def _push_missing(plans: list[_Plan], remote: Client, client: DockerClient, progress: Progress | None) -> None:
    """Push what is missing; the digests go into ``plans``, so that a failure finds there what was done."""
    layers = _Layers(remote, plans)
    # One after the other: the engine already sends five layers of an image at once, and so a layer that two
    # images share is in the registry before the second asks for it.
    for number, plan in enumerate(plans):
        if plan.digest is not None:
            continue
        started = time.monotonic()
        image = _local_image(client, plan.item)
        layers.mount(plan.item.repository, image)
        sent = _push(plan.item, image, remote, client, progress)
        digest = remote.digest(plan.item.repository, plan.item.recipe_tag)
        if digest is None:
            raise RegistryError(
                f"the registry {remote.registry.host} took {plan.item.name} and does not have it",
                where=remote.registry.reference(plan.item.repository, plan.item.recipe_tag),
                fix="publish again; look at the registry's own log",
            )
        blobs = remote.blobs(plan.item.repository, remote.manifest(plan.item.repository, digest))
        plans[number] = replace(
            plan,
            digest=digest,
            bytes_sent=sum(
                blob.size for blob in blobs if sent(blob) and not layers.were_there(plan.item.repository, blob)
            ),
            pushed=True,
            seconds=time.monotonic() - started,
        )
        layers.add(plan.item.repository, blobs)


class _Layers:
    """Which layers the registry has in this run's repositories, by what the engine calls them (diff ids).

    The engine mounts a layer from another repository only where it has pushed it there itself: a fresh
    machine has not.
    """

    def __init__(self, remote: Client, plans: Sequence[_Plan]) -> None:
        self._remote = remote
        self._unread = [(plan.item.repository, plan.latest) for plan in plans if plan.latest]
        self._known: dict[str, tuple[str, str]] = {}
        self._there: set[tuple[str, str]] = set()
        self._mounts = True

    def were_there(self, repository: str, blob: Blob) -> bool:
        """Whether an image that the repository had contains the blob."""
        return (repository, blob.digest) in self._there

    def add(self, repository: str, blobs: Sequence[Blob]) -> None:
        for blob in blobs:
            self._there.add((repository, blob.digest))
            if blob.diff_id:
                self._known.setdefault(blob.diff_id, (blob.digest, repository))

    def mount(self, repository: str, image: Image) -> None:
        """Mount into ``repository`` the image's layers that other repositories have."""
        while self._unread:
            origin, manifest = self._unread.pop()
            self.add(origin, self._remote.blobs(origin, manifest))
        for diff_id in image.attrs.get("RootFS", {}).get("Layers") or []:
            digest, origin = self._known.get(diff_id, ("", repository))
            # A registry that does not mount, or not for this login, is not asked again.
            if self._mounts and origin != repository and not self._remote.has_blob(repository, digest):
                self._mounts = self._remote.mount(repository, digest, origin)


def _push(
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


@contextlib.contextmanager
def _nothing_moved(plans: Sequence[_Plan]) -> Iterator[None]:
    """Add to a failure what of the run is in the registry."""
    try:
        yield
    except PipelineError as error:
        kept = [plan.item.name for plan in plans if plan.pushed]
        state = "no 'latest' was moved"
        if kept:
            state += f"; pushed and kept for the next run: {', '.join(kept)}"
        raise type(error)(
            error.what,
            where=error.where,
            fix=error.fix,
            details="\n".join(text for text in (error.details, state) if text),
        ) from error


def _attach_reports(plans: Sequence[_Plan], remote: Client) -> None:
    """Attach what was asserted to the images that it was asserted of; once for the same image and the same tests.

    The registry may have another image of the same recipe, from another machine: that machine's report is its own.
    """
    for plan in plans:
        report, repository = plan.item.report, plan.item.repository
        if report is None or plan.digest is None:
            continue
        there = attachments.attached(remote, repository, plan.digest, reports.MEDIA_TYPE)
        if any((entry.get("annotations") or {}).get(_SUITE) == report.suite for entry in there):
            continue
        manifest = remote.manifest(repository, plan.digest)
        # The containerd store calls an image by its manifest's digest, the classic one by its configuration's.
        same = {manifest.digest, (manifest.document.get("config") or {}).get("digest")}
        if report.image_id not in same:
            continue
        taken = attachments.attach(
            remote,
            repository,
            manifest,
            report.content,
            media_type=reports.MEDIA_TYPE,
            title=reports.FILE_NAME,
            created=report.time,
            annotations={_SUITE: report.suite},
        )
        if not taken:
            console.warn(
                f"the registry {remote.registry.host} takes no attachments: what the tests asserted is not in it"
            )
            return


def _put_date_tags(plans: Sequence[_Plan], tag: str, remote: Client) -> dict[str, Manifest]:
    manifests = {}
    for plan in plans:
        assert plan.digest is not None  # all were pushed
        manifests[plan.item.name] = remote.manifest(plan.item.repository, plan.digest)
    for plan in plans:
        repository, its = plan.item.repository, plan.date_tag(tag)
        # Another machine may have published since: the tag is looked at again, right before.
        if remote.digest(repository, its) is not None:
            raise RegistryError(
                f"{its} was put on {plan.item.name} by another run in the meantime",
                where=remote.registry.reference(repository, its),
                fix="publish again: the next number is taken",
            )
        remote.put_tag(repository, its, manifests[plan.item.name])
    return manifests


def _move_latest(plans: Sequence[_Plan], manifests: dict[str, Manifest], remote: Client) -> None:
    begun: list[_Plan] = []
    try:
        for plan in plans:
            begun.append(plan)
            remote.put_tag(plan.item.repository, LATEST, manifests[plan.item.name])
    except BaseException as error:
        state = _move_back(begun, remote)
        if not isinstance(error, PipelineError):
            console.warn(state)
            raise
        raise RegistryError(
            error.what,
            where=error.where,
            fix=error.fix,
            details="\n".join(text for text in (error.details, state) if text),
        ) from error


def _move_back(plans: Sequence[_Plan], remote: Client) -> str:
    """Let every ``latest`` that was moved, or may have been, point to what it was; returns what to tell."""
    stuck = []
    for plan in plans:
        repository = plan.item.repository
        try:
            if remote.digest(repository, LATEST) == (plan.latest.digest if plan.latest else None):
                continue
            if plan.latest:
                remote.put_tag(repository, LATEST, plan.latest)
            else:
                remote.remove_tag(repository, LATEST)
        except RegistryError:
            stuck.append(remote.registry.reference(repository, LATEST))
    if not stuck:
        return "every 'latest' is what it was before"
    return f"could not be moved back, publish again to finish: {', '.join(stuck)}"


def _result(plan: _Plan, registry: Registry, new_tag: str) -> Published:
    tags = [plan.item.recipe_tag, *([] if plan.is_current else [plan.date_tag(new_tag)])]
    tags += [LATEST] if plan.item.rolling else []
    status: Status = "published" if plan.pushed else "already published" if plan.is_current else "moved"
    references = tuple(f"{registry.reference(plan.item.repository, tag)}@{plan.digest}" for tag in tags)
    return Published(
        name=plan.item.name,
        references=references,
        pull=references[-1] if plan.is_current else references[1],
        digest=str(plan.digest),
        bytes_sent=plan.bytes_sent,
        status=status,
        seconds=plan.seconds,
    )
