"""What package indexes and wheel directories have: the facts that ``build.packages.compatibility`` explains.

The places are the ones that uv uses: uv itself is asked for them, so that its environment variables and
configuration files hold here too.
"""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
import uv
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pypi_simple import DistributionPackage, NoSuchProjectError, ProjectPage, PyPISimple
from pypi_simple.errors import UnsupportedContentTypeError, UnsupportedRepoVersionError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from build.errors import PipelineError
from build.packages.distribution import Distribution, File
from build.system import processes

#: Seconds to connect, and between two packets of an answer.
_TIMEOUT = (5.0, 30.0)


class PackageIndex:
    """Indexes in the order in which they are asked, and directories of wheels beside them.

    Each distribution is asked for once; ``distribution`` may be called from several threads.

    Args:
        indexes: URLs of simple indexes (PEP 503 or 691); like uv, the first that knows a distribution has it.
        links: Directories of wheels, or URLs of pages of links to wheels; what they have comes beside it.
    """

    def __init__(self, indexes: Sequence[str], links: Sequence[Path | str] = ()) -> None:
        self.indexes = tuple(indexes)
        self._links = tuple(links)
        self._all = os.environ.get("UV_INDEX_STRATEGY", "first-index") != "first-index"
        self._known: dict[str, Future[Distribution]] = {}
        self._lock = threading.Lock()
        #: Places that could not be connected to: asked once, not once for each distribution.
        self._away: set[str] = set()
        self._session = requests.Session()
        # uv's variable for a company's certificates; requests has one of its own, which wins.
        self._session.verify = os.environ.get("SSL_CERT_FILE") or True
        retry = Retry(total=2, backoff_factor=0.3, status_forcelist=(502, 503, 504))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=16))

    def distribution(self, name: str) -> Distribution:
        """All files of a distribution that the places have; those that do not answer are named in it.

        Args:
            name: In any spelling.
        """
        name = canonicalize_name(name)
        with self._lock:
            asked = name in self._known
            future = self._known.setdefault(name, Future())
        if not asked:
            try:
                future.set_result(self._ask(name))
            except BaseException as failure:
                future.set_exception(failure)
                raise
        return future.result()

    def _ask(self, name: str) -> Distribution:
        files: list[File] = []
        answered: list[str] = []
        silent: list[str] = []

        def ask(place: Path | str, look: Callable[[], Iterable[DistributionPackage]]) -> bool:
            """Note what a place has; whether it knows the distribution."""
            shown = _without_credentials(str(place))
            if shown in self._away:
                silent.append(shown)
                return False
            try:
                found = list(look())
            except NoSuchProjectError:
                found = []
            except (requests.ConnectionError, requests.Timeout):
                self._away.add(shown)
                silent.append(shown)
                return False
            except (
                OSError,  # requests' exceptions are OSErrors; so is a directory that is not there
                ValueError,
                UnsupportedContentTypeError,
                UnsupportedRepoVersionError,
            ):
                silent.append(shown)
                return False
            answered.append(shown)
            files.extend(files_of(found))
            return bool(found)

        for link in self._links:
            ask(link, lambda link=link: self._linked(link, name))  # type: ignore[misc]
        for index in self.indexes:
            known = ask(index, lambda index=index: self._page(index, name).packages)  # type: ignore[misc]
            if known and not self._all:
                break
        return Distribution(name=name, files=tuple(files), places=tuple(answered), not_reached=tuple(silent))

    def _page(self, index: str, name: str) -> ProjectPage:
        if index.startswith("file://"):
            folder = Path(unquote(urlsplit(index).path), name)
            if not folder.is_dir():
                if not folder.parent.is_dir():
                    raise FileNotFoundError(folder.parent)
                raise NoSuchProjectError(name, folder.as_uri())
            return ProjectPage.from_html(name, (folder / "index.html").read_bytes(), f"{folder.as_uri()}/")
        return PyPISimple(index, session=self._session).get_project_page(name, timeout=_TIMEOUT)

    def _linked(self, link: Path | str, name: str) -> list[DistributionPackage]:
        if isinstance(link, str) and link.startswith(("http://", "https://")):
            answer = self._session.get(link, timeout=_TIMEOUT)
            answer.raise_for_status()
            found = ProjectPage.from_response(answer, name).packages
        else:
            folder = Path(unquote(urlsplit(link).path) if isinstance(link, str) and "://" in link else link)
            html = "".join(f'<a href="{file.name}">{file.name}</a>' for file in sorted(folder.iterdir()))
            found = ProjectPage.from_html(name, html).packages
        return [package for package in found if package.project and canonicalize_name(package.project) == name]


def configured() -> PackageIndex:
    """The indexes and directories that uv resolves from: its defaults, variables and configuration files."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "requirements.in")
        wanted.touch()
        # Of nothing there is nothing to resolve: it only says where it would look.
        done = processes.run(
            [
                *(uv.find_uv_bin(), "pip", "compile", str(wanted), "--quiet", "--no-header", "--offline"),
                *("--python-version", "3.11", "--emit-index-url", "--emit-find-links"),
            ],
            cwd=Path(folder),
        )
    if done.returncode != 0:
        raise PipelineError(
            "uv cannot tell which package indexes it is configured for",
            fix="correct uv's configuration: the variables UV_* and the file uv.toml",
            details=done.stderr.strip()[-600:],
        )
    return from_options(done.stdout)


def from_options(text: str) -> PackageIndex:
    """The places that pip's options name, as uv writes them into a requirements file."""
    default, extra, links = [], [], []
    for line in text.splitlines():
        option, _, value = line.partition(" ")
        values = shlex.split(value)
        if option == "--index-url":
            default += values
        elif option == "--extra-index-url":
            extra += values
        elif option == "--find-links":
            links += values
    if os.environ.get("UV_NO_INDEX", "").lower() in ("1", "true", "yes"):
        return PackageIndex((), links)
    # uv asks the default index last.
    return PackageIndex([*extra, *default], links)


def files_of(packages: Iterable[DistributionPackage]) -> tuple[File, ...]:
    """What an index's page lists, as far as an installer takes it today."""
    return tuple(file for package in packages if (file := _file(package)) is not None)


def _file(package: DistributionPackage) -> File | None:
    """A wheel or a source archive; None for what no installer takes today."""
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


def _without_credentials(place: str) -> str:
    """A URL as it may be shown: its user and password are nobody's business."""
    parts = urlsplit(place)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else place
