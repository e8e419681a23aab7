"""Generated files: their content, and whether the committed ones are up to date.

`nox -s generate` writes them and `nox -s check` compares them; both use the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

from build.bases import facts as base_facts
from build.bases.local import local_base
from build.catalogue import record as catalogue_record
from build.catalogue import table as catalogue_table
from build.checkout.project import Project
from build.errors import DriftError, LockError
from build.images import assets, patches
from build.images.dockerfiles import Files
from build.images.image import Image
from build.locks import debian, prefix_python
from build.locks import lock as locks
from build.locks.stale import stale_locks
from build.matrix import reference, schema
from build.matrix.origins import Bootstrapped, DebianPackages
from build.paths import Paths, write_atomically
from build.variants import cuda_base_images
from build.variants.cuda_base_images import CudaBaseImage
from build.variants.variant import Variant

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A committed file that is out of date."""

    #: Relative to the repository's root.
    path: str
    what: str
    #: The command that fixes it.
    fix: str
    #: Of a lock: the images that cannot be made before it is fixed.
    images: frozenset[str] = frozenset()


def files(project: Project, images: Sequence[Image] | None = None) -> dict[str, str]:
    """Return all generated files except the locks: path from the root → content.

    Args:
        project: The project.
        images: The images to list; all if None.

    Raises:
        LockError: A lock is missing.
        MatrixError: A patch matches no lock.
        DriftError: ``docs/images.json`` was edited.
    """
    if images is None:
        images = project.images(project.variants)
        patches.check_used(project.loaded, [package for image in images for package in image.lock.packages])
    content = _of_images(project, images)
    content[str(project.paths.images_table.relative_to(project.paths.root))] = catalogue_table.render(
        images,
        project.matrix,
        catalogue_record.read(project.paths.images_record),
        templates=project.tool.catalogue_templates,
    )
    content["matrix.schema.json"] = schema.schema_text()
    content["docs/matrix.md"] = reference.reference_text()
    return content


def _of_images(project: Project, images: Sequence[Image]) -> dict[str, str]:
    """Return the Dockerfiles, layer files, bake file and environments of some images: path from the root → content."""
    content = Files(
        images=images,
        matrix=project.matrix,
        groups=project.groups(),
        build_locks=project.build_locks(images),
        cuda_base_images={
            name: (base, _cuda_pins(project.paths, base))
            for name, base in cuda_base_images.of([image.variant for image in images]).items()
        },
        templates=project.tool.dockerfile_templates,
        platform=project.platform,
    ).render()
    return content | assets.render(images, project.matrix.project)


def _cuda_pins(paths: Paths, base: CudaBaseImage) -> tuple[str, ...]:
    """Return the Debian packages of CUDA that a base image gets, ``name=version``.

    Raises:
        LockError: They are not recorded.
    """
    if not isinstance(base.origin, DebianPackages):
        return ()
    recorded = debian.recorded(paths, base.name)
    if not recorded:
        raise LockError(
            f"the Debian packages of CUDA of the base {base.name} are not recorded",
            where=str(debian.lock_file(paths, base.name)),
            fix="nox -s lock generate",
        )
    return recorded


def _leftovers(paths: Paths, wanted: dict[str, str]) -> Iterator[str]:
    """Find generated files of images, bases, layers and environments that the matrix no longer has."""
    for file in sorted(paths.dockerfiles.glob("*/Dockerfile")) + sorted(paths.dockerfiles.glob("bases/*/*Dockerfile")):
        relative = str(file.relative_to(paths.root))
        if relative not in wanted and file.read_text(encoding="utf-8").startswith("# Generated from matrix.yaml"):
            yield relative
    others = [*paths.dockerfiles.glob("layers/*/*.*"), *paths.environments.glob("*/environment.yaml")]
    for file in sorted(others):
        relative = str(file.relative_to(paths.root))
        if relative not in wanted:
            yield relative


def drift(project: Project) -> list[Drift]:
    """Return all committed files that are out of date; no network is needed."""
    found = _lock_drift(project, project.variants)
    if any(item.what == "it does not exist" for item in found):
        return found  # the Dockerfiles cannot be rendered without it
    try:
        wanted = files(project)
    except LockError:
        if found:  # with its reason
            return found
        raise
    found += _differences(project.paths, wanted)
    for path in _leftovers(project.paths, wanted):
        found.append(Drift(path=path, what="nothing in the matrix needs this file", fix="nox -s generate"))
    return found


def _lock_drift(project: Project, variants: Sequence[Variant]) -> list[Drift]:
    """Return the locks that do not belong to the matrix, each with those of the images that need it."""
    paths = project.paths
    owners = {project.lock_path(variant): frozenset({variant.name}) for variant in project.variants}
    owners[project.locks.relative(".", locks.TOOLS)] = frozenset(variant.name for variant in variants)

    def on(name: str) -> frozenset[str]:
        return frozenset(
            variant.name
            for variant in variants
            if name in (variant.base_name, variant.base_image_name, variant.build_base_name)
        )

    def images_of(path: str) -> frozenset[str]:
        return owners.get(path) or on(Path(path).parent.name)

    found = [
        Drift(path=path, what="; ".join(reasons), fix="nox -s lock generate", images=images_of(path))
        for path, reasons in stale_locks(project.matrix, project.locks, project.variants).items()
    ]
    for name, base in project.matrix.bases.items():
        if isinstance(base.origin, Bootstrapped) and (
            reasons := _or_damage(debian.stale_base, paths, name, base.origin)
        ):
            path = str(debian.lock_file(paths, name).relative_to(paths.root))
            found.append(Drift(path=path, what="; ".join(reasons), fix="nox -s lock", images=on(name)))
        if reasons := _or_damage(base_facts.stale_python, local_base(project, name)):
            path = str(prefix_python.lock_file(paths, name).relative_to(paths.root))
            found.append(Drift(path=path, what="; ".join(reasons), fix="nox -s lock", images=on(name)))
    for name, cuda_base_image in project.cuda_base_images.items():
        if reasons := _or_damage(debian.stale_cuda, paths, cuda_base_image):
            path = str(debian.lock_file(paths, name).relative_to(paths.root))
            found.append(Drift(path=path, what="; ".join(reasons), fix="nox -s lock generate", images=on(name)))
    wanted_locks = {
        f"locks/{name}/debian.txt" for name, base in project.cuda_base_images.items() if base.origin.kind == "debian"
    }
    wanted_locks |= {project.lock_path(variant) for variant in project.variants}
    wanted_locks |= {f"locks/{name}/{title}.txt" for name in project.matrix.bases for title in ("server", "debian")}
    wanted_locks |= prefix_python.lock_files(project.matrix.bases)
    wanted_locks |= {f"locks/{name}/{locks.BUILD}.txt" for name in project.bases_with_source_packages}
    for file in sorted(paths.locks.glob("*/*.txt")):
        relative = str(file.relative_to(paths.root))
        if relative not in wanted_locks:
            found.append(Drift(path=relative, what="no image of the matrix has this lock", fix="nox -s lock generate"))
    return found


def _or_damage(stale: Callable[P, list[str]], *arguments: P.args, **named: P.kwargs) -> list[str]:
    """Return why a lock is stale; if it is damaged, that."""
    try:
        return stale(*arguments, **named)
    except LockError as failure:
        return [f"{failure.what}; {failure.fix}"]


def _differences(paths: Paths, wanted: Mapping[str, str]) -> Iterator[Drift]:
    """Compare the committed files with their content."""
    for path, text in wanted.items():
        file = paths.root / path
        if not file.is_file():
            yield Drift(path=path, what="it does not exist", fix="nox -s generate")
        elif file.read_bytes() != text.encode():
            committed = file.read_text(encoding="utf-8", errors="replace")
            yield Drift(path=path, what=_first_difference(committed, text), fix="nox -s generate")


def check_drift(project: Project) -> None:
    """Raise if a committed file is out of date.

    Raises:
        DriftError: With the first such files, and the commands that fix them.
    """
    if found := drift(project):
        raise _drift_error(found)


def images_with_stale_locks(project: Project, variants: Sequence[Variant]) -> dict[str, DriftError]:
    """Return those of the images whose locks do not belong to the matrix, each with the reason.

    Args:
        project: The project.
        variants: The selected images.
    """
    return _by_image(_lock_drift(project, variants), variants)


def _by_image(found: Sequence[Drift], variants: Sequence[Variant]) -> dict[str, DriftError]:
    selected = {variant.name for variant in variants}
    return {name: _drift_error([item]) for item in found for name in sorted(item.images & selected)}


def stale_images(project: Project, variants: Sequence[Variant]) -> dict[str, DriftError]:
    """Return the images whose locks do not belong to the matrix, and check the generated files of the others.

    A lock may be out of date because it cannot be made here, for example without its wheel source. Where any lock of
    the matrix is, only the files of the other images are compared, not those that list all images (the bake file,
    docs/images.md).

    Args:
        project: The project.
        variants: The selected images.

    Raises:
        DriftError: A file of all images, or of one of the others, is out of date.
    """
    found = _lock_drift(project, variants)
    if not found:
        check_drift(project)
    stale = _by_image(found, variants)
    if found:
        images = project.images([project.variant(each.name) for each in variants if each.name not in stale])
        wanted = {path: text for path, text in _of_images(project, images).items() if "/" in path}
        if rest := list(_differences(project.paths, wanted)):
            raise _drift_error(rest)
    return stale


def _drift_error(found: Sequence[Drift]) -> DriftError:
    commands = sorted({item.fix for item in found}, key=len, reverse=True)
    if len(found) == 1:
        return DriftError(
            f"a committed file is not up to date with matrix.yaml: {found[0].what}",
            where=found[0].path,
            fix=f"run: {commands[0]}",
        )
    return DriftError(
        f"{len(found)} committed files are not up to date with matrix.yaml",
        where=", ".join(item.path for item in found[:4]) + (" …" if len(found) > 4 else ""),
        fix=f"run: {commands[0]}",
        details="\n".join(f"{item.path}: {item.what}  (to fix it: {item.fix})" for item in found[:20]),
    )


def _first_difference(committed: str, wanted: str) -> str:
    have, want = committed.splitlines(), wanted.splitlines()
    for number in range(max(len(have), len(want))):
        old = have[number] if number < len(have) else "(no line)"
        new = want[number] if number < len(want) else "(no line)"
        if old != new:
            cut = slice(None, 70) if old[:70] != new[:70] else slice(-70, None)
            return f"line {number + 1} is {old[cut]!r}, it should be {new[cut]!r}"
    return "the line ends differ"


def write(project: Project, images: Sequence[Image] | None = None) -> list[str]:
    """Write the files that differ, and remove those that the matrix no longer has; return the changed paths.

    Args:
        project: The project.
        images: The images to write files for, if some have no lock; no file is removed then. All if None.

    Raises:
        LockError: A lock is missing.
    """
    changed = []
    wanted = files(project, images)
    for path, text in wanted.items():
        file = project.paths.root / path
        if not file.is_file() or file.read_bytes() != text.encode():
            write_atomically(file, text)
            changed.append(path)
    for path in list(_leftovers(project.paths, wanted)) if images is None else ():
        file = project.paths.root / path
        file.unlink()
        changed.append(f"{path} (removed)")
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
    return changed
