"""Make the variant of one cell, or tell why it cannot be built.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name

from build import requirements
from build.matrix.frameworks import FrameworkVersion, Guard
from build.matrix.lifecycle import joint
from build.matrix.model import Matrix, Patch
from build.matrix.origins import Wheels
from build.matrix.sources import Cuda
from build.matrix.values import NO_VERSION
from build.variants.cell import Cell, cell_name
from build.variants.variant import Variant

_REQUIRES_DIST = re.compile(r"Requires-Dist:\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, kw_only=True)
class Impossible:
    """A cell that cannot be built."""

    #: Why, in one sentence.
    what: str
    #: The key of the framework version that is to blame.
    key: str


def make(matrix: Matrix, cell: Cell) -> Variant | Impossible:
    """Return the variant of a cell, or why it cannot be built.

    Args:
        matrix: The matrix; all names in it are defined.
        cell: One of its cells.
    """
    framework = matrix.frameworks[cell.framework]
    version = framework.versions[cell.version]
    base = matrix.bases[cell.base]
    cuda = matrix.cuda.get(cell.device)
    parts = [version.lifecycle, base.lifecycle, *([base.prefix.lifecycle] if base.prefix else [])]
    lifecycle = joint(*parts, *([cuda.lifecycle] if cuda else []))
    if lifecycle is None:
        on = f"on the base '{cell.base}'" + (f" with '{cell.device}'" if cuda else "")
        return Impossible(what=f"{on} its end of life comes before its release", key="lifecycle")
    origin = cuda.origin_on(cell.base) if cuda else None
    if cuda and isinstance(origin, Wheels) and not (cuda.packages or version.gpu.cuda_packages):
        what = f"'{cell.device}' has no image for the base '{cell.base}', no wheels and no Debian packages"
        return Impossible(what=what, key="devices")
    if origin and (misfit := origin.misfit(cell.base, base.origin)):
        return Impossible(what=f"'{cell.device}' {misfit}", key="devices")
    pins = version.cpu if cuda is None else version.gpu
    server = _pins(matrix.server.contract, base.python)
    own = _pins((*pins.contract, *version.contract), base.python)
    name = cell_name(matrix, cell)
    source = pins.wheel_source or framework.wheel_source
    variant = Variant(
        name=name,
        repository=f"{matrix.project.namespace}/{name}",
        framework=cell.framework,
        framework_title=framework.title,
        version=None if cell.version == NO_VERSION else cell.version,
        device=cell.device,
        cuda=cuda and _cuda(cuda, version, base.python),
        base_name=cell.base,
        base=base,
        build_base=base,
        base_image_name=f"{cell.base}-{cell.device}" if origin and origin.own_base_image else cell.base,
        contract=tuple(dict.fromkeys((*server, *_pins(framework.contract, base.python), *own))),
        guards=_guards([*matrix.server.guards, *framework.guards, *version.guards, *pins.guards], base.python),
        wheel_sources=() if source is None else ((source, matrix.wheel_sources[source]),),
        lifecycle=lifecycle,
        server_contract=server,
        own_contract=own,
        reach=tuple(version.gpu.reach) if cuda else (),
    )
    return replace(variant, left_out=_left_out(matrix.patches, variant.requirements))


def _pins(texts: Iterable[str], python: str) -> tuple[str, ...]:
    """Return the requirements that hold for a Python, without their environment markers."""
    kept = (requirements.without_marker(text, python) for text in texts)
    return tuple(text for text in kept if text is not None)


def _guards(guards: Iterable[Guard], python: str) -> tuple[Guard, ...]:
    """Return the guards that hold for a Python, without their environment markers."""
    return tuple(guard.model_copy(update={"pin": pin}) for guard in guards for pin in _pins([guard.pin], python))


def _cuda(cuda: Cuda, version: FrameworkVersion, python: str) -> Cuda:
    """Return a CUDA version with the wheels of a framework version, where it names its own."""
    return cuda.model_copy(update={"packages": list(_pins(version.gpu.cuda_packages or cuda.packages, python))})


def _left_out(patches: Iterable[Patch], pins: Sequence[str]) -> tuple[str, ...]:
    """Return the distributions that patches remove from the metadata of pinned ones, unless they are pinned as well."""
    removed: list[str] = []
    names: set[str] | None = None
    for patch in patches:
        if not patch.file.endswith(".dist-info/METADATA"):
            continue
        name, _, version = patch.distribution.partition("==")
        names = names or {requirements.distribution_name(text) for text in pins}
        if canonicalize_name(name) not in names:
            continue
        pin = [text for text in pins if requirements.distribution_name(text) == canonicalize_name(name)][-1]
        specifier = requirements.parse(pin).specifier
        if specifier and specifier.contains(version):
            kept = patch.replace.splitlines()
            removed += [
                canonicalize_name(match[1])
                for line in patch.find.splitlines()
                if line not in kept and (match := _REQUIRES_DIST.match(line))
            ]
    return tuple(name for name in dict.fromkeys(removed) if name not in (names or ()))
