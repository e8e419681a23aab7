"""What a wheel says it requires, read from the index without fetching the wheel.

A wheel is a zip archive: its directory and one small file of it are asked for by range requests, as pip and uv do
where an index serves no metadata by itself.  Frameworks' wheels have half a gigabyte.
"""

from __future__ import annotations

import os
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from remotezip import RemoteIOError, RemoteZip

from build.errors import NetworkError, PipelineError


def requires(url: str) -> tuple[str, ...]:
    """The values of ``Requires-Dist`` of a wheel's metadata.

    Args:
        url: The wheel's, ``https:`` or ``file:``, or a path.

    Raises:
        NetworkError: It is not reached.
        PipelineError: It is no wheel.
    """
    try:
        if url.startswith(("http://", "https://")):
            # requests reads REQUESTS_CA_BUNDLE by itself, but not the variable that most other tools read.
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
            with RemoteZip(url, verify=bundle or True) as archive:
                text = _metadata(archive)
        else:
            path = unquote(urlsplit(url).path) if url.startswith("file://") else url
            with zipfile.ZipFile(Path(path)) as archive:
                text = _metadata(archive)
    except (requests.RequestException, RemoteIOError, OSError) as failure:
        raise NetworkError(
            "a wheel's metadata cannot be read", where=url, fix="check the network, then run it again",
            details=str(failure)[:600],
        ) from failure
    except (zipfile.BadZipFile, StopIteration) as failure:
        raise PipelineError("this is no wheel", where=url, details=str(failure)) from failure
    return tuple(HeaderParser().parsestr(text).get_all("Requires-Dist") or ())


def _metadata(archive: zipfile.ZipFile) -> str:
    name = next(name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA"))
    return archive.read(name).decode("utf-8", errors="replace")
