"""The tags of a run: the immutable ones first, then ``latest`` on all images or on none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from build.errors import PipelineError, RegistryError
from build.publish.plan import Plan
from build.registry.client import Client
from build.registry.manifests import Manifest
from build.registry.tags import LATEST
from build.system import console


@contextlib.contextmanager
def nothing_moved(plans: Sequence[Plan]) -> Iterator[None]:
    """Add to a failure which images of the run are in the registry."""
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


def put_date_tags(plans: Sequence[Plan], tag: str, remote: Client) -> dict[str, Manifest]:
    """Put the run's immutable tag on each image.

    Args:
        plans: The plans whose tags move.
        tag: The tag.
        remote: The registry.

    Returns:
        Image name → its manifest.

    Raises:
        RegistryError: An image got the tag from another run, or the registry fails.
    """
    manifests = {}
    for plan in plans:
        assert plan.digest is not None  # all were pushed
        manifests[plan.item.name] = remote.manifest(plan.item.repository, plan.digest)
    for plan in plans:
        repository, dated_tag = plan.item.repository, plan.date_tag(tag)
        # Another machine may have published since: the tag is read again, right before.
        if remote.digest(repository, dated_tag) is not None:
            raise RegistryError(
                f"another run put {dated_tag} on {plan.item.name} in the meantime",
                where=remote.registry.reference(repository, dated_tag),
                fix="publish again; it uses the next number",
            )
        remote.put_tag(repository, dated_tag, manifests[plan.item.name])
    return manifests


def move_latest(plans: Sequence[Plan], manifests: dict[str, Manifest], remote: Client) -> None:
    """Move ``latest`` on all images; where one fails, move all back.

    Args:
        plans: The plans whose ``latest`` moves.
        manifests: Image name → its manifest.
        remote: The registry.

    Raises:
        RegistryError: One of them could not be moved; the details say where ``latest`` is now.
    """
    begun: list[Plan] = []
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


def _move_back(plans: Sequence[Plan], remote: Client) -> str:
    """Move back every ``latest`` that was moved, or may have been; returns the outcome for the message."""
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
        return "every 'latest' is where it was before"
    return f"could not be moved back, publish again to finish: {', '.join(stuck)}"
