"""From what the registry has of an image to what is left to do.  Pure."""

from __future__ import annotations

from build.errors import RegistryError
from build.plan.answers import Answer, Registered
from build.plan.question import Question
from build.plan.states import State, ToBuild, ToMove, ToTest, Unknown, UpToDate
from build.publish.publication import Published
from build.publish.release import Release
from build.registry.address import Registry
from build.registry.manifests import Manifest, compression_of, size_of
from build.registry.tags import LATEST


def decide(question: Question, registered: Registered, registry: Registry, *, size: int) -> State:
    """Return what is left to do for an image.

    Args:
        question: The image.
        registered: What the registry has.
        registry: The registry.
        size: Bytes of the packages in its lock.
    """
    answer = registered.answers[question.name]
    if isinstance(answer, RegistryError):
        return Unknown(name=question.name, why=answer)
    if reason := _why_build(question, answer, registered.release):
        return ToBuild(name=question.name, reason=reason, bytes=size)
    stored = answer.stored
    assert stored is not None
    digest = stored.manifest.digest
    compression = compression_of(stored.manifest)
    ids = frozenset({digest, str(stored.config)})
    if answer.verified != digest:
        reason = "it has no report of today's tests" if answer.verified is None else "the report is about another image"
        return ToTest(name=question.name, digest=digest, ids=ids, compression=compression, reason=reason)
    release = registered.release
    if release is None or answer.released is None or answer.released.digest != digest:
        return ToMove(
            name=question.name, digest=digest, ids=ids, compression=compression, reason=_not_released(release)
        )
    tag = answer.released.tag(release.number)
    moved = [name for name, actual in _tags(question, answer, tag).items() if actual != digest]
    if moved:
        return ToMove(
            name=question.name, digest=digest, ids=ids, compression=compression, reason=f"not on it: {', '.join(moved)}"
        )
    published = _published(question, release, tag, digest, stored.manifest, registry)
    return UpToDate(name=question.name, digest=digest, ids=ids, compression=compression, published=published)


def _why_build(question: Question, answer: Answer, release: Release | None) -> str:
    """Return why an image must be built; empty if the registry has it."""
    released, stored = answer.released, answer.stored
    if stored is None:
        if released is None or release is None:
            return "it is not published yet"
        if released.recipe != question.recipe:
            return f"its recipe has changed since release {release.number}"
        return f"the registry does not have the image of release {release.number} any more"
    if not stored.is_image:
        return "what is published under its name is not an image"
    if stored.missing:
        more = f" and {len(stored.missing) - 1} more" if len(stored.missing) > 1 else ""
        return f"the registry does not have its blob {stored.missing[0][:19]}{more}"
    if stored.recipe != question.recipe:
        return f"the tag {question.recipe_tag} is on an image of another recipe"
    return ""


def _not_released(release: Release | None) -> str:
    return "there is no release yet" if release is None else f"release {release.number} does not have it"


def _tags(question: Question, answer: Answer, tag: str) -> dict[str, str | None]:
    """Return the tags that must be on the image, with the digests that they point to."""
    return {tag: answer.immutable, **({LATEST: answer.latest} if question.rolling else {})}


def _published(
    question: Question, release: Release, tag: str, digest: str, manifest: Manifest, registry: Registry
) -> Published:
    return Published(
        name=question.name,
        repository=f"{registry.host}/{registry.repository(question.repository)}",
        release=release.number,
        tags=(tag, LATEST) if question.rolling else (tag,),
        pull_tag=tag,
        digest=digest,
        size=size_of(manifest),
        bytes_sent=0,
        status="already published",
        seconds=0.0,
    )
