"""Whether the CUDA in each new lock of a GPU image is the one in the matrix and the one its framework was built with.

A framework loads another CUDA than its own and fails at its first kernel, on a GPU that no test here has.

Effects: reads the metadata of wheels from the index, remembers it in ``.pipeline/metadata``, and prints warnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from build.checkout.project import Project
from build.locks.lock import Lock, LockedPackage
from build.packages import cuda
from build.packages import metadata as wheel_metadata
from build.requirements import distribution_name
from build.system import console, state
from build.variants.variant import Variant

#: Number of wheels whose metadata is read in parallel.
_AT_ONCE = 4


def contradictions(project: Project, locks: Mapping[str, Lock]) -> dict[str, list[str]]:
    """Return what contradicts the matrix or a framework's metadata in new locks: image name → sentences.

    Args:
        project: The project.
        locks: Path of the lock → lock, as the resolver made them.

    Raises:
        NetworkError: A wheel's metadata cannot be read.
    """
    by_title = {lock.title: lock for lock in locks.values()}
    pairs = [(image, by_title[image.name]) for image in project.variants if image.cuda and image.name in by_title]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        problems = list(pool.map(lambda pair: _problems(project, *pair), pairs))
    return {image.name: sentences for (image, _), sentences in zip(pairs, problems, strict=True) if sentences}


def _problems(project: Project, image: Variant, lock: Lock) -> list[str]:
    assert image.cuda is not None
    versions = lock.versions()
    is_elsewhere = bool(image.cuda.debian or image.cuda.images)
    sentences = cuda.disagreements(image.cuda, versions, elsewhere=is_elsewhere)
    own = {distribution_name(text) for text in image.own_contract}
    for package in lock.packages:
        if package.name in own and not cuda.is_cuda(package.name) and package.url is not None:
            release = f"{package.name} {package.version}"
            try:
                sentences += cuda.contradictions(release, _requires(project, package), versions, image.base.python)
            except wheel_metadata.NotServedError as failure:
                console.warn(
                    f"{image.name}: its CUDA pins were not compared with the metadata of {release}: {failure.what}"
                )
    return sentences


def _requires(project: Project, package: LockedPackage) -> tuple[str, ...]:
    """Return the requirements of a locked wheel; each file, known by its hash, is read once."""
    file = project.paths.state / "metadata" / f"{package.sha256}.json"
    known = state.read_json(file)
    if known and isinstance(known.get("requires"), list):
        return tuple(known["requires"])
    assert package.url is not None
    requires = wheel_metadata.requires(package.url)
    state.write_json(file, {"wheel": package.filename, "requires": list(requires)})
    return requires
