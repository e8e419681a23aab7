"""The pages of package indexes, as JSON (PEP 691) or HTML (PEP 503), and pages of links: the files that they name.

``build.packages.index`` imports this when a page is read: the library takes as long to load as a short command runs.
"""

from __future__ import annotations

from email.message import Message

from pypi_simple import ACCEPT_JSON_PREFERRED, DistributionPackage, ProjectPage
from pypi_simple.errors import UnsupportedContentTypeError, UnsupportedRepoVersionError

from build.system.http_response import Response

#: The header that asks an index for JSON if it has it.
ACCEPT = {"Accept": ACCEPT_JSON_PREFERRED}
_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = ("application/vnd.pypi.simple.v1+html", "text/html")


def of_answer(answer: Response, name: str) -> list[DistributionPackage]:
    """Return the files on a page that was requested.

    Raises:
        HttpError: The answer is a failure.
        ValueError: The page has another format, or another version of it.
    """
    answer.raise_for_status()
    header = Message()
    header["Content-Type"] = answer.headers.get("Content-Type", "text/html")
    content_type = header.get_content_type()
    try:
        if content_type == _JSON:
            return ProjectPage.from_json_data(answer.json(), answer.url).packages
        if content_type in _HTML:
            encoding = header.get_content_charset()
            return ProjectPage.from_html(name, answer.content, answer.url, from_encoding=encoding).packages
    except UnsupportedRepoVersionError as failure:
        raise ValueError(str(failure)) from failure
    raise UnsupportedContentTypeError(answer.url, content_type)


def of_html(content: str | bytes, name: str, base: str | None = None) -> list[DistributionPackage]:
    """Return the files on a page of this machine.

    Args:
        content: The page.
        name: The distribution.
        base: The URL to which its links are relative.

    Raises:
        ValueError: The page has another format, or another version of it.
    """
    try:
        return ProjectPage.from_html(name, content, base).packages
    except UnsupportedRepoVersionError as failure:
        raise ValueError(str(failure)) from failure
