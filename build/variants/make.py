"""Make the variant of one cell, or tell why it cannot be built.  Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build import platforms as markers
from build.matrix.model import NO_VERSION, Framework, Lifecycle, Matrix, Patch
from build.matrix.origins import Wheels
from build.variants.cell import Cell, cell_name
from build.variants.variant import Variant


class Impossible(NamedTuple):
    """Why there can be no variant, and the key of the framework version that is to blame."""

    what: str
    key: str


def make(matrix: Matrix, cell: Cell) -> Variant | Impossible:
    """A cell's variant, or why there can be none."""
    framework: Framework = matrix.frameworks[cell.framework]
    version = framework.versions[cell.version]
    base = matrix.bases[cell.base]
    cuda = matrix.cuda.get(cell.device)
    lifecycle = _joint(version.lifecycle, base.lifecycle, *([cuda.lifecycle] if cuda else []))
    if lifecycle is None:
        on = f"on the base '{cell.base}'" + (f" with '{cell.device}'" if cuda else "")
        return Impossible(f"{on} its end of life comes before its release", "lifecycle")
    cuda_origin = cuda and cuda.origin_on(cell.base)
    if cuda and isinstance(cuda_origin, Wheels) and not (cuda.packages or version.gpu.cuda_packages):
        what = f"'{cell.device}' has no image for the base '{cell.base}', no wheels and no Debian packages"
        return Impossible(what, "devices")
    if cuda_origin and (misfit := cuda_origin.misfit(cell.base, base.origin)):
        return Impossible(f"'{cell.device}' {misfit}", "devices")
    pins = version.cpu if cuda is None else version.gpu
    server = _pins(matrix.server.contract, base.python)
    own = _pins((*pins.contract, *version.contract), base.python)
    guards = [*matrix.server.guards, *framework.guards, *version.guards, *pins.guards]
    name = cell_name(matrix, cell)
    source = pins.wheel_source or framework.wheel_source
    variant = Variant(
        name=name,
        repository=f"{matrix.project.namespace}/{name}",
        framework=cell.framework,
        framework_title=framework.title,
        version=None if cell.version == NO_VERSION else cell.version,
        device=cell.device,
        cuda=cuda
        and cuda.model_copy(update={"packages": list(_pins(version.gpu.cuda_packages or cuda.packages, base.python))}),
        base_name=cell.base,
        base=base,
        built_on=base,
        base_image=f"{cell.base}-{cell.device}" if cuda_origin and cuda_origin.own_base_image else cell.base,
        contract=tuple(dict.fromkeys((*server, *_pins(framework.contract, base.python), *own))),
        guards=tuple(
            guard.model_copy(update={"pin": pin}) for guard in guards for pin in _pins([guard.pin], base.python)
        ),
        wheel_sources=() if source is None else ((source, matrix.wheel_sources[source]),),
        lifecycle=lifecycle,
        server_contract=server,
        own_contract=own,
    )
    return replace(variant, left_out=_left_out(matrix.patches, variant.requirements))


def _left_out(patches: Iterable[Patch], requirements: Sequence[str]) -> tuple[str, ...]:
    """What patches take out of the metadata of the distributions that are pinned here, and nothing else pins."""
    pinned = {canonicalize_name(Requirement(text).name): Requirement(text).specifier for text in requirements}
    found = []
    for patch in patches:
        name, _, version = patch.distribution.partition("==")
        specifier = pinned.get(canonicalize_name(name))
        if patch.file.endswith(".dist-info/METADATA") and specifier and specifier.contains(version):
            kept = patch.replace.splitlines()
            found += [
                canonicalize_name(match[1])
                for line in patch.find.splitlines()
                if line not in kept and (match := re.match(r"Requires-Dist:\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line))
            ]
    return tuple(name for name in dict.fromkeys(found) if name not in pinned)


def _pins(texts: Iterable[str], python: str) -> tuple[str, ...]:
    """The requirements that hold for a Python, without their environment markers."""
    kept = []
    for text in texts:
        requirement = Requirement(text)
        if requirement.marker is None:
            kept.append(text)
        elif markers.holds(requirement.marker, python):
            requirement.marker = None
            # The maintainer's own spelling; a URL may have a ';' of its own.
            kept.append(str(requirement) if requirement.url else text.split(";", 1)[0].strip())
    return tuple(kept)


def _joint(*parts: Lifecycle) -> Lifecycle | None:
    """The lifecycle of a version on a base, for a CUDA: it begins with the last of them and ends with the first.

    None where it would begin after its end.
    """

    def least(dates: Iterable[datetime.date | None]) -> datetime.date | None:
        return min((date for date in dates if date), default=None)

    released = max((part.released for part in parts if part.released), default=None)
    end = least(part.end_of_life for part in parts)
    deprecated = least(part.deprecated for part in parts)
    if released and end and released > end:
        return None
    if deprecated:
        # Deprecated from its first day on, at the earliest, and by its end, at the latest.
        deprecated = min(max(deprecated, released or deprecated), end or datetime.date.max)
    return Lifecycle.model_validate({"released": released, "deprecated": deprecated, "end-of-life": end})
