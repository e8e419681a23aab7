"""Whether the CUDA of each GPU image is what the matrix says and what its framework was built with, when it is locked.

A framework that finds another CUDA than its own loads, and fails at the first kernel, on a GPU that no test here has.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.checkout.project import Project
from build.errors import LockError
from build.locks.lock import Lock, LockedPackage
from build.packages import cuda
from build.packages import metadata as wheel_metadata
from build.system import console, state
from build.variants.variant import Variant

#: Wheels whose metadata is read at once: it waits for the index.
_AT_ONCE = 4


def check(project: Project, locks: Mapping[str, Lock]) -> None:
    """Compare new locks with the matrix, and with the metadata of the frameworks in them.

    Args:
        project: The checkout.
        locks: Path of the lock → lock, as the resolver just made them.

    Raises:
        LockError: The CUDA of some images contradicts itself or the framework; all of them, in words.
        NetworkError: A wheel's metadata cannot be read.
    """
    made = {lock.title: lock for lock in locks.values()}
    pairs = [(variant, made[variant.name]) for variant in project.variants if variant.cuda and variant.name in made]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        sentences = list(pool.map(lambda pair: _sentences(project, *pair), pairs))
    images: dict[str, list[str]] = {}
    places: list[str] = []
    for (variant, _), said in zip(pairs, sentences, strict=True):
        for sentence in said:
            images.setdefault(sentence, []).append(variant.name)
        place = project.loaded.where("cuda", variant.device)
        if said and place not in places:
            places.append(place)
    if images:
        raise LockError(
            "CUDA pins that contradict each other: an image would have another CUDA than it needs or says",
            where="; ".join(places),
            fix="pin what the framework was built with: under 'cuda', or for this framework version alone under "
            "gpu.cuda-packages; nothing was written",
            details="\n".join(f"{sentence} ({', '.join(names)})" for sentence, names in images.items()),
        )


def _sentences(project: Project, variant: Variant, lock: Lock) -> list[str]:
    assert variant.cuda is not None
    versions = lock.versions()
    found = cuda.disagreements(variant.cuda, versions, elsewhere=bool(variant.cuda.debian or variant.cuda.images))
    own = {canonicalize_name(Requirement(text).name) for text in variant.own_contract}
    for package in lock.packages:
        if package.name in own and not cuda.is_cuda(package.name) and package.url is not None:
            what = f"{package.name} {package.version}"
            try:
                found += cuda.contradictions(what, _requires(project, package), versions, variant.base.python)
            except wheel_metadata.NotServedError as failure:
                console.warn(f"{variant.name}: its CUDA was not compared with what {what} asks for: {failure.what}")
    return found


def _requires(project: Project, package: LockedPackage) -> tuple[str, ...]:
    """What a locked wheel requires; read once, as a hash says which file it was."""
    file = project.paths.state / "metadata" / f"{package.sha256}.json"
    known = state.read_json(file)
    if known and isinstance(known.get("requires"), list):
        return tuple(known["requires"])
    assert package.url is not None
    found = wheel_metadata.requires(package.url)
    state.write_json(file, {"wheel": package.filename, "requires": list(found)})
    return found
