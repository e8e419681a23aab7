"""Recipes: the hash of everything that determines an image, and of nothing that does not.

The same on two machines and in two clones: no path, no time, no commit, no comment goes in.  Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The platform of every image.
PLATFORM = "linux/amd64"


def recipe_tag(digest: str) -> str:
    """The tag under which an image of this recipe is found: ``recipe-1f2e3d4c5b6a7988``.

    Args:
        digest: The recipe: at least 16 hexadecimal digits.
    """
    return f"recipe-{digest[:16]}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What determines an image, field by field, and its hash."""

    inputs: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the inputs as canonical JSON."""
        text = json.dumps(self.inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tag(self) -> str:
        """``recipe_tag`` of its digest."""
        return recipe_tag(self.digest)


def content(text: str) -> str:
    """SHA-256 of what a Dockerfile or script does: its text without comments and blank lines."""
    lines = text.splitlines()
    kept = [
        line.rstrip()
        for number, line in enumerate(lines)
        if line.strip() and (not line.lstrip().startswith("#") or (number == 0 and line.startswith("#!")))
    ]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def base(
    *,
    dockerfile: str,
    scripts: Mapping[str, str],
    start: Mapping[str, str],
    bootstrap: Sequence[str],
    packages: Sequence[str],
    prefix: str | None = None,
) -> Recipe:
    """The recipe of a base.

    Args:
        dockerfile: The base's Dockerfile (for an ``image`` base it names the digest).
        scripts: Script name → text, of those that go into it.
        start: The files of the start layer, which the base carries: path → text.
        bootstrap: mmdebstrap's arguments; empty for an ``image`` base.
        packages: The Debian packages in it, ``name=version``; empty for an ``image`` base.
        prefix: The Python that is not the distribution's: its version and its content's digest.
    """
    inputs: dict[str, Any] = {
        "platform": PLATFORM,
        "dockerfile": content(dockerfile),
        "scripts": {name: content(text) for name, text in scripts.items()},
        "start": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in start.items()},
        "bootstrap": list(bootstrap),
        "debian": sorted(packages),
    }
    if prefix is not None:
        inputs["prefix"] = prefix
    return Recipe(inputs=inputs)


def cuda_base(*, dockerfile: str, scripts: Mapping[str, str], base: Recipe) -> Recipe:
    """The recipe of a base with Debian packages of CUDA on it.

    Args:
        dockerfile: Its Dockerfile, which names the packages and their versions.
        scripts: Script name → text, of those that install them.
        base: The recipe of what it stands on.
    """
    return Recipe(
        inputs={
            "platform": PLATFORM,
            "dockerfile": content(dockerfile),
            "scripts": {name: content(text) for name, text in scripts.items()},
            "base": base.digest,
        }
    )


def builder(*, dockerfile: str, scripts: Mapping[str, str], uv: str, python: str) -> Recipe:
    """The recipe of what installs packages into layers.

    Of the base it was made from only Python counts: wheels are unpacked, nothing is compiled against its
    libraries, so a security update of Debian leaves package layers as they are.

    Args:
        dockerfile: The builder's Dockerfile.
        scripts: Script name → text, of those that run in it.
        uv: SHA-256 of uv's wheel.
        python: The exact Python: Debian's package version, the prefix's digest, or the base image's reference.
    """
    return Recipe(
        inputs={
            "platform": PLATFORM,
            "dockerfile": content(dockerfile),
            "scripts": {name: content(text) for name, text in scripts.items()},
            "uv": uv,
            "python": python,
        }
    )


def compiler(*, dockerfile: str, scripts: Mapping[str, str], build_requirements: str) -> Recipe:
    """The recipe of what builds source-only packages, beside that of the builder it stands on.

    Args:
        dockerfile: The compiler's Dockerfile.
        scripts: Script name → text, of those that make it.
        build_requirements: The requirements, with hashes, that the packages are built with.
    """
    return Recipe(
        inputs={
            "platform": PLATFORM,
            "dockerfile": content(dockerfile),
            "scripts": {name: content(text) for name, text in scripts.items()},
            "build": content(build_requirements),
        }
    )


def image(
    *,
    dockerfile: str,
    layers: Mapping[str, str],
    base: Recipe,
    builder: Recipe,
    compiler: Recipe | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Recipe:
    """The recipe of an image.

    Args:
        dockerfile: Its Dockerfile.
        layers: Layer name (which tells its patches) → requirements text.
        base: The base's recipe.
        builder: The builder's recipe.
        compiler: The compiler's recipe, where a layer has source-only packages.
        scripts: Script name → text, of those that its Dockerfile runs beside the builder's own.
    """
    inputs: dict[str, Any] = {
        "platform": PLATFORM,
        "dockerfile": content(dockerfile),
        "layers": {name: content(text) for name, text in layers.items()},
        "base": base.digest,
        "builder": builder.digest,
    }
    if compiler:
        inputs["compiler"] = compiler.digest
    if scripts:
        inputs["scripts"] = {name: content(text) for name, text in scripts.items()}
    return Recipe(inputs=inputs)
