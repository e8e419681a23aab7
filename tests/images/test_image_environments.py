"""pip keeps the server's packages within what they need of each other, and users can make environments of their own."""

from __future__ import annotations

import subprocess

import pytest
from image_container import Container, archive, docker
from image_plan import Image
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tiny_package import TinyPackage, wheelhouse

pytestmark = pytest.mark.depends("base")

#: A package that each version of the server accepts only below some version.
CAPPED = TinyPackage(name="flask", version="9999.1")
#: The folder with its wheel.
WHEELS = "/tmp/wheels-of-environments"
INSTALL = ("pip", "install", "--disable-pip-version-check", "--no-index", f"--find-links={WHEELS}", "--no-deps")


@pytest.fixture(scope="module")
def wheels(container: Container) -> Container:
    """The running container, with a wheel of a version that the server does not accept."""
    container.must_run()
    docker("exec", container.id, "mkdir", "-p", WHEELS)
    docker("cp", "-", f"{container.id}:{WHEELS}", stdin=archive(wheelhouse(CAPPED)))
    return container


def run(container: Container, *command: str, variables: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run a command in the container; return its exit code and its output."""
    flags = [f"--env={variable}" for variable in variables]
    done = subprocess.run(
        ["docker", "exec", *flags, container.id, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.depends("image")  # its lock
def test_constraints_fit_the_lock(image: Image, container: Container, environment: dict[str, str]) -> None:
    """They are ranges around the locked versions, and contain what the server itself needs."""
    container.must_run()
    path = f"{environment['AZUREML_CONDA_ENVIRONMENT_PATH']}/server-constraints.txt"
    lines = docker("exec", container.id, "cat", path).splitlines()
    constraints = [Requirement(line.partition("#")[0]) for line in lines if not line.startswith("#")]
    names = {one.name for one in constraints}
    assert {"flask", "gunicorn", "inference-schema", "werkzeug"} <= names, f"only {', '.join(sorted(names))}"
    broken = [
        f"{one} (locked: {image.lock[one.name]})"
        for one in constraints
        if not one.specifier.contains(image.lock[canonicalize_name(one.name)], prereleases=True)
    ]
    assert not broken, f"constraints that the image does not meet: {', '.join(broken)}"


def test_pip_does_not_break_the_server(wheels: Container) -> None:
    """Neither as an upgrade, which then does nothing, nor by an explicit version, which pip refuses."""
    code, output = run(wheels, *INSTALL, "--dry-run", "--upgrade", CAPPED.name)
    assert code == 0, output
    assert "Would install" not in output, output
    code, output = run(wheels, *INSTALL, "--dry-run", f"{CAPPED.name}=={CAPPED.version}")
    assert code != 0, output
    assert "(constraint)" in output, f"pip does not say that a constraint is the reason: {output}"


def test_users_can_replace_the_constraints(wheels: Container) -> None:
    code, output = run(
        wheels, *INSTALL, "--dry-run", f"{CAPPED.name}=={CAPPED.version}", variables=("PIP_CONSTRAINT=/dev/null",)
    )
    assert code == 0, output
    assert f"would install {CAPPED.name}-{CAPPED.version}" in output.lower(), output


def test_another_environment(wheels: Container) -> None:
    """`python -m venv` makes one with pip, without a network, and the server's constraints do not apply to it."""
    other = "/tmp/other-environment"
    script = f"python -m venv {other} && cd {other}/bin && PATH=$PWD:$PATH && {' '.join(INSTALL)} {CAPPED.name}"
    code, output = run(wheels, "sh", "-c", f"{script} && pip --version && pip check && pip uninstall --yes pip")
    assert code == 0, output
    assert f"Successfully installed {CAPPED.name}-{CAPPED.version}" in output, output
    assert f"from {other}/" in output, f"pip is not that of the new environment: {output}"
    code, output = run(wheels, "sh", "-c", f"ls {other}/bin/pip* {other}/lib/python*/site-packages/pip*")
    assert code != 0, f"pip leaves files behind: {output}"
