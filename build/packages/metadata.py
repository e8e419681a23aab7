"""The requirements in a wheel's metadata, read from the index without downloading the wheel.

Many indexes serve the metadata in a file next to the wheel (PEP 658).  Where one does not: a wheel is a zip archive,
and only its directory and one small file of it are read, with range requests, as pip and uv do.  The wheels of
frameworks have half a gigabyte.

Effects: the network, or a file of this machine is read.
"""

from __future__ import annotations

import functools
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from remotezip import RemoteIOError, RemoteZip, RemoteZipError

from build.errors import NetworkError, PipelineError
from build.packages.index import configured
from build.packages.index_client import IndexClient
from build.packages.index_logins import with_login_of
from build.system.http_failures import HttpError, shown


class NotServedError(PipelineError):
    """An index serves neither a wheel's metadata nor parts of the wheel: only the whole wheel has the answer."""


def requires(url: str) -> tuple[str, ...]:
    """Return the values of ``Requires-Dist`` in a wheel's metadata.

    Args:
        url: The wheel's URL (``https:`` or ``file:``) or path.

    Raises:
        NetworkError: The wheel is not reached.
        NotServedError: The index serves only the whole wheel.
        PipelineError: The file is not a wheel.
    """
    try:
        text = _served(url) if url.startswith(("http://", "https://")) else _local(url)
    except (HttpError, RemoteIOError, OSError) as failure:
        raise NetworkError(
            "a wheel's metadata cannot be read",
            where=shown(url),
            fix=failure.fix if isinstance(failure, HttpError) else "check the network, then run it again",
            details=str(failure)[:600],
        ) from failure
    except RemoteZipError as failure:
        raise NotServedError(
            "an index serves neither a wheel's metadata (PEP 658) nor parts of it (range requests)",
            where=shown(url),
            details=str(failure),
        ) from failure
    except (zipfile.BadZipFile, StopIteration) as failure:
        raise PipelineError("this is not a wheel", where=shown(url), details=str(failure)) from failure
    return tuple(HeaderParser().parsestr(text).get_all("Requires-Dist") or ())


@functools.cache
def _client() -> IndexClient:
    return IndexClient()


def _served(url: str) -> str:
    """Return the metadata of a wheel on a server."""
    url = with_login_of(url, configured().indexes)
    answer = _client().read(f"{url}.metadata")
    if answer.ok and answer.content.startswith(b"Metadata-Version:"):
        return answer.text
    with RemoteZip(url, session=_client()) as archive:
        return _metadata(archive)


def _local(url: str) -> str:
    """Return the metadata of a wheel on this machine."""
    path = unquote(urlsplit(url).path) if url.startswith("file://") else url
    with zipfile.ZipFile(Path(path)) as archive:
        return _metadata(archive)


def _metadata(archive: zipfile.ZipFile) -> str:
    name = next(name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA"))
    return archive.read(name).decode("utf-8", errors="replace")
