"""What a wheel says it requires, read from the index without fetching the wheel.

Many indexes serve the metadata beside the wheel (PEP 658).  Where one does not: a wheel is a zip archive, its directory
and one small file of it are asked for by range requests, as pip and uv do.  Frameworks' wheels have half a gigabyte.
"""

from __future__ import annotations

import os
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from remotezip import RemoteIOError, RemoteZip, RemoteZipError

from build.errors import NetworkError, PipelineError

#: Seconds to connect, and between two packets of an answer.
_TIMEOUT = (5.0, 30.0)


class NotServedError(PipelineError):
    """The place of a wheel gives neither its metadata nor a part of it: only the whole wheel would tell."""


def requires(url: str) -> tuple[str, ...]:
    """The values of ``Requires-Dist`` of a wheel's metadata.

    Args:
        url: The wheel's, ``https:`` or ``file:``, or a path.

    Raises:
        NetworkError: It is not reached.
        NotServedError: It is there, and only as a whole.
        PipelineError: It is no wheel.
    """
    try:
        if url.startswith(("http://", "https://")):
            text = _served(url)
        else:
            path = unquote(urlsplit(url).path) if url.startswith("file://") else url
            with zipfile.ZipFile(Path(path)) as archive:
                text = _metadata(archive)
    except (requests.RequestException, RemoteIOError, OSError) as failure:
        raise NetworkError(
            "a wheel's metadata cannot be read",
            where=url,
            fix="check the network, then run it again",
            details=str(failure)[:600],
        ) from failure
    except RemoteZipError as failure:
        raise NotServedError(
            "an index serves neither a wheel's metadata (PEP 658) nor parts of it (range requests)",
            where=url,
            details=str(failure),
        ) from failure
    except (zipfile.BadZipFile, StopIteration) as failure:
        raise PipelineError("this is no wheel", where=url, details=str(failure)) from failure
    return tuple(HeaderParser().parsestr(text).get_all("Requires-Dist") or ())


def _served(url: str) -> str:
    """The metadata of a wheel on a server."""
    # requests reads REQUESTS_CA_BUNDLE by itself, but not the variable that most other tools read.
    verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
    beside = requests.get(f"{url}.metadata", verify=verify, timeout=_TIMEOUT)
    if beside.ok and beside.content.startswith(b"Metadata-Version:"):
        return beside.content.decode("utf-8", errors="replace")
    with RemoteZip(url, verify=verify, timeout=_TIMEOUT) as archive:
        return _metadata(archive)


def _metadata(archive: zipfile.ZipFile) -> str:
    name = next(name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA"))
    return archive.read(name).decode("utf-8", errors="replace")
