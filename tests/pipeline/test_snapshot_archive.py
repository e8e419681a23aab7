"""A base whose lock Debian's archive no longer meets, from a snapshot archive: a local one, signed with its own key.

It has the packages of today, read from the real archive, but an older one of ``tzdata``, which is made here.
"""

from __future__ import annotations

import datetime
import hashlib
import http.server
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from build.bases import prepare, rootfs
from build.bases.local import LocalBase
from build.errors import PipelineError
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.matrix.sources import Base
from build.paths import Paths

pytestmark = [pytest.mark.network, pytest.mark.thorough]

SUITE = "bookworm"
OLD = "tzdata=1970a-0"
MOMENT = datetime.datetime(2026, 11, 26, 22, 15, 7, tzinfo=datetime.UTC)
TIME = "20261126T221507Z"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A folder that is served as a snapshot archive."""

    folder: Path
    keyring: Path
    url: str


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the folder; what it does not have comes from the real archive."""

    def do_GET(self) -> None:
        real = re.sub(rf"^/(debian(?:-security)?)/{TIME}/", "", urllib.parse.unquote(self.path))
        if Path(self.translate_path(self.path)).exists():
            super().do_GET()
        elif real in self.server.pools:  # type: ignore[attr-defined]
            self.send_response(302)
            self.send_header("Location", f"{self.server.pools[real]}/{real}")  # type: ignore[attr-defined]
            self.end_headers()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Print nothing."""


def mirrors(local: LocalBase) -> list[tuple[str, str]]:
    """Return address and suite of each of apt's sources in a root file system."""
    with tarfile.open(local.rootfs_file) as tar:
        member = tar.extractfile("./etc/apt/sources.list")
        assert member is not None
        lines = member.read().decode().splitlines()
    return [(words[1], words[2]) for words in map(str.split, lines) if words[:1] == ["deb"]]


def stanzas(local: LocalBase, packages: set[str]) -> dict[str, tuple[str, str]]:
    """Return what the real archive says of packages: ``name=version`` → paragraph, mirror."""
    found: dict[str, tuple[str, str]] = {}
    for mirror, suite in mirrors(local):
        with urllib.request.urlopen(f"{mirror}/dists/{suite}/main/binary-amd64/Packages.xz", timeout=120) as answer:
            text = lzma.decompress(answer.read()).decode()
        for paragraph in text.split("\n\n"):
            name = re.search(r"^Package: (.*)$", paragraph, re.MULTILINE)
            version = re.search(r"^Version: (.*)$", paragraph, re.MULTILINE)
            if name and version and (item := f"{name[1]}={version[1]}") in packages:
                found.setdefault(item, (paragraph.strip(), mirror))
    return found


def old_package(folder: Path) -> tuple[Path, str]:
    """Make the older package, and return it with its paragraph."""
    root = folder / "old"
    (root / "DEBIAN").mkdir(parents=True)
    name, version = OLD.split("=")
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n"
        "Priority: required\nSection: localization\nProvides: tzdata-trixie\nDescription: an older one\n"
    )
    (root / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    file = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(root), str(file)], check=True, capture_output=True)
    content = file.read_bytes()
    facts = f"Filename: pool/{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}"
    return file, f"{control}{facts}"


def write_archive(folder: Path, paragraphs: list[str], sign: dict[str, str]) -> None:
    """Write the indexes: all packages in the first part of the suite, nothing in the others."""
    for archive, part, content in (
        ("debian", "", "\n\n".join(paragraphs) + "\n"),
        ("debian", "-updates", ""),
        ("debian-security", "-security", ""),
    ):
        dists = folder / archive / TIME / "dists" / f"{SUITE}{part}"
        index = dists / "main" / "binary-amd64" / "Packages"
        index.parent.mkdir(parents=True)
        index.write_text(content, encoding="utf-8")
        data = index.read_bytes()
        release = (
            f"Origin: Test\nSuite: {SUITE}{part}\nCodename: {SUITE}{part}\nArchitectures: amd64\nComponents: main\n"
            "Date: Thu, 26 Nov 2020 22:15:07 UTC\nValid-Until: Thu, 03 Dec 2020 22:15:07 UTC\n"
            f"SHA256:\n {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages\n"
        )
        subprocess.run(
            ["gpg", "--batch", "--yes", "--clearsign", "--output", str(dists / "InRelease")],
            input=release.encode(),
            env={**os.environ, **sign},
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> LocalBase:
    """A base without a Python of its own, bootstrapped from the real archive."""
    if shutil.which("mmdebstrap") is None:
        pytest.fail("mmdebstrap is not installed; nox -s engine does that", pytrace=False)
    local = base_in(tmp_path_factory.mktemp("today"), {})
    assert isinstance(local.origin, Bootstrapped)
    rootfs.bootstrap(local, local.origin, local.paths.root / "log")
    return local


def base_in(folder: Path, snapshot: dict[str, str]) -> LocalBase:
    bootstrap = {"suite": SUITE, "packages": ["tzdata"], **({"snapshot": snapshot} if snapshot else {})}
    base = {"title": "Debian 12", "os": "debian12", "python": "3.11", "glibc": "2.36", "bootstrap": bootstrap}
    prefix = {"version": "3.11.2"}
    return LocalBase(name="a-base", base=Base.model_validate({**base, "prefix": prefix}), paths=Paths(root=folder))


@pytest.fixture(scope="module")
def archive(today: LocalBase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("archive")
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    sign = {"GNUPGHOME": str(home)}
    key = ("archive@example.com", "rsa2048", "sign", "never")
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", *key]
    subprocess.run(make, env={**os.environ, **sign}, check=True, capture_output=True)
    keyring = folder / "keys.gpg"
    exported = ["gpg", "--batch", "--output", str(keyring), "--export"]
    subprocess.run(exported, env={**os.environ, **sign}, check=True, capture_output=True)
    keyring.chmod(0o644)
    tree = rootfs.present(today)
    assert tree is not None
    wanted = {each for each in tree.packages if not each.startswith("tzdata=")}
    known = stanzas(today, wanted)
    assert set(known) == wanted, "the archive has changed during this test: run it again"
    file, old = old_package(tmp_path_factory.mktemp("old"))
    pool = folder / "debian" / TIME / "pool"
    pool.mkdir(parents=True)
    shutil.copy2(file, pool)
    write_archive(folder, [*(paragraph for paragraph, _ in known.values()), old], sign)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: _Handler(*given, directory=str(folder)))
    names = re.compile(r"^Filename: (.*)$", re.MULTILINE)
    server.pools = {  # type: ignore[attr-defined]
        match[1]: mirror for paragraph, mirror in known.values() if (match := names.search(paragraph))
    }
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/{{archive}}/{{time}}"
    yield Archive(folder=folder, keyring=keyring, url=address)
    server.shutdown()
    thread.join()
    server.server_close()
    subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, **sign}, check=False)


def locked_to_the_old_one(folder: Path, today: LocalBase, snapshot: dict[str, str]) -> LocalBase:
    """A base whose lock has the older package."""
    local = base_in(folder, snapshot)
    tree, origin = rootfs.present(today), local.origin
    assert tree is not None and isinstance(origin, Bootstrapped)
    packages = sorted(OLD if each.startswith("tzdata=") else each for each in tree.packages)
    made = debian.MadeRootfs(diff_id="sha256:0", arguments=("none",), time=MOMENT)
    debian.record_base(local.paths, local.name, packages, origin, made)
    return local


def prepared(local: LocalBase, *, refresh: bool = False) -> rootfs.Rootfs:
    assert isinstance(local.origin, Bootstrapped)
    return prepare.root_file_system(local, local.origin, locked=False, refresh=refresh, store=None)


def test_the_packages_of_the_lock_come_from_the_snapshot(
    today: LocalBase, archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = locked_to_the_old_one(tmp_path, today, {"url": archive.url, "keyring": str(archive.keyring)})
    tree = prepared(local)
    said = " ".join(capsys.readouterr().err.split())
    assert OLD in tree.packages, said
    assert tree.packages == debian.recorded(local.paths, local.name)
    assert "differs from its lock" not in said and "warning" not in said
    assert mirrors(local) == mirrors(today), "images would take packages from the snapshot"
    with tarfile.open(local.rootfs_file) as tar:
        assert not [name for name in tar.getnames() if name.endswith("/keys.gpg") or TIME in name]


def test_without_its_keys_the_snapshot_is_not_trusted_and_today_s_packages_are_taken(
    today: LocalBase, archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = locked_to_the_old_one(tmp_path, today, {"url": archive.url})
    tree = prepared(local)
    said = " ".join(capsys.readouterr().err.split())
    assert OLD not in tree.packages
    assert "the base a-base is not made from the snapshot" in said
    assert "a-base differs from its lock in 1 Debian package: tzdata 1970a-0 -> " in said

    assert prepared(local) == tree, "a snapshot is not tried twice in a build"
    said = " ".join(capsys.readouterr().err.split())
    assert "differs from its lock in 1 Debian package, which its snapshot archive did not give; it is tried" in said

    corrected = base_in(tmp_path, {"url": archive.url, "keyring": str(archive.keyring)})
    assert OLD in prepared(corrected).packages, "the snapshot was not tried again"
    assert "warning" not in capsys.readouterr().err


def test_a_snapshot_without_these_packages_is_named(
    today: LocalBase, archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = locked_to_the_old_one(tmp_path, today, {"url": archive.url, "keyring": str(archive.keyring)})
    assert isinstance(local.origin, Bootstrapped)
    packages = [each.replace("1970a-0", "1971a-0") for each in debian.recorded(local.paths, local.name) or ()]
    made = debian.MadeRootfs(diff_id="sha256:0", arguments=("none",), time=MOMENT)
    debian.record_base(local.paths, local.name, packages, local.origin, made)
    tree = prepared(local)
    said = " ".join(capsys.readouterr().err.split())
    assert OLD not in tree.packages
    assert "does not have the packages of the lock of a-base either" in said
    with pytest.raises(PipelineError, match="differs from its lock in 1 Debian package"):
        prepare.check_locked(local, tree.packages)
