"""The project that the unit tests open: a matrix and locks of its own, which do not follow the project's matrix.yaml.

The locks hold real packages, but not all that the images would need.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from build.checkout.project import open_project
from build.commands import generated_files
from build.paths import Paths

PATHS = Paths(root=Path(__file__).resolve().parent / "project")
PROJECT = open_project(PATHS)
#: The smallest image of the fixture project.
MINIMAL = "minimal-debian12-py311-cpu-inference"
SKLEARN = "sklearn-1.9-debian12-py311-cpu-inference"


def copy_project(target: Path) -> Paths:
    """Copy the fixture project into a new folder and generate its files there.

    Args:
        target: A folder that does not exist.

    Returns:
        The paths of the copy.
    """
    shutil.copytree(PATHS.root, target)
    paths = Paths(root=target)
    generated_files.write(open_project(paths))
    return paths
