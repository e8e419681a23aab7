"""What the arguments of `diff` name: images and releases, in one registry or in two.  Pure."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from build.errors import UsageError
from build.publish.release import NAME, numbers, repository_of
from build.registry import address
from build.registry.address import Registry
from build.registry.manifests import is_digest
from build.registry.tags import LATEST

#: Distribution specification, "Pulling manifests".
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_FIX = (
    "write a release (20261126.v1, latest), an image of the matrix (NAME, NAME:TAG, NAME@sha256:…), "
    "or a whole reference (HOST/NAMESPACE/NAME:TAG)"
)


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """An image in a registry."""

    registry: Registry
    #: As the client of the registry takes it.
    repository: str
    #: A tag or a digest.
    reference: str

    def __str__(self) -> str:
        return self.registry.reference(self.repository, self.reference)


@dataclass(frozen=True, kw_only=True)
class ReleaseReference:
    """A release in a registry."""

    registry: Registry
    #: The repository of the records.
    repository: str
    #: None: the last one.
    number: str | None

    def __str__(self) -> str:
        return f"release {self.number or LATEST} at {self.registry}"


@dataclass(frozen=True, kw_only=True)
class _Tag:
    """A number or `latest` alone: a release, or a tag of the image that it is compared with."""

    tag: str


Reference = ImageReference | ReleaseReference


def parse(
    before: str, after: str | None, registry: Registry, namespace: str
) -> tuple[ImageReference, ImageReference] | tuple[ReleaseReference | None, ReleaseReference]:
    """Read the arguments.

    Args:
        before: The first argument.
        after: The second one; None if there is only one: a release, which is compared with the one before it.
        registry: The registry of names without a host.
        namespace: The namespace of names without one.

    Returns:
        Two images or two releases; None instead of the first one where only the second is named.

    Raises:
        UsageError: A reference cannot be read, or they cannot be compared.
    """
    reader = _Reader(registry, namespace)
    first = reader.read(before)
    if after is None:
        last = reader.release(first.tag) if isinstance(first, _Tag) else first
        if isinstance(last, ImageReference):
            raise UsageError(
                f"'{before}' is an image, and nothing to compare it with is named",
                where="B",
                fix="name a second one: nox -s diff -- A B; only a release is compared with the one before it",
            )
        return None, last
    second = reader.read(after)
    if isinstance(first, ImageReference) and isinstance(second, _Tag):
        second = dataclasses.replace(first, reference=second.tag)
    if isinstance(second, ImageReference) and isinstance(first, _Tag):
        first = dataclasses.replace(second, reference=first.tag)
    one = reader.release(first.tag) if isinstance(first, _Tag) else first
    two = reader.release(second.tag) if isinstance(second, _Tag) else second
    if isinstance(one, ImageReference) and isinstance(two, ImageReference):
        return one, two
    if isinstance(one, ReleaseReference) and isinstance(two, ReleaseReference):
        return one, two
    raise UsageError(
        f"'{before}' and '{after}' cannot be compared: one is a release, the other one an image",
        where="A, B",
        fix="name two of a kind",
    )


@dataclass(frozen=True)
class _Reader:
    registry: Registry
    namespace: str

    def release(self, tag: str) -> ReleaseReference:
        number = None if tag == LATEST else tag
        return ReleaseReference(registry=self.registry, repository=repository_of(self.namespace), number=number)

    def read(self, text: str) -> Reference | _Tag:
        scheme, separator, rest = text.rpartition("://")
        if "/" in rest and "@" in rest.partition("/")[0]:
            raise UsageError(
                "a reference must not hold credentials",
                where="A, B",
                fix=f"docker login {rest.partition('/')[0].rpartition('@')[2]}; then name only the host",
            )
        if not separator and (text == LATEST or numbers([text])):
            return _Tag(tag=text)
        try:
            return self._read(scheme + separator, rest)
        except ValueError as failure:
            raise UsageError(f"'{text}' cannot be read: {failure}", where="A, B", fix=_FIX) from None

    def _read(self, scheme: str, rest: str) -> Reference:
        path, at, digest = rest.partition("@")
        if at and not is_digest(digest):
            raise ValueError(f"'{digest}' is not a digest (sha256: and 64 hexadecimal digits)")
        folder, slash, last = path.rpartition("/")
        name, colon, tag = last.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise ValueError(f"'{tag}' is not a tag")
        first, _, _ = folder.partition("/")
        reference = digest or tag or LATEST
        if not (scheme or address.is_host(first)):
            # The checks of an address hold for the parts of a name, too.
            address.from_text(f"{self.registry.host}/{folder}{slash}{name}")
            if not name:
                raise ValueError("it names no image")
            repository = f"{folder or self.namespace}/{name}"
            return _image_or_release(self.registry, repository, reference)
        whole = address.from_text(f"{scheme}{folder}/{name}")
        if not name or whole.namespace is None:
            raise ValueError("it names no image")
        host = dataclasses.replace(whole, namespace=None)
        if not scheme and host.host == self.registry.host:  # which may be one with plain HTTP
            host = dataclasses.replace(self.registry, namespace=None)
        return _image_or_release(host, whole.namespace, reference)


def _image_or_release(registry: Registry, repository: str, reference: str) -> Reference:
    """A reference to a record is one to the release; its images are in the same namespace."""
    folder, _, name = repository.rpartition("/")
    if name != NAME:
        return ImageReference(registry=registry, repository=repository, reference=reference)
    if reference != LATEST and not numbers([reference]):
        raise ValueError(f"'{reference}' is not the number of a release")
    registry = dataclasses.replace(registry, namespace=registry.namespace or folder or None)
    return ReleaseReference(registry=registry, repository=NAME, number=None if reference == LATEST else reference)
