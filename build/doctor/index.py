"""The check of the package index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from build.doctor import network
from build.doctor.finding import Finding, ok, warning
from build.doctor.setting import Setting
from build.packages.index import configured
from build.packages.index_client import IndexClient
from build.system.http_connections import proxy_of
from build.system.http_failures import shown

_NAME = "package index"
#: Variables that name another index for uv, and that builds do not see.
_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
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
        if answer.status != 404:  # an index of a company's own packages alone
            answer.raise_for_status()
    return [judge(urls, [url for url in urls if proxy_of(url)], setting.environ)]


def judge(urls: Sequence[str], behind_proxy: Sequence[str], environ: Mapping[str, str]) -> Finding:
    """Return the finding about indexes that answer.

    Args:
        urls: The indexes.
        behind_proxy: Those that are reached through a proxy.
        environ: The variables that name other indexes.
    """
    text = f"{', '.join(map(shown, urls))} answers" if len(urls) == 1 else f"{', '.join(map(shown, urls))} answer"
    only_here = [name for name in _VARIABLES if environ.get(name)] + (["HTTPS_PROXY"] if behind_proxy else [])
    if not only_here:
        return ok(_NAME, text)
    return warning(
        _NAME,
        f"{text} this machine, but builds do not use {' and '.join(only_here)}",
        "give the engine's machine a direct route to the default index, or name a directory as a wheel source in "
        "matrix.yaml; locking works as it is",
    )
