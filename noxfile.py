"""What a person runs: each session calls `python -m build` with what stands after `--`.

pip install nox && nox -s engine pipeline     # build, test and publish the default images
pip install nox && nox -s engine tests        # the project's own tests
nox -s list                                   # the images; `nox -l` lists all sessions
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2022.11.21"
nox.options.default_venv_backend = "none"  # one environment for all sessions, made by `prepare`
nox.options.sessions = ["list"]

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = str(ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
#: Ctrl-C: what runs gets this long to stop its builds and containers (seconds).
PATIENCE = 30.0


def prepare(session: nox.Session) -> None:
    """Install the pinned dependencies into the one environment that all sessions share, where they changed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nox may run on an older Python than the pipeline needs
        session.error(f"Python 3.11 or newer is needed; nox runs on {sys.version.split()[0]}")
    requirements = ROOT / "requirements.txt"
    stamp = ENVIRONMENT / "installed.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        session.log("installing the pinned dependencies into .venv")
        session.run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT), silent=True)
        pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
        session.run(*pip, "--requirement", str(requirements), silent=True)
        stamp.write_text(wanted)


def python(session: nox.Session, *arguments: str) -> None:
    """Run a module in the environment, with time to clean up after Ctrl-C."""
    path = os.pathsep.join([str(Path(PYTHON).parent), os.environ.get("PATH", "")])
    session.run(
        PYTHON,
        *("-m", *arguments),
        env={"PATH": path},
        interrupt_timeout=PATIENCE,
        terminate_timeout=PATIENCE,
    )


def command(name: str) -> None:
    """Make the session `name`, which runs the command of that name."""

    def run(session: nox.Session) -> None:
        prepare(session)
        arguments = session.posargs
        if name == "engine" and any(item in sys.argv for item in OTHERS):
            arguments = []  # `nox -s engine pipeline -- --all`: what stands after -- is the pipeline's
        python(session, "build", name, *arguments)

    run.__doc__ = SESSIONS[name]
    nox.session(name=name)(run)


SESSIONS = {
    "engine": "Find a Docker engine with BuildKit, or install and start one (--status, --stop).",
    "list": "Show the images of the matrix (--json).",
    "lock": "Resolve every image's packages into locks/ (--check, --bases).",
    "generate": "Write Dockerfiles, layer files, bake file, environments, schema and docs/images.md.",
    "check": "Fail where a generated file is not what the matrix gives.",
    "bases": "Bootstrap the Debian bases.",
    "build": "Build images.",
    "verify": "Test built images in running containers.",
    "publish": "Push verified images to the registry.",
    "pipeline": "Check, build, verify, publish.",
    "catalogue": "Write docs/images.md and a site of all images (--output, --offline).",
    "bench": "Measure against plain Dockerfiles.",
}
OTHERS = (SESSIONS.keys() | {"tests"}) - {"engine"}
for _name in SESSIONS:
    command(_name)


@nox.session
def tests(session: nox.Session) -> None:
    """The project's own tests: lint, types, units, and the pipeline on a real engine and registry."""
    prepare(session)
    if session.posargs:
        python(session, "pytest", *session.posargs)
        return
    python(session, "ruff", "check", ".")
    python(session, "mypy")
    python(session, "pytest", "tests/unit", "tests/project", "--numprocesses", "auto")
    python(session, "pytest", "tests/pipeline")  # one by one: they share the engine, and measure what it has
