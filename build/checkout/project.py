"""A project: its matrix, read and expanded into images, and their locks.  Every command starts here."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from build.errors import LeftOut, LockError
from build.images.image import Image, make_image
from build.locks.lock import Lock
from build.locks.store import LockStore
from build.matrix.model import Matrix
from build.matrix.reader import LoadedMatrix, load
from build.paths import Paths, ToolPaths
from build.paths import tool as tool_paths
from build.platforms import LINUX_AMD64, Platform
from build.variants import cuda_base_images, stand_in
from build.variants.cuda_base_images import CudaBaseImage
from build.variants.expand import expand
from build.variants.names import group_members
from build.variants.select import Selection, select
from build.variants.variant import Variant

#: The group that build, verify, publish and pipeline select by default.
DEFAULT_GROUP = "default"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project with its matrix read and expanded."""

    tool: ToolPaths
    paths: Paths
    loaded: LoadedMatrix
    #: The platform that its images are made for.
    platform: Platform = LINUX_AMD64
    #: All images of the matrix, by name.
    variants: tuple[Variant, ...]

    @functools.cached_property
    def locks(self) -> LockStore:
        """The project's locks; each file is read once."""
        return LockStore(paths=self.paths)

    @property
    def matrix(self) -> Matrix:
        return self.loaded.matrix

    @property
    def exclude_newer(self) -> str:
        """ISO date: locks see the index as of the start of this day (UTC)."""
        return self.matrix.project.exclude_newer.isoformat()

    def select(
        self, selection: Selection, *, default_group: str | None = None, today: datetime.date | None = None
    ) -> tuple[Variant, ...]:
        """Return the selected images by name, on their stand-in bases where the selection names some.

        Args:
            selection: What the user selected.
            default_group: The group that is selected if the user selected nothing.
            today: The day that lifecycles are compared with; the current one (UTC) if None.

        Raises:
            UsageError: Nothing matches, or a stand-in does not fit.
        """
        selected = select(self.variants, selection, self.matrix.groups, default_group, today)
        return stand_in.apply(selected, selection.stand_ins, self.loaded)

    def variant(self, name: str) -> Variant:
        """Return the image of this name, which must exist."""
        return self._by_name[name]

    @functools.cached_property
    def _by_name(self) -> dict[str, Variant]:
        return {variant.name: variant for variant in self.variants}

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return group name → image names."""
        return {name: group_members(self.variants, globs) for name, globs in self.matrix.groups.items()}

    def lock_path(self, variant: Variant) -> str:
        """Return the path of an image's lock from the project's root, whether or not it exists."""
        return self.locks.relative(variant.base_name, variant.name)

    def lock(self, variant: Variant) -> Lock:
        """Return the lock of an image.

        Raises:
            LockError: It does not exist, or the file is not a valid lock.
        """
        return self.locks.image(variant)

    def images(self, variants: Sequence[Variant]) -> tuple[Image, ...]:
        """Return images with their locks, their packages grouped into layers.

        Raises:
            LockError: A lock does not exist, or is not valid.
        """
        return tuple(self._image(variant) for variant in variants)

    def usable_images(self, variants: Sequence[Variant]) -> tuple[tuple[Image, ...], tuple[LeftOut, ...]]:
        """Return images as ``images`` does, and those that have no valid lock."""
        usable: list[Image] = []
        left_out: list[LeftOut] = []
        for variant in variants:
            try:
                usable.append(self._image(variant))
            except LockError as failure:
                left_out.append(LeftOut(name=variant.name, why=failure))
        return tuple(usable), tuple(left_out)

    def _image(self, variant: Variant) -> Image:
        return make_image(
            variant,
            self.lock(variant),
            self.locks.server(variant.base_name),
            layer_order=self.matrix.project.layer_order,
            patches=self.matrix.patches,
        )

    @property
    def bases_with_images(self) -> frozenset[str]:
        """The names of the bases that have images of their own."""
        return frozenset(variant.base_name for variant in self.variants)

    @property
    def bases_with_source_packages(self) -> frozenset[str]:
        """The names of the bases that have a package to build in one of their valid locks."""
        return frozenset(variant.base_name for variant in self.variants if self.locks.has_source_only(variant))

    def build_locks(self, images: Iterable[Image]) -> dict[str, Lock]:
        """Return base name → lock of what source-only packages are built with, for bases of images that have such.

        Raises:
            LockError: A lock does not exist, or is not valid.
        """
        names = {image.variant.base_name for image in images} & self.bases_with_source_packages
        return {name: self.locks.build(name) for name in sorted(names)}

    @property
    def cuda_base_images(self) -> dict[str, CudaBaseImage]:
        """The bases with CUDA in them, by name."""
        return cuda_base_images.of(self.variants)

    def base_image_names(self, variants: Sequence[Variant]) -> tuple[str, ...]:
        """Return the names in the images' ``FROM`` lines, sorted: bases, and bases with CUDA."""
        return tuple(sorted({variant.base_image_name for variant in variants}))

    def build_base_names(self, variants: Sequence[Variant]) -> tuple[str, ...]:
        """Return the names of the bases that the images are built on, sorted."""
        return tuple(sorted({variant.build_base_name for variant in variants}))


def open_project(paths: Paths, tool: ToolPaths | None = None) -> Project:
    """Read a project's matrix.

    Args:
        paths: The project's files.
        tool: The tool's files; those of this checkout if None.

    Raises:
        MatrixError: The matrix is not valid.
    """
    loaded = load(paths.matrix)
    return Project(tool=tool or tool_paths(), paths=paths, loaded=loaded, variants=expand(loaded))
