"""`nox -s doctor` on this machine, with what it needs taken away."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from build.matrix.origins import Bootstrapped, PrefixPython
from build.matrix.reader import load
from tests.conftest import Checkout, copy_checkout, take_port
from tests.pipeline.registries import Running, log_in, running
from tests.pipeline.rows import MINIMAL

pytestmark = [pytest.mark.engine, pytest.mark.network]

Findings = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def here(bases_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    root = tmp_path_factory.mktemp("doctor") / "repository"
    root.mkdir()
    yield copy_checkout(root)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def registry(engine_client: docker.DockerClient, registry_image: str) -> Iterator[Running]:
    with running(engine_client, registry_image) as started:
        yield started


def findings(checkout: Checkout, *arguments: str, env: Mapping[str, str], code: int) -> Findings:
    done = checkout.run("doctor", "--json", *arguments, env=env)
    assert done.code == code, done.one_screen()
    return {each["name"]: each for each in json.loads(done.out)["checks"]}


def missing(found: Findings) -> set[str]:
    return {name for name, each in found.items() if each["state"] == "missing"}


def files(root: Path) -> dict[str, int]:
    """All files with the times of their last changes, without what each command writes."""
    own = {"runs", "temporary"}
    return {
        str(path.relative_to(root)): path.lstat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not own & set(path.parts)
    }


def test_a_machine_that_has_everything_is_ready_and_stays_as_it_is(here: Checkout, registry: Running) -> None:
    before = files(here.root)
    done = here.run("doctor", MINIMAL, env=registry.environment)
    assert done.code == 0, done.one_screen()
    assert "0 missing: this machine can build, test and publish the selected images" in done.out
    lines = {line.split("  ")[-1] for line in done.out.splitlines()}
    assert "for all 3 repositories of the selected images" in lines
    assert files(here.root) == before
    assert registry.run("find /var/lib/registry -name data -o -name link") == ""  # the uploads were cancelled


def test_without_an_engine_the_other_checks_still_answer(here: Checkout, registry: Running) -> None:
    env = {**registry.environment, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    found = findings(here, MINIMAL, env=env, code=1)
    assert missing(found) == {"engine", "disk of the engine"}
    assert "/nonexistent/docker.sock" in found["engine"]["text"]
    assert "nox -s engine" in found["engine"]["fix"]
    assert found["push rights"]["state"] == found["package index"]["state"] == "ok"


def test_a_registry_that_is_not_there(here: Checkout) -> None:
    address = f"127.0.0.1:{take_port()}"
    done = here.run("doctor", MINIMAL, env={"REGISTRY": address})
    assert done.code == 1
    assert f"the registry {address} cannot be reached" in done.one_screen()
    assert "error: something is missing that the selected images need: registry" in done.err


@pytest.mark.parametrize(
    ("login", "words"),
    [
        (None, "asks for a login and none is stored"),
        ("tester:wrong", "refused the stored login"),
        ("tester:secret", ""),
    ],
)
def test_the_login(
    here: Checkout, guarded: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, login: str | None, words: str
) -> None:
    log_in(monkeypatch, tmp_path, guarded.registry.host, login)
    found = findings(here, MINIMAL, env=guarded.environment, code=1 if words else 0)
    if words:
        assert missing(found) == {"registry"}
        assert words in found["registry"]["text"]
        assert found["registry"]["fix"] == f"docker login {guarded.registry.host}"
    else:
        assert found["registry login"]["text"] == "the login of tester is stored"
        assert found["push rights"]["state"] == "ok"


def test_a_registry_that_does_not_let_this_login_push(here: Checkout, registry: Running) -> None:
    registry.forbid_writing(f"azureml/{MINIMAL}")
    try:
        found = findings(here, MINIMAL, env=registry.environment, code=1)
    finally:
        registry.allow_writing(f"azureml/{MINIMAL}")
    assert missing(found) == {"push rights"}
    assert found["registry"]["state"] == "ok"


def test_a_file_of_ca_certificates_that_has_none(here: Checkout, registry: Running, tmp_path: Path) -> None:
    damaged = tmp_path / "ca.pem"
    damaged.write_text("no certificate\n", encoding="utf-8")
    found = findings(here, MINIMAL, env={**registry.environment, "SSL_CERT_FILE": str(damaged)}, code=1)
    assert "CA certificates" in missing(found)
    assert str(damaged) in found["CA certificates"]["text"]
    assert found["registry"]["state"] == "ok"


def test_a_prefix_is_missing_only_for_the_images_on_it(here: Checkout, registry: Running, tmp_path: Path) -> None:
    bases = load(here.paths.matrix).matrix.bases
    name, version = next(
        (name, base.origin.python.version)
        for name, base in bases.items()
        if isinstance(base.origin, Bootstrapped) and isinstance(base.origin.python, PrefixPython)
        if any(path.parent.name == name for path in here.paths.locks.glob("*/*-inference.txt"))
    )
    (here.paths.rootfs / name / "prefix.json").unlink(missing_ok=True)
    nowhere = dict.fromkeys(("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "INFERENCE_IMAGES_PREFIXES"), str(tmp_path))
    env = {**registry.environment, **nowhere}
    assert findings(here, MINIMAL, env=env, code=0)[f"Python {version}"]["state"] == "warning"
    found = findings(here, "--base", name, env=env, code=1)[f"Python {version}"]
    assert found["state"] == "missing"
    assert f"pyenv install {version}" in found["fix"]
