"""The requests that publishing and the catalogue send to a registry: they read it, move tags and attach documents.

The protocol is the OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec). Layers are
uploaded by the engine, not here.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Sequence
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from build.errors import RegistryError
from build.registry import failures
from build.registry.address import Registry
from build.registry.connection import Connection
from build.registry.manifests import INDEXES, MANIFESTS, Blob, Manifest, blobs_of, digest_of
from build.system.http import HttpClient
from build.system.http_failures import HttpError
from build.system.http_response import Response, Stream

_ACCEPT = {"Accept": ", ".join(MANIFESTS)}
#: The statuses with which registries refuse a manifest that is not an image.
REFUSALS = (400, 404, 405, 415)
#: How often an upload is begun, in case the registry forgets it.
_UPLOADS = 3


class Client:
    """Reads a registry, and moves tags in it. A context manager; threads may share it.

    Repositories are given as the matrix names them; the client adds the registry's namespace. Each method raises
    RegistryError if the registry cannot be reached, refuses the request, or fails.

    Args:
        registry: The registry.
        http: Sends the requests. By default a client of its own, with the usual retries.
    """

    def __init__(self, registry: Registry, http: HttpClient | None = None) -> None:
        self.registry = registry
        self._connection = Connection(registry, http)
        self._lists_referrers = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def reference(self, repository: str, tag: str) -> str:
        """Name a tag or a digest, for messages and for ``docker pull``."""
        return self.registry.reference(repository, tag)

    def check(self) -> None:
        """Check that a registry answers and accepts the login, before work begins that would be lost."""
        doing = "asking whether it answers"
        response = self._connection.request("GET", "", doing=doing, accept=(404,))
        # Whatever else listens on that port answers differently.
        with self._understood(doing):
            if response.status == 404:
                raise ValueError("HTTP 404 for /v2/")
            if response.content.strip() and not isinstance(response.json(), dict):
                raise ValueError("the answer to /v2/ is not a JSON object")

    def check_push(self, repository: str) -> None:
        """Check that the login may push to a repository: begin to upload a blob, and cancel the upload."""
        doing = f"asking whether {repository} may be pushed to"
        scopes = [self._scope(repository, "pull,push")]
        path = self._path(repository, "blobs", "uploads/")
        location = self._connection.request("POST", path, doing=doing, scopes=scopes).headers.get("Location")
        if location:
            # A registry removes uploads that nobody completes, so a refused DELETE does no harm.
            with contextlib.suppress(RegistryError):
                self._connection.request("DELETE", location, doing=doing, scopes=scopes, accept=range(400, 500))

    def now(self) -> datetime.datetime:
        """The registry's clock (UTC), by its last answer; this machine's clock if it shows none."""
        return datetime.datetime.now(datetime.UTC) + self._connection.clock_difference

    def repositories(self) -> list[str]:
        """List all repositories, by their names in the registry; many registries do not allow it."""
        doing = "listing its repositories"
        with self._understood(doing):
            pages = self._connection.pages("_catalog", doing=doing, scopes=["registry:catalog:*"])
            return [name for page in pages for name in page.json()["repositories"] or ()]

    def digest(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag points to (``sha256:…``), or None if tag or repository do not exist."""
        doing = f"reading {repository}:{tag}"
        path = self._path(repository, "manifests", tag)
        # A refused HEAD is sent again as GET: only that answer has a body with the registry's words.
        response = self._read("HEAD", path, repository, doing, headers=_ACCEPT, accept=range(400, 429))
        if response.status == 404:
            return None
        if response.ok and (digest := response.headers.get("Docker-Content-Digest")):
            return digest
        response = self._read("GET", path, repository, doing, headers=_ACCEPT, accept=(404,))
        return None if response.status == 404 else digest_of(response.content)

    def tags(self, repository: str) -> list[str]:
        """List the tags of a repository; an empty list if it does not exist."""
        doing = f"listing the tags of {repository}"
        path = self._path(repository, "tags", "list")
        with self._understood(doing):
            pages = self._connection.pages(path, doing=doing, scopes=[self._scope(repository)])
            return [tag for page in pages for tag in page.json()["tags"] or ()]

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Read the manifest that a tag or a digest names, byte for byte."""
        found = self._manifest(repository, reference)
        assert found is not None
        return found

    def find_manifest(self, repository: str, reference: str) -> Manifest | None:
        """Read the manifest that a tag or a digest names, or None if tag or repository do not exist."""
        return self._manifest(repository, reference, accept=(404,))

    def _manifest(self, repository: str, reference: str, accept: Sequence[int] = ()) -> Manifest | None:
        doing = f"reading {repository}:{reference}"
        path = self._path(repository, "manifests", reference)
        response = self._read("GET", path, repository, doing, headers=_ACCEPT, accept=accept)
        if response.status == 404:
            return None
        media_type = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        # The digest is computed from the bytes; the registry's header is not trusted.
        manifest = Manifest(digest=digest_of(response.content), media_type=media_type, content=response.content)
        with self._understood(doing):
            if reference.startswith("sha256:") and reference != manifest.digest:
                raise ValueError(f"the manifest has the digest {manifest.digest}")
            assert manifest.document is not None
        return manifest

    def put_tag(self, repository: str, tag: str, manifest: Manifest, blobs: Sequence[bytes] = ()) -> bool:
        """Point ``tag`` to a manifest.

        Args:
            repository: The repository.
            tag: The tag.
            manifest: The manifest.
            blobs: Small blobs of it that are uploaded before; the repository has the others.

        Returns:
            Whether it is settled; else an earlier attempt was not answered, and may move the tag at any later time.
        """
        for content in blobs:
            self._put_blob(repository, content, f"uploading to {repository}")
        return not self._put_manifest(repository, tag, manifest, f"tagging {repository}:{tag}").unsettled

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag; many registries cannot (CNCF Distribution before 3.0) and answer with an error."""
        scopes = [self._scope(repository, "delete")]
        path = self._path(repository, "manifests", tag)
        self._connection.request("DELETE", path, doing=f"removing {repository}:{tag}", scopes=scopes)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether a repository has a blob."""
        path = self._path(repository, "blobs", digest)
        return self._read("HEAD", path, repository, f"reading {repository}", accept=(404,)).ok

    def mount(self, repository: str, digest: str, origin: str) -> bool:
        """Give ``repository`` a blob that ``origin`` has, without uploading it; False if the registry refuses."""
        query = urlencode({"mount": digest, "from": self.registry.repository(origin)})
        response = self._connection.request(
            "POST",
            self._path(repository, "blobs", f"uploads/?{query}"),
            doing=f"mounting a layer into {repository}",
            scopes=[self._scope(repository, "pull,push"), self._scope(origin)],
            accept=range(300, 600),
        )
        return response.status == 201  # 202 opens an upload instead

    def blobs(self, repository: str, manifest: Manifest) -> tuple[Blob, ...]:
        """List the blobs of an image (its configuration and layers); for an index, those of all its images."""
        with self._understood(f"reading {repository}@{manifest.digest}"):
            blobs: dict[str, Blob] = {}
            document = manifest.document
            if manifest.media_type in INDEXES:
                for entry in document["manifests"]:
                    child = self.manifest(repository, entry["digest"])
                    blobs.update((blob.digest, blob) for blob in self.blobs(repository, child))
            else:
                blobs = blobs_of(manifest, self.read_blob(repository, document["config"]["digest"]))
            return tuple(blobs.values())

    def size(self, repository: str, manifest: Manifest) -> int:
        """Add up the bytes of all blobs of an image; for an index, of all its images."""
        with self._understood(f"reading {repository}@{manifest.digest}"):
            document = manifest.document
            if manifest.media_type in INDEXES:
                children = [self.manifest(repository, entry["digest"]) for entry in document["manifests"]]
                return sum(self.size(repository, child) for child in children)
            return int(sum(blob["size"] for blob in (document["config"], *document["layers"])))

    def read_blob(self, repository: str, digest: str) -> bytes:
        """Read a small blob (a configuration, a report), whole."""
        content = self._blob(repository, digest)
        assert content is not None
        return content

    def find_blob(self, repository: str, digest: str) -> bytes | None:
        """Read a small blob, or return None if the repository does not have it."""
        return self._blob(repository, digest, accept=(404,))

    def _blob(self, repository: str, digest: str, accept: Sequence[int] = ()) -> bytes | None:
        doing = f"reading {repository}@{digest}"
        response = self._read("GET", self._path(repository, "blobs", digest), repository, doing, accept=accept)
        if response.status == 404:
            return None
        if (actual := digest_of(response.content)) != digest:
            raise failures.damaged(self.registry, doing, f"the content has the digest {actual}")
        return response.content

    @contextlib.contextmanager
    def open_blob(self, repository: str, digest: str) -> Iterator[Stream]:
        """Read a large blob piece by piece; whoever reads it compares its digest."""
        doing = f"reading {repository}@{digest}"
        path = self._path(repository, "blobs", digest)
        try:
            with self._connection.stream(path, doing=doing, scopes=[self._scope(repository)]) as stream:
                yield stream
        except HttpError as failure:
            broken = failures.from_http(self.registry, failure, doing)
            broken.is_unanswered = True
            raise broken from failure

    def put_artifact(self, repository: str, manifest: Manifest, blobs: Sequence[bytes]) -> bool | None:
        """Upload a manifest that is not an image, after the blobs that it names; its reference is its digest.

        Returns:
            Whether the registry lists it as a referrer of its subject; None if it does not accept such manifests.
        """
        doing = f"attaching to {repository}"
        for content in blobs:
            self._put_blob(repository, content, doing)
        response = self._put_manifest(repository, manifest.digest, manifest, doing, accept=REFUSALS)
        return "OCI-Subject" in response.headers if response.ok else None

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]] | None:
        """List the descriptors of the manifests that refer to a manifest (GET /v2/<name>/referrers/<digest>).

        Returns:
            None if the registry has no such API (CNCF Distribution before 3.1): then a tag lists them.
        """
        if not self._lists_referrers:
            return None
        doing = f"reading what is attached to {repository}"
        path = self._path(repository, "referrers", digest)
        response = self._read("GET", path, repository, doing, accept=(400, 404, 405))
        if not response.ok:
            self._lists_referrers = False
            return None
        with self._understood(doing):
            return list(response.json()["manifests"])

    def _put_blob(self, repository: str, content: bytes, doing: str) -> None:
        """Upload a small blob in one piece, unless the repository has it."""
        digest = digest_of(content)
        scopes = [self._scope(repository, "pull,push")]
        for attempt in range(1, _UPLOADS + 1):
            if self.has_blob(repository, digest):
                return
            opened = self._connection.request(
                "POST", self._path(repository, "blobs", "uploads/"), doing=doing, scopes=scopes
            )
            location = opened.headers.get("Location") or ""
            with self._understood(doing):
                if not location:
                    raise ValueError("it opened an upload without naming its location")
            target = f"{location}{'&' if urlsplit(location).query else '?'}{urlencode({'digest': digest})}"
            # A registry that failed once may have forgotten the upload, or may have completed it.
            forgotten = (404, 416) if attempt < _UPLOADS else ()
            headers = {"Content-Type": "application/octet-stream"}
            if self._connection.request(
                "PUT", target, doing=doing, scopes=scopes, headers=headers, body=content, accept=forgotten
            ).ok:
                return

    def _put_manifest(
        self, repository: str, reference: str, manifest: Manifest, doing: str, accept: Sequence[int] = ()
    ) -> Response:
        return self._connection.request(
            "PUT",
            self._path(repository, "manifests", reference),
            doing=doing,
            scopes=[self._scope(repository, "pull,push")],
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            accept=accept,
        )

    def _read(
        self,
        method: str,
        path: str,
        repository: str,
        doing: str,
        *,
        headers: dict[str, str] | None = None,
        accept: Sequence[int] = (),
    ) -> Response:
        scopes = [self._scope(repository)]
        return self._connection.request(method, path, doing=doing, scopes=scopes, headers=headers, accept=accept)

    def _path(self, repository: str, kind: str, name: str) -> str:
        return f"{self.registry.repository(repository)}/{kind}/{name}"

    def _scope(self, repository: str, actions: str = "pull") -> str:
        return f"repository:{self.registry.repository(repository)}:{actions}"

    @contextlib.contextmanager
    def _understood(self, doing: str) -> Iterator[None]:
        """Report an answer that does not follow the specification."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise failures.not_a_registry(self.registry, doing, str(error)) from error
