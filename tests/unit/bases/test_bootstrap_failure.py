"""Why a bootstrap failed: in the words of apt and mmdebstrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.bases import bootstrap_failure
from build.errors import NetworkError, PipelineError

LOG = Path("/logs/bootstrap.log")
SIZE = """I: running apt-get update...
Err:2 http://mirror.example/debian trixie/main amd64 Packages
  File has unexpected size (4800000 != 9672368). Mirror sync in progress? [IP: 192.0.2.1 80]
  Hashes of expected file:
   - Filesize:9672368 [weak]
E: Failed to fetch http://mirror.example/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/40f3  File has unexpected size (4800000 != 9672368). Mirror sync in progress? [IP: 192.0.2.1 80]
E: apt-get update --error-on=any failed
"""  # noqa: E501 - apt's own line
HASH = """E: Failed to fetch https://mirror.example:8443/pool/main/g/glibc/libc6_2.41-12_amd64.deb  Hash Sum mismatch
"""
RESOLVE = """Err:1 http://mirror.example/debian trixie InRelease
  Could not resolve 'mirror.example'
E: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease  Could not resolve 'mirror.example'
"""


REFUSED = """Err:1 http://mirror.example/debian bookworm InRelease
  {status}  {words} [IP: 192.0.2.1 80]
E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  {status}  {words} [IP: 192.0.2.1 80]
"""


@pytest.mark.parametrize(
    ("status", "words", "what", "fix"),
    [
        (401, "Unauthorized", "http://mirror.example/debian asks for a login", "INFERENCE_IMAGES_APT_MIRRORS="),
        (403, "Forbidden", "http://mirror.example/debian, or the proxy in front of it, refuses", "NO_PROXY"),
        (407, "Proxy Authentication Required", "the proxy for http://mirror.example/debian asks", "HTTPS_PROXY="),
    ],
)
def test_a_mirror_or_a_proxy_that_refuses_is_named(status: int, words: str, what: str, fix: str) -> None:
    failure = bootstrap_failure.explain(REFUSED.format(status=status, words=words), "a-base", LOG)
    assert isinstance(failure, NetworkError)
    assert failure.what.startswith(what)
    assert fix in str(failure.fix)


@pytest.mark.parametrize(
    ("text", "mirror"), [(SIZE, "http://mirror.example/debian"), (HASH, "https://mirror.example:8443")]
)
def test_a_mirror_that_changes_is_named(text: str, mirror: str) -> None:
    failure = bootstrap_failure.explain(text, "a-base", LOG)
    assert bootstrap_failure.changes_now(text)
    assert isinstance(failure, NetworkError)
    assert failure.where == mirror
    assert "between two states" in failure.what


def test_an_archive_that_is_not_reached_is_named() -> None:
    failure = bootstrap_failure.explain(RESOLVE, "a-base", LOG)
    assert not bootstrap_failure.changes_now(RESOLVE)
    assert isinstance(failure, NetworkError)
    assert (failure.what, failure.where) == ("Debian's archive cannot be reached", "http://mirror.example/debian")


def test_other_failures_name_the_log() -> None:
    failure = bootstrap_failure.explain("I: ok\nE: chroot failed\n", "a-base", LOG)
    assert type(failure) is PipelineError
    assert (failure.where, failure.details) == (str(LOG), "E: chroot failed")
