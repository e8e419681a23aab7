"""What the arguments of `diff` name: images and releases, in registries and in folders.  Pure."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from build.errors import UsageError
from build.publish.release import NAME, numbers, repository_of
from build.registry import address, places
from build.registry.address import Registry, is_repository
from build.registry.manifests import is_digest
from build.registry.places import Folder, Location
from build.registry.tags import LATEST

#: Distribution specification, "Pulling manifests".
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_FIX = (
    "write a release (20261126.v1, latest), an image of the matrix (NAME, NAME:TAG, NAME@sha256:…), "
    "a whole reference (HOST/NAMESPACE/NAME:TAG), or something in a folder (oci:PATH, oci:PATH:NAME:TAG)"
)


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """An image in a registry or a folder."""

    location: Location
    #: As its client takes it.
    repository: str
    #: A tag or a digest.
    reference: str

    def __str__(self) -> str:
        return self.location.reference(self.repository, self.reference)


@dataclass(frozen=True, kw_only=True)
class ReleaseReference:
    """A release in a registry or a folder."""

    location: Location
    #: The repository of the records.
    repository: str
    #: None: the last one.
    number: str | None

    def __str__(self) -> str:
        return f"release {self.number or LATEST} at {self.location}"


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
        return ReleaseReference(location=self.registry, repository=repository_of(self.namespace), number=number)

    def read(self, text: str) -> Reference | _Tag:
        if places.is_folder(text):
            try:
                return self._read_folder(*places.split(text))
            except ValueError as failure:
                raise UsageError(f"'{text}' cannot be read: {failure}", where="A, B", fix=_FIX) from None
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

    def _read_folder(self, where: Folder, text: str | None) -> Reference:
        if text is None or text == LATEST or numbers([text]):
            number = None if text in (None, LATEST) else text
            return ReleaseReference(location=where, repository=repository_of(self.namespace), number=number)
        folder, name, reference = _split(text)
        repository = f"{folder or self.namespace}/{name}"
        if not is_repository(repository):
            raise ValueError(f"'{repository}' cannot be the name of a repository")
        return _image_or_release(where, repository, reference)

    def _read(self, scheme: str, rest: str) -> Reference:
        folder, name, reference = _split(rest)
        first, _, _ = folder.partition("/")
        if not (scheme or address.is_host(first)):
            # The checks of an address hold for the parts of a name, too.
            address.from_text("/".join(filter(None, (self.registry.host, folder, name))))
            if not name:
                raise ValueError("it names no image")
            if folder in ("", self.namespace):
                return _image_or_release(self.registry, f"{self.namespace}/{name}", reference)
            # Another namespace than that of the matrix is one of the host, also if REGISTRY names one.
            host = dataclasses.replace(self.registry, namespace=None)
            return _image_or_release(host, f"{folder}/{name}", reference)
        whole = address.from_text(f"{scheme}{folder}/{name}")
        if not name or whole.namespace is None:
            raise ValueError("it names no image")
        host = dataclasses.replace(whole, namespace=None)
        if not scheme and host.host == self.registry.host:  # which may be one with plain HTTP
            host = dataclasses.replace(self.registry, namespace=None)
        return _image_or_release(host, whole.namespace, reference)


def _split(text: str) -> tuple[str, str, str]:
    """Split a name into its folders, its last part, and a tag or a digest."""
    path, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise ValueError(f"'{digest}' is not a digest (sha256: and 64 hexadecimal digits)")
    if path.startswith("/"):
        raise ValueError("it begins with a slash")
    folder, _, last = path.rpartition("/")
    name, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ValueError(f"'{tag}' is not a tag")
    return folder, name, digest or tag or LATEST


def _image_or_release(location: Location, repository: str, reference: str) -> Reference:
    """A reference to a record is one to the release; its images are in the same namespace."""
    folder, _, name = repository.rpartition("/")
    if name != NAME:
        return ImageReference(location=location, repository=repository, reference=reference)
    if reference != LATEST and not numbers([reference]):
        raise ValueError(f"'{reference}' is not the number of a release")
    if isinstance(location, Registry):
        location = dataclasses.replace(location, namespace=location.namespace or folder or None)
        repository = NAME
    number = None if reference == LATEST else reference
    return ReleaseReference(location=location, repository=repository, number=number)
