"""The few questions and requests that publishing needs of a registry.

The protocol is the OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec),
spoken by python-dxf; blobs are uploaded by the engine, not here.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import requests
from dxf import DXF, DXFBase, hash_bytes
from dxf.exceptions import DXFAuthInsecureError, DXFError, DXFMountFailed, DXFUnauthorizedError
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from build.errors import RegistryError
from build.registry.address import REGISTRY_VARIABLE, Registry
from build.registry.credentials import credentials
from build.registry.failures import not_there, refused, tls_failed
from build.registry.manifests import INDEXES, Blob, Manifest

#: Seconds without an answer after which the registry counts as gone.
TIMEOUT = 30.0


class _Repository(DXF):
    """python-dxf's client of one repository, with what it lacks for publishing."""

    def get_manifest_bytes(self, reference: str) -> Manifest:
        _, response = self.get_manifest_and_response(reference)
        content: bytes = response.content
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        # The digest is of the bytes: this one is not taken on trust.
        return Manifest(digest=hash_bytes(content), media_type=media_type, content=content)

    def put_manifest_bytes(self, tag: str, manifest: Manifest) -> None:
        # Not set_manifest: it wants a 'mediaType' in the text, which OCI manifests may leave out.
        self._request(  # type: ignore[no-untyped-call]
            "put", f"manifests/{tag}", data=manifest.content, headers={"Content-Type": manifest.media_type}
        )

    def pull_small_blob(self, digest: str) -> bytes:
        chunks = self.pull_blob(digest)
        assert not isinstance(chunks, tuple)  # that is for size=True
        return b"".join(chunks)

    def put_manifest(self, manifest: Manifest) -> bool:
        """Put it under its digest; whether the registry lists it by itself as a referrer of its subject."""
        response = self._request(  # type: ignore[no-untyped-call]
            "put",
            f"manifests/{manifest.digest}",
            data=manifest.content,
            headers={"Content-Type": manifest.media_type},
        )
        return "OCI-Subject" in response.headers

    def get_referrers(self, digest: str) -> bytes:
        response = self._request("get", f"referrers/{digest}")  # type: ignore[no-untyped-call]
        content: bytes = response.content
        return content

    def delete_tag(self, tag: str) -> None:
        self._request("delete", f"manifests/{tag}")  # type: ignore[no-untyped-call]

    def login_over_http(self, username: str, password: str) -> None:
        # python-dxf refuses to log in over plain HTTP; on this machine, or after http://, it is meant.
        text = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {text}"}


class Client:
    """Asks, and moves tags. A context manager.

    Repositories are given as the matrix names them; the registry's namespace is put in here. Each method
    raises RegistryError where the registry is not there, refuses, or fails.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._session = requests.Session()
        retry = Retry(
            total=2,
            backoff_factor=0.3,
            status_forcelist=(502, 503, 504),
            allowed_methods={"HEAD", "GET", "PUT"},
            raise_on_status=False,
        )
        self._session.mount("https://", HTTPAdapter(max_retries=retry, pool_maxsize=16))
        self._session.mount("http://", HTTPAdapter(max_retries=retry, pool_maxsize=16))
        if registry.insecure:
            # This machine's registry is not behind the machine's proxy.
            self._session.trust_env = False
        self._repositories: dict[str, _Repository] = {}
        self._login: dict[str, str] | None = None
        self._lists_referrers = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def check(self) -> None:
        """Ask whether a registry answers and takes the login, before work begins that would be lost."""
        with self._failures("asking whether it is there"):
            _, response = self._open("").api_version_check()
            # Whatever else listens on that port answers differently.
            if not isinstance(response.json(), dict):
                raise ValueError("not a registry's answer")

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest that a tag points to (``sha256:…``), None where there is no such tag or repository."""
        with self._failures(f"reading {repository}:{tag}"):
            try:
                found, _ = self._open(repository).head_manifest_and_response(tag)
            except requests.HTTPError as error:
                if _status(error) == 404:
                    return None
                raise
            return found or self._open(repository).get_manifest_bytes(tag).digest

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository; none where it does not exist."""
        with self._failures(f"listing the tags of {repository}"):
            try:
                return list(self._open(repository).list_aliases())
            except requests.HTTPError as error:
                if _status(error) == 404:
                    return []
                raise

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest that a tag or a digest names, byte for byte."""
        with self._failures(f"reading {repository}:{reference}"):
            return self._open(repository).get_manifest_bytes(reference)

    def put_tag(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Let ``tag`` point to a manifest whose blobs the repository has."""
        with self._failures(f"tagging {repository}:{tag}"):
            self._open(repository).put_manifest_bytes(tag, manifest)

    def remove_tag(self, repository: str, tag: str) -> None:
        """Take a tag away; many registries cannot (CNCF Distribution before 3.0) and say so with an error."""
        with self._failures(f"removing {repository}:{tag}"):
            self._open(repository).delete_tag(tag)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob."""
        with self._failures(f"reading {repository}"):
            try:
                self._open(repository).blob_size(digest)
            except requests.HTTPError as error:
                if _status(error) == 404:
                    return False
                raise
            return True

    def mount(self, repository: str, digest: str, origin: str) -> bool:
        """Give ``repository`` a blob that ``origin`` has, without sending it; False where that is refused."""
        with self._failures(f"mounting a layer into {repository}"):
            try:
                self._open(repository).mount_blob(self.registry.repository(origin), digest)
            except (DXFMountFailed, DXFUnauthorizedError, requests.HTTPError):
                return False
            return True

    def blobs(self, repository: str, manifest: Manifest) -> tuple[Blob, ...]:
        """All that an image consists of beside manifests; for an index, of all its images."""
        with self._failures(f"reading {repository}@{manifest.digest}"):
            found: dict[str, Blob] = {}
            document = manifest.document
            if manifest.media_type in INDEXES:
                for entry in document["manifests"]:
                    child = self._open(repository).get_manifest_bytes(entry["digest"])
                    found.update((blob.digest, blob) for blob in self.blobs(repository, child))
                return tuple(found.values())
            config = document["config"]
            content = self._open(repository).pull_small_blob(config["digest"])
            diff_ids = json.loads(content).get("rootfs", {}).get("diff_ids", [])
            found[config["digest"]] = Blob(digest=config["digest"], size=config["size"], diff_id=None)
            for number, layer in enumerate(document["layers"]):
                diff_id = diff_ids[number] if number < len(diff_ids) else None
                found[layer["digest"]] = Blob(digest=layer["digest"], size=layer["size"], diff_id=diff_id)
            return tuple(found.values())

    def read_blob(self, repository: str, digest: str) -> bytes:
        """A small blob (a configuration, a report), whole."""
        with self._failures(f"reading {repository}@{digest}"):
            return self._open(repository).pull_small_blob(digest)

    def put_artifact(self, repository: str, manifest: Manifest, blobs: Sequence[bytes]) -> bool | None:
        """Put a manifest that is no image, under its digest, and first the blobs that it names.

        Returns:
            Whether the registry lists it as a referrer of its subject; None where it does not take such manifests.
        """
        with self._failures(f"attaching to {repository}"):
            opened = self._open(repository)
            try:
                for content in blobs:
                    opened.push_blob(data=content, digest=hash_bytes(content))  # type: ignore[arg-type]
                return opened.put_manifest(manifest)
            except requests.HTTPError as error:
                if _status(error) in (400, 404, 405, 415):
                    return None
                raise

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]] | None:
        """The descriptors of what refers to a manifest (GET /v2/<name>/referrers/<digest>).

        Returns:
            None where the registry has no such API (CNCF Distribution before 3.1): then a tag lists them.
        """
        if not self._lists_referrers:
            return None
        with self._failures(f"reading what is attached to {repository}"):
            try:
                return list(json.loads(self._open(repository).get_referrers(digest))["manifests"])
            except requests.HTTPError as error:
                if _status(error) in (400, 404, 405):
                    self._lists_referrers = False
                    return None
                raise

    def _open(self, repository: str) -> _Repository:
        name = self.registry.repository(repository) if repository else ""
        if name not in self._repositories:
            # Docker Hub's references and its registry have different hosts.
            hub = self.registry.host in ("docker.io", "index.docker.io")
            # requests reads REQUESTS_CA_BUNDLE by itself, but not the variable that most other tools read.
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
            opened = _Repository(
                "registry-1.docker.io" if hub else self.registry.host,
                name,
                auth=self._authenticate,
                insecure=self.registry.insecure,
                tlsverify=bundle or True,
                timeout=TIMEOUT,
            )
            # One connection for all repositories, with our retries; else python-dxf opens one for each request.
            opened._sessions = [self._session]
            self._repositories[name] = opened
        return self._repositories[name]

    def _authenticate(self, repository: DXFBase, response: requests.Response) -> None:
        if self._login is None:
            self._login = credentials(self.registry) or {}
        username, password = self._login.get("username"), self._login.get("password")
        if "identitytoken" in self._login:
            raise RegistryError(
                f"the login stored for {self.registry.host} is an identity token, which cannot be used here",
                where=str(self.registry),
                fix=f"docker login --username NAME --password-stdin {self.registry.host}",
            )
        if not self.registry.insecure:
            repository.authenticate(username, password, response=response)
        elif username and password and isinstance(repository, _Repository):
            repository.login_over_http(username, password)

    @contextlib.contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (DXFError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise self._explain(error, doing) from error

    def _explain(self, error: Exception, doing: str) -> RegistryError:
        host = self.registry.host
        status = _status(error)
        if isinstance(error, DXFUnauthorizedError | DXFAuthInsecureError) or status in (401, 403):
            return refused(self.registry, logged_in=bool(self._login), details=_words(error))
        if isinstance(error, requests.exceptions.SSLError):
            return tls_failed(self.registry, str(error))
        if isinstance(error, requests.exceptions.ReadTimeout):
            return RegistryError(
                f"the registry {host} did not answer within {TIMEOUT:.0f} s ({doing})",
                where=host,
                fix="try again; what was pushed is kept",
            )
        if isinstance(error, requests.ConnectionError):
            return not_there(self.registry, str(error))
        if isinstance(error, requests.HTTPError):
            return RegistryError(
                f"the registry {host} failed: HTTP {status} ({doing})",
                where=host,
                fix="try again; if it stays, look at the registry's own log",
                details=_words(error),
            )
        return RegistryError(
            f"what answers at {host} is not a registry ({doing})",
            where=host,
            fix=f"{REGISTRY_VARIABLE}=host[:port][/namespace] names another",
            details=str(error),
        )


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    return response.status_code if isinstance(response, requests.Response) else None


def _words(error: Exception) -> str:
    """The registry's own words, from the error body of the specification, else the library's."""
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            lines = [f"{entry.get('code')}: {entry.get('message')}" for entry in response.json()["errors"]]
            if lines:
                return "\n".join(lines)
    return str(error)
