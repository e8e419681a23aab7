"""Put pip into a new virtual environment, for `python -m venv`: a copy of the pip in the image's own environment.

Debian's Python has no `ensurepip`; its package `python3-venv` would add 3 MB to each image, with an older pip. Where
that package is installed later, Python finds its `ensurepip`, a folder, before this file.
"""

from __future__ import annotations

import argparse
import csv
import glob
import os
import shutil
import sys
import sysconfig

#: The image's environment; its pip comes from the image's lock, or is what the user replaced it with.
IMAGE = "/opt/venv"

SCRIPT = """\
#!{python}
import sys

from pip._internal.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""


def site_packages(environment: str) -> str:
    """Return the folder of an environment's packages."""
    return os.path.join(environment, "lib", "python{}.{}".format(*sys.version_info[:2]), "site-packages")


def version() -> str:
    """Return the version of pip that `bootstrap` installs.

    Raises:
        SystemExit: The image's environment has no pip.
    """
    return os.path.basename(_metadata())[len("pip-") : -len(".dist-info")]


def _metadata() -> str:
    found = glob.glob(os.path.join(site_packages(IMAGE), "pip-*.dist-info"))
    if not found:
        sys.exit(
            f"ensurepip: {IMAGE}, from which pip is copied, has none: create the environment with "
            "`python -m venv --without-pip`, or install Debian's python3-venv"
        )
    return found[0]


def bootstrap() -> None:
    """Install pip into the environment of this interpreter, if it has none.

    Raises:
        SystemExit: This is not a virtual environment, or the image's environment has no pip.
    """
    if sys.prefix == sys.base_prefix:
        sys.exit("ensurepip: this is the system's Python: create a virtual environment with `python -m venv`")
    source, target = _metadata(), sysconfig.get_path("purelib")
    if glob.glob(os.path.join(target, "pip-*.dist-info")):
        return
    shutil.copytree(os.path.join(os.path.dirname(source), "pip"), os.path.join(target, "pip"))
    copied = os.path.join(target, os.path.basename(source))
    shutil.copytree(source, copied)
    scripts = sysconfig.get_path("scripts")
    names = ["pip", "pip{}".format(*sys.version_info), "pip{}.{}".format(*sys.version_info)]
    for name in names:
        path = os.path.join(scripts, name)
        with open(path, "w") as file:
            file.write(SCRIPT.format(python=sys.executable))
        os.chmod(path, 0o755)
    _list_scripts(
        os.path.join(copied, "RECORD"), [os.path.relpath(os.path.join(scripts, name), target) for name in names]
    )


def _list_scripts(record: str, scripts: list[str]) -> None:
    """Replace the lines of scripts in RECORD: another interpreter in the first line gives another hash."""
    with open(record, encoding="utf-8", newline="") as file:
        lines = [line for line in csv.reader(file) if line and not line[0].startswith("..")]
    with open(record, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([*([script, "", ""] for script in scripts), *lines])


def main(arguments: list[str]) -> None:
    """Run `python -m ensurepip`, with the options that `python -m venv` passes."""
    parser = argparse.ArgumentParser(prog="python -m ensurepip", description="Copy pip from the image's environment.")
    parser.add_argument("--upgrade", "-U", action="store_true", help="ignored")
    parser.add_argument("--default-pip", action="store_true", help="ignored: there is always a `pip`")
    parser.add_argument("--version", action="version", version=f"pip {version()}")
    parser.parse_args(arguments)
    bootstrap()


if __name__ == "__main__":
    main(sys.argv[1:])
