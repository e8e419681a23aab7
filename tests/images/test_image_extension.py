"""Packages that users add without a new image (a folder, a requirements file), and mistakes in doing so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from image_container import Container, Start, docker
from image_plan import Image
from scoring_scripts import Wanted, script, start_all, wait_for_end
from tiny_package import TinyPackage, below, wheelhouse

pytestmark = pytest.mark.depends("base")

SCRIPT = script("packages.py")
LIBRARY, REQUIREMENTS, CONDA = (
    "AZUREML_EXTRA_PYTHON_LIB_PATH",
    "AZUREML_EXTRA_REQUIREMENTS_TXT",
    "AZUREML_EXTRA_CONDA_YAML",
)
#: A pure-Python package of every image that the server does not import: the tests replace it with other versions.
OF_THE_IMAGE = "pytz"
#: Another one, which is not replaced.
UNTOUCHED = "idna"
OLDER = TinyPackage(name=OF_THE_IMAGE, version="0.1")
NEWER = TinyPackage(name=OF_THE_IMAGE, version="9999.1")
BY_FOLDER = TinyPackage(name="tiny_by_folder", version="1.0")
BY_PIP = TinyPackage(name="tiny_by_pip", version="1.0")
LATER = TinyPackage(name="tiny_later", version="1.0")
BOTH_IN_FOLDER = TinyPackage(name="tiny_by_both", version="2.0")
#: A package of the server that it cannot use: the module is empty, and the version is out of range.
UNUSABLE = TinyPackage(name="flask", version="9999.1")
BOTH_BY_PIP = TinyPackage(name="tiny_by_both", version="3.0")

#: The folder for packages where the image's environment is not writable.
EXTRA_FOLDER = "/tmp/inference-server-packages/"


def requirements(*packages: TinyPackage) -> bytes:
    """Return a requirements file that needs no index: the wheels are next to it."""
    return "\n".join(
        ["--no-index", "--find-links wheels", *(f"{one.name}=={one.version}" for one in packages), ""]
    ).encode()


FOLDER = below("lib", BY_FOLDER.files, OLDER.files)
PIP = {"requirements.txt": requirements(BY_PIP, NEWER), **below("wheels", wheelhouse(BY_PIP, NEWER, LATER))}
UNUSABLE_PIP = {"requirements.txt": requirements(UNUSABLE), **below("wheels", wheelhouse(UNUSABLE))}
#: With a read-only file system, the code is in a volume.
READ_ONLY = ("--read-only", "--volume=/var/azureml-app")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to add packages."""

    files: dict[str, bytes]
    environment: dict[str, str]
    options: Sequence[str] = ()


GOOD = {
    # Relative to the script, not to the app root.
    "folder": Case(
        files=below("code", {"score.py": SCRIPT}, FOLDER),
        environment={"AZUREML_ENTRY_SCRIPT": "code/score.py", LIBRARY: "lib"},
        options=(*READ_ONLY, "--network=none"),
    ),
    "requirements": Case(
        files=below("code", {"score.py": SCRIPT}, PIP),
        environment={"AZUREML_ENTRY_SCRIPT": "code/score.py", REQUIREMENTS: "requirements.txt"},
    ),
    "both": Case(
        files={
            "main.py": SCRIPT,
            "requirements.txt": requirements(BY_PIP, BOTH_BY_PIP),
            **below("wheels", wheelhouse(BY_PIP, BOTH_BY_PIP)),
            **below("lib", BY_FOLDER.files, BOTH_IN_FOLDER.files),
        },
        environment={LIBRARY: "/var/azureml-app/lib", REQUIREMENTS: "/var/azureml-app/requirements.txt"},
    ),
    "requirements, read-only root": Case(
        files={"main.py": SCRIPT, **PIP},
        environment={REQUIREMENTS: "requirements.txt"},
        options=(*READ_ONLY, "--tmpfs=/tmp"),
    ),
    "requirements, random user": Case(
        files={"main.py": SCRIPT, **PIP},
        environment={REQUIREMENTS: "requirements.txt"},
        options=("--user=12345:0",),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A mistake, and the message and exit code that it must give."""

    environment: dict[str, str]
    code: int
    #: Parts of the one line that the start-up code prints.
    says: Sequence[str]
    files: dict[str, bytes] = field(default_factory=dict)
    options: Sequence[str] = ()
    #: What pip prints before it.
    pip_says: str | None = None


WRONG = {
    "no such folder": Wrong(environment={LIBRARY: "no/lib"}, code=97, says=[LIBRARY, "/var/azureml-app/no/lib"]),
    "a file as folder": Wrong(
        environment={LIBRARY: "main.py"}, code=97, says=[LIBRARY, "/var/azureml-app/main.py", "not a directory"]
    ),
    "no such requirements": Wrong(
        environment={REQUIREMENTS: "no.txt"}, code=99, says=[REQUIREMENTS, "/var/azureml-app/no.txt"]
    ),
    "conda": Wrong(environment={CONDA: "conda.yml"}, code=98, says=[CONDA, REQUIREMENTS]),
    "pip fails": Wrong(
        files={"requirements.txt": requirements(TinyPackage(name="tiny_missing", version="1.0"))},
        environment={REQUIREMENTS: "requirements.txt"},
        code=95,
        says=["/var/azureml-app/requirements.txt"],
        pip_says="No matching distribution found for tiny_missing==1.0",
    ),
    "a module with the name of one of the server's": Wrong(
        files={"lib/flask.py": b"x = 1\n"},
        environment={LIBRARY: "lib"},
        code=97,
        says=[LIBRARY, "/var/azureml-app/lib/flask.py", "rename it"],
    ),
    "half a package": Wrong(
        files={"lib/gunicorn/__init__.py": b"from gunicorn.missing import x\n"},
        environment={LIBRARY: "lib"},
        code=97,
        says=[LIBRARY, "/var/azureml-app/lib/gunicorn/__init__.py", "gunicorn.missing"],
    ),
    "a package that the server cannot use": Wrong(
        files=below("lib", UNUSABLE.files),
        environment={LIBRARY: "lib"},
        code=97,
        says=[LIBRARY, "has flask 9999.1, but azureml-inference-server-http ", "needs flask"],
    ),
    "a requirement that the server cannot use": Wrong(
        files=UNUSABLE_PIP,
        environment={REQUIREMENTS: "requirements.txt"},
        code=95,
        says=["/var/azureml-app/requirements.txt", "flask==9999.1", "the server needs flask", "azureml-inference-"],
        pip_says="(constraint)",
    ),
    "a requirement that the server cannot use, read-only root": Wrong(
        files=UNUSABLE_PIP,
        environment={REQUIREMENTS: "requirements.txt"},
        options=(*READ_ONLY, "--tmpfs=/tmp"),
        code=95,
        says=["/var/azureml-app/requirements.txt", "flask==9999.1", "the server needs flask"],
        pip_says="(constraint)",
    ),
    "a requirement that the server cannot use, without constraints": Wrong(
        files=UNUSABLE_PIP,
        environment={REQUIREMENTS: "requirements.txt", "PIP_CONSTRAINT": "/dev/null"},
        code=95,
        says=[
            "/var/azureml-app/requirements.txt installs flask 9999.1",
            "azureml-inference-server-http ",
            "needs flask",
        ],
        pip_says="Successfully installed flask-9999.1",
    ),
    "nowhere to install": Wrong(
        files=PIP,
        environment={REQUIREMENTS: "requirements.txt"},
        options=READ_ONLY,
        code=95,
        says=["/var/azureml-app/requirements.txt", "--tmpfs /tmp:exec"],
    ),
}


@dataclass(frozen=True, kw_only=True)
class Started:
    """The containers of this module. They are started side by side."""

    good: dict[str, Container]
    wrong: dict[str, Container]


@pytest.fixture(scope="module")
def started(start: Start) -> Started:
    wrong = {
        # They end by themselves, and no mistake is about the network, which takes long to set up.
        name: Wanted(
            files={"main.py": SCRIPT, **case.files},
            environment=case.environment,
            options=(*case.options, "--network=none"),
        )
        for name, case in WRONG.items()
    }
    good = {
        name: Wanted(files=case.files, environment=case.environment, options=tuple(case.options))
        for name, case in GOOD.items()
    }
    containers = start_all(start, {**wrong, **good})
    return Started(
        wrong={name: containers[name] for name in wrong},
        good={name: containers[name] for name in good},
    )


def seen(container: Container, *names: str) -> dict[str, Any]:
    """Return what the scoring script sees of packages."""
    packages: dict[str, Any] = container.ask({"packages": names})["packages"]
    return packages


def must_be(package: Any, version: str) -> None:
    """The imported module and the installed distribution must both have this version."""
    versions = (package["imported"], package["installed"])
    assert versions == (version, version), (
        f"{package['file']} has version {versions[0]}, the distribution {versions[1]}; expected {version}"
    )


def test_a_folder_of_packages(started: Started) -> None:
    """It comes before the image's own packages, even with an older version; no network or writable folder is needed."""
    packages = seen(started.good["folder"], BY_FOLDER.name, OLDER.name, UNTOUCHED)
    must_be(packages[BY_FOLDER.name], BY_FOLDER.version)
    must_be(packages[OLDER.name], OLDER.version)
    assert packages[BY_FOLDER.name]["file"].startswith("/var/azureml-app/code/lib/")


def test_requirements(started: Started, environment: dict[str, str]) -> None:
    """They are installed into the image's environment and replace its own versions."""
    packages = seen(started.good["requirements"], BY_PIP.name, NEWER.name)
    must_be(packages[BY_PIP.name], BY_PIP.version)
    must_be(packages[NEWER.name], NEWER.version)
    place = environment["AZUREML_CONDA_ENVIRONMENT_PATH"]
    assert packages[BY_PIP.name]["file"].startswith(f"{place}/"), f"installed at {packages[BY_PIP.name]['file']}"


def test_a_folder_and_requirements(started: Started) -> None:
    """The folder comes first. The paths in this test are absolute."""
    packages = seen(started.good["both"], BY_FOLDER.name, BY_PIP.name, BOTH_IN_FOLDER.name)
    must_be(packages[BY_FOLDER.name], BY_FOLDER.version)
    must_be(packages[BY_PIP.name], BY_PIP.version)
    must_be(packages[BOTH_IN_FOLDER.name], BOTH_IN_FOLDER.version)


@pytest.mark.parametrize("condition", ["read-only root", "random user"])
def test_requirements_where_the_environment_is_not_writable(
    started: Started, image: Image, environment: dict[str, str], condition: str
) -> None:
    """They go into another folder, which comes before the image's own packages; those are still importable."""
    packages = seen(started.good[f"requirements, {condition}"], BY_PIP.name, NEWER.name, UNTOUCHED)
    must_be(packages[BY_PIP.name], BY_PIP.version)
    must_be(packages[NEWER.name], NEWER.version)
    assert packages[NEWER.name]["file"].startswith(EXTRA_FOLDER), f"installed at {packages[NEWER.name]['file']}"
    place, version = packages[UNTOUCHED]["file"], packages[UNTOUCHED]["installed"]
    expected = environment["AZUREML_CONDA_ENVIRONMENT_PATH"]
    assert version == image.lock[UNTOUCHED], f"{UNTOUCHED} {image.lock[UNTOUCHED]} of the image became {version}"
    assert place.startswith(f"{expected}/"), f"{UNTOUCHED} came from {place}, not from the image"


def test_pip_in_a_running_container(started: Started) -> None:
    """The image's own user can run ``pip install``."""
    container = started.good["requirements"]
    container.ask({"packages": []})
    wheel = f"/var/azureml-app/code/wheels/{LATER.wheel_name}"
    docker("exec", container.id, "pip", "install", "--disable-pip-version-check", "--no-index", wheel)
    must_be(seen(container, LATER.name)[LATER.name], LATER.version)


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_ends_the_container(started: Started, mistake: str) -> None:
    """It ends with the exit code of the mistake, and the last line of the log explains it."""
    wrong = WRONG[mistake]
    container = started.wrong[mistake]
    code, log = wait_for_end(container), container.logs()
    assert code == wrong.code, f"exit code {code}, not {wrong.code}: {log}"
    *before, last = log.splitlines() or [""]
    missing = [words for words in wrong.says if words not in last]
    assert last.startswith("start-server: "), f"the log ends with: {last}"
    assert not missing, f"the last line does not contain {' or '.join(missing)}: {last}"
    if wrong.pip_says is None:
        # Other things that the start names, each in a line (no folder is writable).
        others = [line for line in before if not line.startswith("start-server: ")]
        assert not others, f"expected one line that explains the mistake, got: {log}"
    else:
        assert wrong.pip_says in "\n".join(before), f"pip's error is not before it: {log}"
        assert "Traceback" not in log, f"the log has a traceback: {log}"
