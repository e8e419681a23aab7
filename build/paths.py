"""Where files are: the tool's own, the project's, and the state that runs keep (``.pipeline/``, not committed).

The tool's files (templates, scripts, image tests) and the project's (matrix, locks, generated files) are two values,
so that the tool can run on another repository: the variable ``INFERENCE_IMAGES_PROJECT`` names it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: The folder of the project, if it is not the tool's own checkout.
PROJECT_VARIABLE = "INFERENCE_IMAGES_PROJECT"


@dataclass(frozen=True, kw_only=True)
class ToolPaths:
    """The files of the tool itself. All absolute; a run changes none of them."""

    root: Path

    @property
    def dockerfile_templates(self) -> Path:
        return self.root / "image" / "templates"

    @property
    def scripts(self) -> Path:
        """The scripts that run while an image is built."""
        return self.root / "image" / "scripts"

    @property
    def start(self) -> Path:
        """The start layer: the files that start the server in every image."""
        return self.root / "image" / "start"

    @property
    def image(self) -> Path:
        """The hand-written files of the images, which build contexts are in."""
        return self.root / "image"

    @property
    def registry(self) -> Path:
        """The build context of the embedded registry."""
        return self.root / "image" / "registry"

    @property
    def catalogue_templates(self) -> Path:
        return self.root / "build" / "catalogue" / "templates"

    @property
    def image_tests(self) -> Path:
        """The tests that every image must pass."""
        return self.root / "tests" / "images"

    @property
    def scoring(self) -> Path:
        """The scoring scripts of the tests, one for each framework."""
        return self.image_tests / "scoring"


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The files of one project: a matrix and what is made from it. All absolute."""

    root: Path

    @property
    def matrix(self) -> Path:
        return self.root / "matrix.yaml"

    @property
    def schema(self) -> Path:
        return self.root / "matrix.schema.json"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def dockerfiles(self) -> Path:
        return self.root / "dockerfiles"

    @property
    def environments(self) -> Path:
        """The curated environments, one folder an image."""
        return self.root / "environments"

    @property
    def scoring(self) -> Path:
        """Scoring scripts that take the place of the tool's, or are for frameworks that it does not know."""
        return self.root / "scoring"

    @property
    def image(self) -> Path:
        """The tool's folder of that name, or a link to it: the bake file names build contexts in it."""
        return self.root / "image"

    @property
    def bake_file(self) -> Path:
        return self.root / "docker-bake.hcl"

    @property
    def images_record(self) -> Path:
        """What the registry had when the catalogue was last made."""
        return self.root / "docs" / "images.json"

    @property
    def images_table(self) -> Path:
        """All images in tables."""
        return self.root / "docs" / "images.md"

    @property
    def state(self) -> Path:
        """What runs leave behind: bases, logs, reports. Not committed, may be deleted at any time."""
        return self.root / ".pipeline"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def reports(self) -> Path:
        return self.state / "reports"

    @property
    def rootfs(self) -> Path:
        """Bootstrapped root file systems, one folder a base: the build contexts of the base images."""
        return self.state / "rootfs"

    @property
    def tools(self) -> Path:
        """The uv binary that the builder stages install packages with."""
        return self.state / "tools"

    @property
    def wheels(self) -> Path:
        """Wheels fetched from extra wheel sources, one folder a source."""
        return self.state / "wheels"


def tool() -> ToolPaths:
    """The files of the checkout that this package is in."""
    return ToolPaths(root=Path(__file__).resolve().parent.parent)


def repository() -> Paths:
    """The project: the folder that ``INFERENCE_IMAGES_PROJECT`` names, from the tool's root, or the tool's checkout."""
    named = os.environ.get(PROJECT_VARIABLE, "").strip()
    return Paths(root=(tool().root / Path(named).expanduser()).resolve() if named else tool().root)


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader sees the old file or the new one, never a part.

    Args:
        path: The file; its folder is made if it is missing.
        text: The whole content, written as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
