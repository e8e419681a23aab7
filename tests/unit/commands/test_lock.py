"""`nox -s lock` without an index: what is written, and what is not."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest

from build.bases import prepare
from build.bases.local import LocalBase
from build.checkout.project import open_project
from build.commands import lock
from build.errors import LockError, NetworkError
from build.feasibility import reports, resolving
from build.feasibility.facts import Facts
from build.locks import debian, debian_index
from build.locks.make import NewLocks
from build.locks.resolve import UnsatisfiableError
from build.matrix.origins import Bootstrapped
from build.paths import Paths, write_atomically
from tests.unit.fixture_project import MINIMAL, SKLEARN, copy_project
from tests.unit.http_servers import Answer, Request, serving


def test_a_failure_that_no_image_has_leaves_every_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = copy_project(tmp_path / "project")
    before = {file: file.read_bytes() for file in paths.locks.rglob("*.txt")}
    failed = {"debian12-py311": UnsatisfiableError("no set of packages satisfies setuptools, wheel")}
    monkeypatch.setattr(Facts, "prepare", lambda facts: None)
    monkeypatch.setattr(lock, "check_pins", lambda facts: [])
    monkeypatch.setattr(Facts, "check_upload_times", lambda facts: None)
    monkeypatch.setattr(lock, "_refused_yanked", lambda facts: [])
    monkeypatch.setattr(lock, "_check_excludes", lambda facts: None)
    monkeypatch.setattr(lock, "cuda_pins", lambda project, refresh: ({}, []))
    monkeypatch.setattr(resolving, "make_locks", lambda *arguments: NewLocks(failed_builds=failed))

    with pytest.raises(UnsatisfiableError, match="setuptools"):
        lock.lock_command(paths, check=False, refresh_bases=False)

    assert {file: file.read_bytes() for file in paths.locks.rglob("*.txt")} == before


def test_json_lists_the_rewritten_packages_of_bases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = copy_project(tmp_path / "project")
    project = open_project(paths)
    name, other, *_ = (key for key, base in project.matrix.bases.items() if isinstance(base.origin, Bootstrapped))
    package, _, version = (debian.recorded(paths, name) or ())[0].partition("=")

    def record(local: LocalBase, origin: Bootstrapped) -> str:
        """Record what the archive has: one base has a newer package, the others have the same ones."""
        packages = list(debian.former(paths, local.name))
        if local.name == name:
            packages[0] = f"{package}={version}+new"
        debian.record_base(paths, local.name, packages, origin)
        return "recorded"

    monkeypatch.setattr(Facts, "prepare", lambda facts: None)
    monkeypatch.setattr(lock, "check_pins", lambda facts: [])
    monkeypatch.setattr(Facts, "check_upload_times", lambda facts: None)
    monkeypatch.setattr(lock, "_refused_yanked", lambda facts: [])
    monkeypatch.setattr(lock, "_check_excludes", lambda facts: None)
    monkeypatch.setattr(lock, "cuda_pins", lambda project, refresh: ({}, []))
    monkeypatch.setattr(resolving, "make_locks", lambda *arguments: NewLocks())
    monkeypatch.setattr(prepare, "record_debian", record)
    monkeypatch.setattr(prepare, "record_python", lambda local: None)

    lock.lock_command(paths, check=False, refresh_bases=True, as_json=True)

    written = json.loads(capsys.readouterr().out)["written"]
    assert written[f"locks/{name}/debian.txt"] == [f"{package} {version} -> {version}+new"]
    assert written.get(f"locks/{other}/debian.txt", ["its header"]) == ["its header"]


@pytest.mark.parametrize("failure", [None, NetworkError("the archive is not reached")])
def test_cuda_that_debian_does_not_have_stops_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: NetworkError | None
) -> None:
    paths = copy_project(tmp_path / "project")
    project = open_project(paths)
    variant = project.variant(MINIMAL)
    new = dataclasses.replace(project.lock(variant), exclude_newer="2026-11-20")

    def index(suite: str) -> str:
        """Debian's archive without any package, or without an answer."""
        if failure is not None:
            raise failure
        return ""

    for name in ("check_pins", "_refused_yanked"):
        monkeypatch.setattr(lock, name, lambda facts: [])
    monkeypatch.setattr(Facts, "prepare", lambda facts: None)
    monkeypatch.setattr(Facts, "check_upload_times", lambda facts: None)
    monkeypatch.setattr(lock, "_check_excludes", lambda facts: None)
    monkeypatch.setattr(resolving, "make_locks", lambda *arguments: NewLocks(locks={project.lock_path(variant): new}))
    monkeypatch.setattr(debian_index, "fetch_index", index)
    monkeypatch.setattr(prepare, "record_debian", lambda local, origin: "recorded")
    monkeypatch.setattr(prepare, "record_python", lambda local: None)
    before = debian.recorded(paths, "debian12-py311-cuda11.8.0")

    expected = (NetworkError, "is not reached") if failure else (LockError, "has no package 'libcublas11'")
    with pytest.raises(expected[0], match=expected[1]):
        lock.lock_command(paths, check=False, refresh_bases=True)

    assert "exclude-newer: 2026-11-20" in (paths.root / project.lock_path(variant)).read_text(encoding="utf-8")
    assert debian.recorded(paths, "debian12-py311-cuda11.8.0") == before


def test_ctrl_c_waits_until_all_locks_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = copy_project(tmp_path / "project")
    project = open_project(paths)
    found = {project.lock_path(variant): project.lock(variant) for variant in project.variants[:2]}
    new = {path: dataclasses.replace(made, exclude_newer="2026-11-20") for path, made in found.items()}

    def interrupted(path: Path, text: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        write_atomically(path, text)

    monkeypatch.setattr(lock, "write_atomically", interrupted)
    names = {variant.name for variant in project.variants}
    with pytest.raises(KeyboardInterrupt):
        lock.write(project, NewLocks(locks=new), new, names)
    assert all("exclude-newer: 2026-11-20" in (paths.root / path).read_text(encoding="utf-8") for path in new)


def test_the_message_about_an_image_says_what_its_lock_is_still_good_for(tmp_path: Path) -> None:
    paths = copy_project(tmp_path / "project")
    project = open_project(paths)
    built = "it keeps its lock, and is still built and published from it; exclude the cell to stop that"
    assert lock.lock_left(project, MINIMAL) == built
    (paths.root / project.lock_path(project.variant(SKLEARN))).unlink()
    assert lock.lock_left(project, SKLEARN) == "it has no lock"
    text = paths.matrix.read_text(encoding="utf-8").replace("exclude-newer: 2026-11-19", "exclude-newer: 2026-11-20")
    paths.matrix.write_text(text, encoding="utf-8")
    assert lock.lock_left(open_project(paths), MINIMAL).startswith(
        "it keeps its lock, which is stale: it was made with "
    )


MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9", allow-yanked: [ALLOWED]}
server: {title: Server, contract: [pip>=25]}
axes: {base: [one], device: [cpu]}
bases:
  one: {title: Debian 12, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
frameworks:
  example:
    title: Example
    versions:
      "1":
        contract: [demo==2.0]
"""


def prepared(root: Path, index: str, monkeypatch: pytest.MonkeyPatch, allowed: str = "") -> Facts:
    """What the checks know about a matrix with one image and one index."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    (root / "matrix.yaml").write_text(MATRIX.replace("ALLOWED", allowed), encoding="utf-8")
    facts = Facts(open_project(Paths(root=root)))
    facts.prepare()
    for name in ("demo", "pip"):
        facts.default.distribution(name)
    return facts


def page(request: Request) -> Answer:
    """An index (PEP 691): demo 2.0 is yanked."""
    name = request.path.strip("/").rpartition("/")[2]
    of_two: str | bool = "it deletes files" if name == "demo" else False
    files: list[dict[str, object]] = [
        {
            "filename": f"{name}-{version}-py3-none-any.whl",
            "url": f"{name}-{version}-py3-none-any.whl",
            "hashes": {},
            "upload-time": "2026-01-01T00:00:00Z",
            "yanked": yanked,
        }
        for version, yanked in (("1.0", False), ("2.0", of_two), ("26.0", False))
    ]
    content = {"meta": {"api-version": "1.1"}, "name": name, "versions": ["1.0", "2.0", "26.0"], "files": files}
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})


def test_an_index_without_upload_times_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "index/demo"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text('<a href="demo-2.0-py3-none-any.whl">demo-2.0-py3-none-any.whl</a>')
    index = (tmp_path / "index").as_uri()

    with pytest.raises(LockError, match=r"does not tell when its files were uploaded.*2026-11-19") as raised:
        prepared(tmp_path, index, monkeypatch).check_upload_times()

    assert raised.value.where == index


def test_a_yanked_release_is_refused_unless_the_matrix_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(page) as server:
        index = f"http://{server.host}/simple"
        facts = prepared(tmp_path, index, monkeypatch)
        facts.check_upload_times()
        (verdict,) = lock._refused_yanked(facts)
        failure = reports.impossible(facts.project.loaded, [verdict], outcome="all other locks were written")
        assert "demo 2.0 was yanked from the index: it deletes files" in failure.what
        assert failure.where is not None and failure.where.startswith("matrix.yaml:11 ")
        assert "pin demo 1.0 or 26.0, or add 'demo==2.0' to project.allow-yanked; all other" in str(failure.fix)
        for other in ("demo==1.0", "pip==2.0"):
            assert lock._refused_yanked(prepared(tmp_path, index, monkeypatch, allowed=other))
        capsys.readouterr()

        assert not lock._refused_yanked(prepared(tmp_path, index, monkeypatch, allowed="Demo==2.0"))

    assert "demo 2.0 was yanked from the index: it deletes files" in capsys.readouterr().err
