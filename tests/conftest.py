"""Shared by the tests: the engine, a scratch copy of the checkout, and the command line as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
import uv
from filelock import FileLock

from build.builder.registry_image import build_registry
from build.checkout import project
from build.engine.connect import Connection, connect
from build.engine.find import require
from build.errors import EngineError
from build.paths import Paths, repository
from build.variants.select import Selection

ROOT = Path(__file__).resolve().parent.parent
#: Where a checkout remembers the results of foundations (`build.verify.foundation`).
FOUNDATIONS = Path(".pipeline/reports/foundations")
#: Files that no command reads: a quarter of all, and each test has a checkout of its own.
NOT_COPIED = ("tests/unit/", "tests/project/", "tests/pipeline/", "tests/user_code/")


# Background jobs of a shell ignore Ctrl-C, and so do the processes that they start; the tests of Ctrl-C need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A builder that is set for other projects must not build what the tests ask for.
os.environ.pop("BUILDX_BUILDER", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--thorough`, for the tests that take too long for CI."""
    parser.addoption("--thorough", action="store_true", help="also run the tests that take too long for CI")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the pipeline's tests, and leave out the thorough ones unless asked for."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/pipeline"):
            item.add_marker(pytest.mark.pipeline)
    if not config.getoption("--thorough"):
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def one_screen(self) -> str:
        """Return the output, after asserting that it has no traceback and fits on a screen."""
        assert "Traceback" not in self.text, self.text
        assert len(self.err.splitlines()) <= 60, self.err
        return self.text


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A copy of this repository in another folder, with the bases that are already bootstrapped here."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> Paths:
        return Paths(root=self.root)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "build", *arguments]

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, **self.environment, **(extra or {})}

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Ran:
        """Run a command of the pipeline in this checkout, and wait for its end."""
        done = subprocess.run(
            [*prefix, *self.command(*arguments)],
            cwd=self.root,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command in the background; `wait_for` reads its standard error."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file that must contain it."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} does not contain {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")


def wait_for(process: subprocess.Popen[str], text: str, *, seconds: float = 240) -> str:
    """Read a started command's standard error until a line has ``text``; return all that was read."""
    assert process.stderr is not None
    seen: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        line = process.stderr.readline()
        seen.append(line)
        if text in line:
            return "".join(seen)
        if not line:
            break
    raise AssertionError(f"{text!r} was not printed:\n{''.join(seen)}")


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.1)


def interrupt(process: subprocess.Popen[str], *, seconds: float = 60) -> Ran:
    """Send a started command the signal of Ctrl-C, and wait for its end."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=seconds)
    return Ran(code=process.returncode, out=out, err=err)


def copy_checkout(target: Path) -> Checkout:
    """Copy the files that git tracks or would track and that commands read, and link those that were bootstrapped."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith(NOT_COPIED) and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    # Without their bytecode the first command would compile all modules again.
    for file in [*ROOT.glob("build/**/__pycache__/*.pyc"), *ROOT.glob("tests/images/__pycache__/*.pyc")]:
        (target / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target / file.relative_to(ROOT))
    for name in ("rootfs", "builder", "tools", "wheels"):
        source = ROOT / ".pipeline" / name
        if source.is_dir():
            shutil.copytree(source, target / ".pipeline" / name, copy_function=link_large)
    link_foundations(target)
    return Checkout(root=target)


def link_foundations(target: Path) -> None:
    """Share the results of the tests of a base and server layer: they run once, in whichever checkout."""
    (ROOT / FOUNDATIONS).mkdir(parents=True, exist_ok=True)
    (target / FOUNDATIONS).parent.mkdir(parents=True, exist_ok=True)
    (target / FOUNDATIONS).symlink_to(ROOT / FOUNDATIONS)


def link_large(source: str, target: str) -> None:
    """Link a large file, which runs replace and never write into; copy a small one."""
    if Path(source).stat().st_size > 1_000_000:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A scratch copy of the checkout for one test."""
    root = tmp_path_factory.mktemp("clone") / "repository"
    root.mkdir()
    yield copy_checkout(root)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def connection() -> Connection:
    """The engine that `nox -s engine` starts or finds; without one the test fails."""
    try:
        return connect(require())
    except EngineError as failure:
        reason = f"no engine: {failure.what}; start one with: nox -s engine"
    pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def engine_client(connection: Connection) -> docker.DockerClient:
    """The engine's client."""
    return connection.client


@pytest.fixture(scope="session")
def registry_image(connection: Connection, bases_here: None) -> str:
    """The image of the embedded registry, built on a base of this checkout."""
    opened = project.open_project(repository())
    with this_checkout():
        return build_registry(opened, connection=connection, log=opened.paths.logs / "build-registry.log")


@pytest.fixture(scope="session")
def bases_here(connection: Connection) -> None:
    """Bootstrap the bases of the default group, once, in this checkout, and build the smallest images on them.

    If two clones that know nothing of each other load a new base into the engine at once, it refuses one of them.
    """
    opened = project.open_project(repository())
    bases = sorted({variant.base_name for variant in opened.select(Selection(group="default"))})
    cpu = [each for each in opened.variants if each.framework == "minimal" and each.device == "cpu"]
    smallest = [each.name for each in cpu if each.base_name in bases]
    with this_checkout():
        for arguments in (("bases", *(f"--base={name}" for name in bases)), ("build", *smallest)):
            done = Checkout(root=ROOT).run(*arguments)
            assert done.code == 0, done.text


def this_checkout() -> FileLock:
    """Return the lock under which tests run commands in this checkout: of two at a time, one would be refused."""
    return FileLock(ROOT / ".pipeline/tests.lock")


def take_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that returns ports of 127.0.0.1 that nothing listens on."""
    return take_port


def environment_of(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Create an environment with the locked requirements of a folder of tests, and return its Python."""
    environment = tmp_path_factory.mktemp("libraries") / "venv"
    python = str(environment / "bin/python")
    for arguments in (
        ("venv", str(environment)),
        ("pip", "sync", "--require-hashes", "--python", python, str(folder / "requirements.txt")),
    ):
        done = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A function that runs a script of tests/examples with the platforms' libraries.

    They are 60 packages for this alone, so they are not among the requirements of everybody who builds an image.
    """
    folder = ROOT / "tests/examples"
    python = environment_of(folder, tmp_path_factory)

    def run(script: str, *arguments: str) -> str:
        done = subprocess.run([python, str(folder / script), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
