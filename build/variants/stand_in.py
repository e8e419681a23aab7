"""Stand-in bases: images are built on another base than their own, because theirs cannot be reached.

A company that cannot reach Docker Hub builds the images of ``ubuntu:18.04`` on its own base with the same Python,
from the same Dockerfiles and locks with another ``FROM``.  Labels of the image tell it, and it gets no rolling tag
unless the user asks for it.  Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from packaging.version import Version

from build.errors import UsageError
from build.matrix.problems import nearest
from build.matrix.reader import LoadedMatrix
from build.matrix.sources import Base
from build.variants.variant import Variant


def parse(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Tell the two meanings of ``--base`` apart.

    Args:
        texts: The values of the option: ``debian12-py311`` selects, ``ubuntu18.04=debian12-py37`` stands in.

    Returns:
        The bases to select, and pairs of a base and its stand-in.

    Raises:
        UsageError: A side of ``=`` is empty, or one base has two stand-ins.
    """
    selected = tuple(text for text in texts if "=" not in text)
    pairs: dict[str, str] = {}
    for text in texts:
        if "=" not in text:
            continue
        name, _, other = text.partition("=")
        if not name or not other:
            raise UsageError(f"'--base {text}' is not a stand-in", fix="write --base <its base>=<stand-in>")
        if pairs.setdefault(name, other) != other:
            raise UsageError(f"two stand-ins for the base '{name}': {pairs[name]} and {other}", fix="give one of them")
    return selected, tuple(pairs.items())


def apply(
    variants: Sequence[Variant], stand_ins: Sequence[tuple[str, str]], loaded: LoadedMatrix
) -> tuple[Variant, ...]:
    """Return the variants with stand-ins in place of their bases.

    Args:
        variants: The selected variants.
        stand_ins: Pairs of a base and its stand-in.
        loaded: The matrix.

    Raises:
        UsageError: A base is not defined, a stand-in has another Python or an older glibc than the locks are for, or
            none of the variants is on the base.
    """
    bases = loaded.matrix.bases
    for name, other in stand_ins:
        for text in (name, other):
            if text not in bases:
                raise UsageError(
                    f"the base '{text}' of --base {name}={other} is not defined",
                    where=loaded.where("bases"),
                    fix=nearest(text, bases, called="bases"),
                )
        if name == other:
            raise UsageError(f"the base '{name}' stands in for itself", fix="remove --base")
        _check(name, bases[name], other, bases[other], loaded)
        if not any(variant.base_name == name for variant in variants):
            raise UsageError(
                f"--base {name}={other}: no selected image is on the base '{name}'",
                fix="select some: their names, or --group; nox -s list shows each image's base",
            )
    pairs = dict(stand_ins)
    return tuple(
        variant
        if variant.base_name not in pairs
        else dataclasses.replace(
            variant,
            stand_in=pairs[variant.base_name],
            build_base=bases[pairs[variant.base_name]],
            base_image_name=pairs[variant.base_name],
        )
        for variant in variants
    )


def _check(name: str, base: Base, other: str, stand_in: Base, loaded: LoadedMatrix) -> None:
    if stand_in.python != base.python:
        same = [key for key, item in loaded.matrix.bases.items() if item.python == base.python and key != name]
        raise UsageError(
            f"'{other}' cannot stand in for '{name}': it has Python {stand_in.python}, the locks are for {base.python}",
            where=loaded.where("bases", other, "python"),
            fix=f"bases with Python {base.python}: {', '.join(same) or 'none; define one under bases:'}",
        )
    if Version(stand_in.glibc) < Version(base.glibc):
        raise UsageError(
            f"'{other}' cannot stand in for '{name}': its glibc is {stand_in.glibc}, the locked wheels may need "
            f"{base.glibc}",
            where=loaded.where("bases", other, "glibc"),
            fix="use a base with a newer glibc",
        )
