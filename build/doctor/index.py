"""The check of the package index."""

from __future__ import annotations

from collections.abc import Sequence

from build.doctor import network
from build.doctor.finding import Finding, missing, ok, warning
from build.doctor.setting import Setting
from build.packages.index import configured
from build.packages.index_client import IndexClient
from build.packages.uv_failures import of_status
from build.system.http_connections import proxy_of
from build.system.http_failures import is_only_here, shown

_NAME = "package index"
#: A distribution that every index for pip has.
_ASKED_FOR = "pip"


def indexes() -> tuple[str, ...]:
    """Return the addresses of the indexes that uv is configured for.

    Raises:
        PipelineError: uv's configuration is not valid.
    """
    return configured().indexes


def check(setting: Setting) -> Sequence[Finding]:
    """Ask each index for the page of one distribution.

    Raises:
        HttpError: An index does not answer, or with a failure.
        PipelineError: uv's configuration is not valid.
    """
    urls = indexes()
    if not urls:
        return [warning(_NAME, "uv is configured to use no index, only directories")]
    client = IndexClient(network.http_client())
    for url in urls:
        answer = client.read(f"{url.rstrip('/')}/{_ASKED_FOR}/")
        if reason := of_status(answer.status, url):
            return [missing(_NAME, reason.what, reason.fix)]
        if answer.status != 404:  # an index of a company's own packages alone
            answer.raise_for_status()
    return [judge(urls, [proxy for proxy in map(proxy_of, urls) if proxy])]


def judge(urls: Sequence[str], proxies: Sequence[str] = ()) -> Finding:
    """Return the finding about indexes that answer.

    Args:
        urls: The indexes.
        proxies: The proxies that they are reached through.
    """
    text = f"{', '.join(map(shown, urls))} answers" if len(urls) == 1 else f"{', '.join(map(shown, urls))} answer"
    only_here = [url for url in (*urls, *proxies) if is_only_here(url)]
    if not only_here:
        return ok(_NAME, text)
    names = " and ".join(map(shown, dict.fromkeys(only_here)))
    return warning(
        _NAME,
        f"{text} this machine, but builds do not reach {names}: they run in containers",
        "use a name or an address that other machines reach; locking works as it is",
    )
