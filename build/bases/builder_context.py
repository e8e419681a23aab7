"""The build context of the stage that installs packages: the Python of its base, kept while that stays the same.

Effects: links or copies files to ``.pipeline/builder/<base>``.
"""

from __future__ import annotations

import shutil

from build.bases.local import LocalBase
from build.bases.prefix_files import HEADERS, RUNTIME
from build.matrix.origins import BaseOrigin, Bootstrapped, PrefixPython
from build.paths import write_atomically


def prepare(local: LocalBase, python: str) -> None:
    """Put the root file system and the prefix of a base where its builder stage takes them from.

    They stay the same while the Python stays the same, so that a security update of Debian leaves the package layers
    in the engine's cache (``build.images.recipe.builder`` says why that is right).

    Args:
        local: The base, with its files prepared.
        python: The identity of its Python.
    """
    names = _files(local.origin)
    if not names:
        return
    target = local.builder_folder
    stamp = target / "python.txt"
    complete = all((target / name).is_file() for name in names)
    if complete and stamp.is_file() and stamp.read_text(encoding="utf-8") == python:
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        source, incoming = local.folder / name, target / f"incoming-{name}"
        incoming.unlink(missing_ok=True)
        try:
            incoming.hardlink_to(source)
        except OSError:
            shutil.copy2(source, incoming)
        incoming.replace(target / name)
    write_atomically(stamp, python)


def _files(origin: BaseOrigin) -> list[str]:
    names = [LocalBase.ROOTFS] if isinstance(origin, Bootstrapped) else []
    if isinstance(origin.python, PrefixPython):
        names += [RUNTIME, HEADERS]
    return names


def shares_rootfs(local: LocalBase) -> bool:
    """Tell whether the builder stage has the very root file system of the base: then one copy serves both."""
    if not isinstance(local.origin, Bootstrapped):
        return False  # files of the time when it was bootstrapped may still be there
    try:
        return local.rootfs_file.samefile(local.builder_folder / LocalBase.ROOTFS)
    except FileNotFoundError:
        return False
