"""What worked in Microsoft's images and has no effect in these: a line in the log for each, with what to do instead."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from typing import Iterator, Mapping

#: Extra services of runit.
SERVICES = "/var/runit/*/run"
#: The image's own commands; a second environment in front of it on PATH may have others of the same name.
COMMANDS = ("azmlinfsrv", "gunicorn")
#: Variables that Microsoft's start-up script reads → what to do instead.
VARIABLES = {
    "AML_SERVER_ROOT": "the image has its own server; put your code into AML_APP_ROOT",
}
ENVIRONMENT = "AZUREML_CONDA_ENVIRONMENT_PATH"


def lines(environment: Mapping[str, str], services: str = SERVICES, prefix: str = sys.prefix) -> Iterator[str]:
    """Yield a line for each thing that is ignored.

    Args:
        environment: The container's variables.
        services: The pattern of the services' files.
        prefix: The image's Python environment.
    """
    for service in sorted(glob.glob(services)):
        if os.access(service, os.X_OK):
            yield (
                f"{service} is not started: this image has no runit; run the service in a container of its own, "
                "or start it from a script that ends with `exec start-server`"
            )
    for command in COMMANDS:
        first = shutil.which(command, path=environment.get("PATH"))
        if first and not os.path.realpath(first).startswith(os.path.realpath(prefix) + os.sep):
            yield (
                f"{first} is not used: the server of {prefix} is started; install your packages there with "
                f"{prefix}/bin/pip, or set AZUREML_EXTRA_PYTHON_LIB_PATH to a folder of packages"
            )
            break  # the other one is in the same environment
    for name, instead in VARIABLES.items():
        if environment.get(name):
            yield f"{name}={environment[name]} has no effect: {instead}"
    value = environment.get(ENVIRONMENT)
    if value and os.path.realpath(value) != os.path.realpath(prefix):
        yield (
            f"{ENVIRONMENT}={value} has no effect: the packages of {prefix} are used; install yours there with "
            f"{prefix}/bin/pip, or set AZUREML_EXTRA_PYTHON_LIB_PATH to a folder of packages"
        )


def report(environment: Mapping[str, str]) -> None:
    """Print the lines, and where to read more."""
    for line in lines(environment):
        print(f"start-server: ignored: {line}", file=sys.stderr, flush=True)
