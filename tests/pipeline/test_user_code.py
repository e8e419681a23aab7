"""Scoring scripts and Dockerfiles as users bring them (`tests/user_code`), in containers of the images.

Three of each are run in CI, all with --thorough.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from build.engine.connect import Connection
from build.system.certificates import ca_bundle
from build.variants.select import Selection
from tests.conftest import Checkout, copy_checkout
from tests.pipeline.helpers import reference
from tests.pipeline.rows import PROJECT
from tests.user_code.case import ANYTHING, FOLDER, Derived, Request, Score
from tests.user_code.derived_images import DOCKERFILES
from tests.user_code.score_scripts import SCORES

pytestmark = pytest.mark.engine

APP_ROOT = "/var/azureml-app"
#: Seconds for a start or an answer, on a small busy machine.
PATIENCE = 120


def in_ci_or_thorough(cases: Sequence[Score | Derived]) -> list[Any]:
    """Return the cases as parameters of a test."""
    parameters: list[Any] = []
    for case in cases:
        marks = [] if case.in_ci else [pytest.mark.thorough]
        if (isinstance(case, Score) and case.adds) or (isinstance(case, Derived) and case.network):
            marks.append(pytest.mark.network)
        parameters.append(pytest.param(case, id=case.name, marks=marks))
    return parameters


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The docker command, and a text in the name of all that the tests create."""

    environment: Mapping[str, str]
    token: str

    def docker(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", *arguments],
            env=dict(self.environment),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=10 * PATIENCE,
            check=False,
        )

    def must(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run a command that must succeed, and return its output."""
        done = self.docker(*arguments, stdin=stdin)
        output = done.stdout.decode(errors="replace")
        assert done.returncode == 0, output
        return output

    def build(self, dockerfile: str, context: Path, name: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        """Build an image of a user from the text of a Dockerfile."""
        command = ("build", "--progress=plain", "--tag", f"{self.token}:{name}", "--file=-", *options, str(context))
        return self.docker(*command, stdin=dockerfile.encode())


@pytest.fixture(scope="module")
def engine(connection: Connection) -> Iterator[Engine]:
    """The engine; what these tests created is removed at the end."""
    found = Engine(environment={**os.environ, **connection.environment}, token=f"user-code-{uuid.uuid4().hex[:8]}")
    yield found
    for identity in found.must("ps", "--all", "--quiet", "--filter", f"name={found.token}").split():
        found.docker("rm", "--force", "--volumes", identity)
    for identity in set(found.must("images", "--quiet", found.token).split()):
        found.docker("rmi", "--force", identity)


@pytest.fixture(scope="module")
def image_with(bases_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """A function that returns the smallest image of the default group with some distributions, as built here."""
    root = tmp_path_factory.mktemp("clone") / "repository"
    root.mkdir()
    checkout: Checkout = copy_checkout(root)
    built: dict[str, str] = {}

    def find(needs: frozenset[str]) -> str:
        default = PROJECT.select(Selection(group="default"))
        packages = {variant.name: PROJECT.lock(variant).versions() for variant in default}
        name = min((name for name in packages if needs <= packages[name].keys()), key=lambda name: len(packages[name]))
        if name not in built:
            done = checkout.run("build", name)
            assert done.code == 0, done.text
            built[name] = reference(checkout, name)
        return built[name]

    yield find
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def company_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A function that adds this machine's CA certificates to an image: pip works in it wherever it does here."""

    def derive(image: str) -> str:
        bundle = str(ca_bundle())
        if not bundle:
            return image
        context = tmp_path_factory.mktemp("company")
        shutil.copy(bundle, context / "ca.crt")
        name = f"company-{uuid.uuid4().hex[:8]}"
        text = f"FROM {image}\nCOPY --chmod=644 ca.crt /etc/ca.crt\nENV PIP_CERT=/etc/ca.crt\n"
        done = engine.build(text, context, name)
        assert done.returncode == 0, done.stdout.decode()
        return f"{engine.token}:{name}"

    return derive


@dataclass(frozen=True, kw_only=True)
class Container:
    """A running container."""

    engine: Engine
    name: str
    port: int

    def log(self) -> str:
        return self.engine.must("logs", self.name)

    def state(self, key: str) -> str:
        return self.engine.must("inspect", "--format", f"{{{{.State.{key}}}}}", self.name).strip()

    @property
    def url(self) -> str:
        address = self.engine.must("port", self.name, f"{self.port}/tcp").splitlines()[0]
        return f"http://127.0.0.1:{address.rpartition(':')[2]}"

    def wait_until_healthy(self, path: str = "/") -> None:
        """Wait for an answer, and fail at once if the container has ended."""
        give_up = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(requests.RequestException, AssertionError):
                if requests.get(self.url + path, timeout=5).ok:
                    return
            assert self.state("Running") == "true", f"it ended with exit code {self.state('ExitCode')}\n{self.log()}"
            assert time.monotonic() < give_up, f"no answer in {PATIENCE} s\n{self.log()}"
            time.sleep(0.1)

    def wait_for_end(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        give_up = time.monotonic() + PATIENCE
        while self.state("Running") == "true":
            assert time.monotonic() < give_up, f"it is still running\n{self.log()}"
            time.sleep(0.1)
        return int(self.state("ExitCode"))

    def wait_for_log(self, texts: Sequence[str]) -> str:
        """Wait until all texts are in the log (the engine writes it a moment later), and return the log."""
        give_up = time.monotonic() + 15
        while True:
            log = self.log()
            missing = [text for text in texts if text not in log]
            if not missing:
                return log
            assert time.monotonic() < give_up, f"not in the log: {missing}\n{log[-20_000:]}"
            time.sleep(0.2)


@contextlib.contextmanager
def running(
    engine: Engine,
    image: str,
    *,
    port: int = 5001,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> Iterator[Container]:
    """Start a container with files in its app root, and remove it at the end."""
    container = Container(engine=engine, name=f"{engine.token}-{uuid.uuid4().hex[:8]}", port=port)
    variables = [f"--env={key}={value}" for key, value in (environment or {}).items()]
    engine.must("create", "--name", container.name, f"--publish=127.0.0.1::{port}", *variables, *options, image)
    try:
        if files:
            engine.must("cp", "-", f"{container.name}:{APP_ROOT}", stdin=archive(files))
        engine.must("start", container.name)
        yield container
    finally:
        engine.docker("rm", "--force", "--volumes", container.name)


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar archive of files (path → content) that everybody may read, with their folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, 1000, 1000
            tar.addfile(entry)
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o644, 1000, 1000
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def ask(url: str, request: Request, session: requests.Session) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of the answer; the status is 0 if the answer was cut."""
    try:
        answer = session.request(
            request.method, url + request.path, data=request.data, headers=dict(request.headers), timeout=PATIENCE
        )
    except requests.exceptions.ChunkedEncodingError:
        return 0, b""
    return answer.status_code, answer.content


def ask_all(container: Container, wanted: Sequence[Request], *, kept_connection: bool = False) -> None:
    """Send requests one after the other, and assert what they are answered."""
    url, kept = container.url, requests.Session()
    for request in wanted:
        with ThreadPoolExecutor(request.times) as pool:
            sessions = [kept if kept_connection else requests.Session() for _ in range(request.times)]
            answers = list(pool.map(ask, [url] * request.times, [request] * request.times, sessions))
        for status, body in answers:
            said = f"{request.method} {request.path} {str(request.body)[:100]} → {status} {body[:300]!r}"
            if request.cut:
                assert status in (0, 200, 500), said
                continue
            assert status == request.status, f"{said}\n{container.log()[-10_000:]}"
            if request.answer is not ANYTHING:
                assert json.loads(body) == request.answer, said
            if request.raw is not None:
                assert body == (request.raw.encode() if isinstance(request.raw, str) else request.raw), said
            assert request.check is None or request.check(body), said


def assert_stops(container: Container, *, code: int = 0, grace: int = 20) -> None:
    """Assert that SIGTERM ends it, and that its exit code is ``code``; after ``grace`` seconds it is killed (137)."""
    container.engine.must("stop", "--time", str(grace), container.name)
    actual = int(container.state("ExitCode"))
    assert actual == code, f"exit code {actual} (137: killed after {grace} s)\n{container.log()[-5_000:]}"


@pytest.mark.parametrize("case", in_ci_or_thorough(SCORES))
def test_a_scoring_script(
    case: Score, engine: Engine, image_with: Callable[..., str], company_image: Callable[[str], str], tmp_path: Path
) -> None:
    image = image_with(case.needs)
    if case.adds:
        lines = (f"FROM {company_image(image)}", f"RUN pip install --no-cache-dir {' '.join(case.adds)}", "")
        done = engine.build("\n".join(lines), tmp_path, case.name)
        assert done.returncode == 0, done.stdout.decode()
        image = f"{engine.token}:{case.name}"
    files = {path: content if isinstance(content, bytes) else content.encode() for path, content in case.files.items()}
    files[case.entry] = (FOLDER / "scripts" / case.script).read_bytes()
    for path, maker in case.made.items():
        program = (FOLDER / "makers" / maker).read_text(encoding="utf-8")
        made = subprocess.run(
            ["docker", "run", "--rm", image, "python", "-c", program],
            env=dict(engine.environment), stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        files[path] = made.stdout
    environment = {"AZUREML_ENTRY_SCRIPT": case.entry, **case.environment}
    with running(engine, image, files=files, environment=environment, options=case.options) as container:
        if case.exit_code is not None:
            assert container.wait_for_end() == case.exit_code, container.log()
            container.wait_for_log(case.log)
            return
        container.wait_until_healthy()
        ask_all(container, case.requests, kept_connection=case.kept_connection)
        assert requests.get(container.url, timeout=5).text == "Healthy"
        log = container.wait_for_log(case.log)
        unwanted = [text for text in case.not_in_log if text in log]
        assert not unwanted, f"in the log: {unwanted}\n{log[-10_000:]}"
        boots = len(re.findall("Booting worker with pid", log))
        assert boots == case.boots, f"{boots} workers were started\n{log[-10_000:]}"
        assert_stops(container)


@pytest.mark.parametrize("case", in_ci_or_thorough(DOCKERFILES))
def test_a_dockerfile(
    case: Derived, engine: Engine, image_with: Callable[..., str], company_image: Callable[[str], str]
) -> None:
    image = image_with(case.needs)
    text = (FOLDER / "dockerfiles" / case.dockerfile).read_text(encoding="utf-8")
    base = company_image(image) if case.network else image
    done = engine.build(text, FOLDER / "dockerfiles/context", case.name, f"--build-arg=IMAGE={base}")
    output = done.stdout.decode(errors="replace")
    if case.build_fails:
        assert done.returncode != 0, "it builds"
        assert case.build_fails in output, output
        return
    assert done.returncode == 0, output
    with running(engine, f"{engine.token}:{case.name}", port=case.port, options=case.options) as container:
        container.wait_until_healthy()
        ask_all(container, case.requests)
        container.wait_for_log(case.log)
        assert_stops(container, code=case.stop_code, grace=case.grace)
