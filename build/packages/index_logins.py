"""The logins of package indexes that are in other variables than their addresses.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit


def of_names(environ: Mapping[str, str], in_files: Iterable[tuple[str, str]] = ()) -> dict[str, tuple[str, str]]:
    """Return the logins of uv's named indexes: address → user and password.

    ``UV_INDEX=company=https://…`` gives an index a name, ``UV_INDEX_COMPANY_USERNAME`` and
    ``UV_INDEX_COMPANY_PASSWORD`` its login (https://docs.astral.sh/uv/concepts/indexes/).

    Args:
        environ: The environment variables.
        in_files: The names and addresses of indexes in uv's configuration files.
    """
    words = [*environ.get("UV_INDEX", "").split(), environ.get("UV_DEFAULT_INDEX", "")]
    in_variables = [word.partition("=")[::2] for word in words if re.match(r"[A-Za-z0-9._-]+=", word)]
    found = {}
    for name, url in (*in_files, *in_variables):
        prefix = f"UV_INDEX_{re.sub('[^A-Za-z0-9]', '_', name).upper()}"
        user, password = environ.get(f"{prefix}_USERNAME", ""), environ.get(f"{prefix}_PASSWORD", "")
        if user or password:
            found[url.rstrip("/")] = (user, password)
    return found


def with_login(url: str, logins: Mapping[str, tuple[str, str]]) -> str:
    """Return the address of an index with its login in it; one that the address has already stays.

    Args:
        url: ``https://index.example/simple``.
        logins: Address → user and password.
    """
    parts, login = urlsplit(url), logins.get(url.rstrip("/"))
    if login is None or "@" in parts.netloc:
        return url
    user, password = (quote(text, safe="") for text in login)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc}").geturl()


def with_login_of(url: str, indexes: Iterable[str]) -> str:
    """Return the address of a file with the login of the index on the same server, as uv does.

    Args:
        url: ``https://index.example/files/x.whl``.
        indexes: The indexes, possibly with user and password.
    """
    server = urlsplit(url)[:2]
    for index in indexes:
        parts = urlsplit(index)
        login, _, host = parts.netloc.rpartition("@")
        if login and (parts.scheme, host) == server:
            return urlsplit(url)._replace(netloc=parts.netloc).geturl()
    return url
