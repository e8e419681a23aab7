"""The needs of ELF files: libraries, a glibc, a loader.  Reads files (pyelftools); runs nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile


@dataclass(frozen=True, kw_only=True)
class Elf:
    """One executable or shared library."""

    #: As pyelftools calls it: ``x64``.
    machine: str
    #: The loader that an executable names: ``/lib64/ld-linux-x86-64.so.2``; None for a library.
    loader: str | None
    #: The sonames that it needs, in its order.
    needed: tuple[str, ...]
    #: The newest glibc whose symbols it uses: ``(2, 34)``; None where it uses none.
    glibc: tuple[int, int] | None
    #: Whether it has debug information.
    debug: bool


def read(path: Path) -> Elf | None:
    """Read the needs of an ELF file; None where the file is not ELF.

    Raises:
        OSError: The file cannot be read.
    """
    # Here: `check` imports this module, and reads no ELF file.
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None
        try:
            elf = ELFFile(stream)
            loader: str | None = None
            needed: list[str] = []
            for segment in elf.iter_segments():
                if isinstance(segment, InterpSegment):
                    loader = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    # pyelftools sets the attribute when it reads the tag.
                    needed += [str(tag.needed) for tag in segment.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
            return Elf(
                machine=elf.get_machine_arch(),
                loader=loader,
                needed=tuple(needed),
                glibc=_glibc(elf),
                debug=elf.get_section_by_name(".debug_info") is not None,
            )
        except ELFError:
            return None


def _glibc(elf: ELFFile) -> tuple[int, int] | None:
    from elftools.elf.gnuversions import GNUVerNeedSection

    section = elf.get_section_by_name(".gnu.version_r")
    if not isinstance(section, GNUVerNeedSection):
        return None
    found = [
        (int(match[1]), int(match[2]))
        for _, versions in section.iter_versions()
        for version in versions
        if (match := re.match(r"^GLIBC_(\d+)\.(\d+)", version.name))
    ]
    return max(found, default=None)
