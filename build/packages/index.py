"""The files that package indexes and wheel directories have; ``build.packages.compatibility`` explains them.

The indexes are those of uv: uv itself is asked for them, so that its defaults, environment variables and configuration
files apply here too, and no address of an index is known here.

Effects: the network; runs uv.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from build.errors import NetworkError, PipelineError
from build.packages import index_logins, uv_configuration, uv_environment, uv_failures
from build.packages.distribution import Distribution, File
from build.packages.index_client import IndexClient
from build.system.http_failures import (
    HttpError,
    NoAnswerError,
    ProxyFailedError,
    StatusError,
    TimedOutError,
    shown,
)

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

_NOT_FOUND = 404


class PackageIndex:
    """Indexes, in the order in which they are searched, and wheel directories.

    Each distribution is looked up once; threads may share a ``PackageIndex``.

    Args:
        indexes: URLs of simple indexes (PEP 503 or 691). As in uv, the first index that has a distribution counts.
        links: Wheel directories, or URLs of pages of links to wheels; their files are added to those of the index.
        client: Sends the requests; a client of its own if None.
    """

    def __init__(
        self, indexes: Sequence[str], links: Sequence[Path | str] = (), *, client: IndexClient | None = None
    ) -> None:
        self.indexes = tuple(indexes)
        self.links = tuple(links)
        self._all = uv_configuration.variables().get("UV_INDEX_STRATEGY", "first-index") != "first-index"
        self._known: dict[str, Future[Distribution]] = {}
        self._lock = threading.Lock()
        #: Indexes that had files, and did not tell when they were uploaded.
        self.without_times: set[str] = set()
        #: Places that could not be connected to: tried once, not once for each distribution.
        self._unreachable: set[str] = set()
        #: Place, as `Distribution` names it → why it did not answer.
        self._problems: dict[str, PipelineError] = {}
        self._client = client or IndexClient()

    def distribution(self, name: str) -> Distribution:
        """Return all files of a distribution; places that do not answer are listed in the result.

        Args:
            name: The distribution's name in any spelling.
        """
        name = canonicalize_name(name)
        with self._lock:
            is_known = name in self._known
            future = self._known.setdefault(name, Future())
        if not is_known:
            try:
                future.set_result(self._search(name))
            except BaseException as failure:
                future.set_exception(failure)
                raise
        return future.result()

    def not_reached(self, distribution: Distribution) -> NetworkError:
        """Return why an index did not say what it has of a distribution.

        Args:
            distribution: One for which a place did not answer.
        """
        problems = [self._problems[place] for place in distribution.not_reached if place in self._problems]
        problem = problems[0] if problems else None
        return NetworkError(
            problem.what if problem else f"the package index does not say what it has of {distribution.name}",
            where=", ".join(distribution.not_reached),
            fix=(problem.fix if problem else None) or "check the network, then run it again",
        )

    def _search(self, name: str) -> Distribution:
        files: list[File] = []
        reached: list[str] = []
        not_reached: list[str] = []
        places = [*((link, False) for link in self.links), *((index, True) for index in self.indexes)]
        for place, is_index in places:
            label = shown(place) if isinstance(place, str) else str(place)
            packages = self._packages(place, name, is_index=is_index)
            if packages is None:
                not_reached.append(label)
                continue
            reached.append(label)
            if is_index and packages and all(package.upload_time is None for package in packages):
                self.without_times.add(label)
            files.extend(files_of(packages))
            if is_index and packages and not self._all:
                break
        return Distribution(name=name, files=tuple(files), places=tuple(reached), not_reached=tuple(not_reached))

    def _packages(self, place: Path | str, name: str, *, is_index: bool) -> list[DistributionPackage] | None:
        """Return the files of a distribution in one place, or None if the place does not answer."""
        key = str(place)
        if key in self._unreachable:
            return None
        try:
            return self._page(key, name) if is_index else self._linked(place, name)
        except (NoAnswerError, TimedOutError, ProxyFailedError) as failure:
            self._unreachable.add(key)
            self._problems[shown(key)] = failure
        except HttpError as failure:
            self._problems[shown(key)] = _explained(failure, key)
        except (OSError, ValueError):  # a directory that does not exist; not such a page
            pass
        return None

    def _page(self, index: str, name: str) -> list[DistributionPackage]:
        """Return the files on an index's page of a distribution."""
        from build.packages import index_pages  # here: most commands ask no index

        if index.startswith("file://"):
            folder = Path(unquote(urlsplit(index).path), name)
            if folder.is_dir():
                return index_pages.of_html((folder / "index.html").read_bytes(), name, f"{folder.as_uri()}/")
            if not folder.parent.is_dir():
                raise FileNotFoundError(folder.parent)
            return []
        answer = self._client.read(f"{index.rstrip('/')}/{name}/", headers=index_pages.ACCEPT)
        return [] if answer.status == _NOT_FOUND else index_pages.of_answer(answer, name)

    def _linked(self, link: Path | str, name: str) -> list[DistributionPackage]:
        """Return the files of a distribution in a directory or on a page of links."""
        from build.packages import index_pages

        if isinstance(link, str) and link.startswith(("http://", "https://")):
            packages = index_pages.of_answer(self._client.read(link), name)
        else:
            folder = Path(unquote(urlsplit(link).path) if isinstance(link, str) and "://" in link else link)
            html = "".join(f'<a href="{file.name}">{file.name}</a>' for file in sorted(folder.iterdir()))
            packages = index_pages.of_html(html, name)
        return [package for package in packages if package.project and canonicalize_name(package.project) == name]


def _explained(failure: HttpError, place: str) -> PipelineError:
    reason = uv_failures.of_status(failure.status, place) if isinstance(failure, StatusError) else None
    return NetworkError(reason.what, fix=reason.fix) if reason else failure


def configured(client: IndexClient | None = None) -> PackageIndex:
    """Return the indexes and directories that uv is configured for: its default, variables and configuration files.

    Args:
        client: Sends the requests; a client of its own if None.

    Raises:
        PipelineError: uv's configuration is not valid.
    """
    environment = uv_environment.environment()
    done = uv_environment.print_indexes(environment)
    if done.returncode != 0:
        raise PipelineError(
            "uv cannot tell which package indexes are configured",
            fix="correct uv's configuration: the variables UV_* and the file uv.toml",
            details=uv_environment.without_logins(done.stderr.strip(), environment)[-600:],
        )
    logins = index_logins.of_names(os.environ, uv_configuration.named_indexes())
    return from_options(done.stdout, client, logins=logins)


def from_options(
    text: str, client: IndexClient | None = None, *, logins: Mapping[str, tuple[str, str]] | None = None
) -> PackageIndex:
    """Return the indexes and directories that options of pip name, as uv writes them into a requirements file.

    Args:
        text: The requirements file.
        client: Sends the requests; a client of its own if None.
        logins: Index → user and password, for those whose address has none.
    """
    default: list[str] = []
    extra: list[str] = []
    links: list[str] = []
    for line in text.splitlines():
        option, _, value = line.partition(" ")
        # uv quotes nothing: a password may contain quotes and spaces. Variables separate addresses by spaces.
        values = [value.strip().replace(" ", "%20") if "://" in value else value.strip()]
        if option == "--index-url":
            default += values
        elif option == "--extra-index-url":
            extra += values
        elif option == "--find-links":
            links += values
    # uv searches the default index last; with ``no-index`` it names none.
    indexes = [index_logins.with_login(index, logins or {}) for index in (*extra, *default)]
    return PackageIndex(indexes, links, client=client)


def files_of(packages: Iterable[DistributionPackage]) -> tuple[File, ...]:
    """Return the files on an index's page that today's installers accept."""
    return tuple(file for package in packages if (file := _file(package)) is not None)


def _file(package: DistributionPackage) -> File | None:
    """Return a wheel or a source archive; None for other files (eggs, invalid versions)."""
    if package.version is None or package.package_type not in ("wheel", "sdist"):
        return None
    try:
        version = Version(package.version)
    except InvalidVersion:
        return None
    return File(
        filename=unquote(package.filename),
        version=version,
        requires_python=package.requires_python,
        yanked=(package.yanked_reason or "") if package.is_yanked else None,
        uploaded=package.upload_time,
    )
