"""Recipes: everything that determines an image, and nothing else, as a document with a digest.

The same on two machines and in two clones: no path, no time, no commit goes in, and neither does the engine, its image
store or the compression of layers.  The recipes of what an image is built from are documents inside its own, each with
its digest, so that two recipes can be compared field by field.  Pure.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.platforms import LINUX_AMD64, Platform

#: The version of the documents below; another number tells that fields have other names or meanings.
FORMAT = 2


def recipe_tag(digest: str) -> str:
    """The tag under which an image of this recipe is found: ``recipe-1f2e3d4c5b6a7988``.

    Args:
        digest: The recipe: at least 16 hexadecimal digits.
    """
    return f"recipe-{digest[:16]}"


def inputs_tag(digest: str) -> str:
    """The tag of the document with the inputs of a recipe, next to the images: ``inputs-<recipe>``.

    Args:
        digest: The whole recipe.
    """
    return f"inputs-{digest}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines an image, field by field, and the hash of it."""

    #: Texts, lists and mappings only: it can be written as JSON.
    inputs: Mapping[str, Any]

    @functools.cached_property
    def document(self) -> bytes:
        """The inputs as canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps(self.inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the document."""
        return hashlib.sha256(self.document).hexdigest()

    @property
    def tag(self) -> str:
        """``recipe_tag`` of its digest."""
        return recipe_tag(self.digest)

    @property
    def nested(self) -> dict[str, Any]:
        """This recipe as a document inside that of an image: its digest, and its inputs."""
        return {"sha256": self.digest, "inputs": self.inputs}


@functools.cache
def content(text: str) -> str:
    """SHA-256, hexadecimal, of a text that is only executed: a Dockerfile, a script, a list of requirements.

    Lines that are comments, and empty ones, do not count, so that other words in them build nothing again.  They
    are left out only where no such line can be anything else; otherwise every byte counts.
    """
    lines = text.split("\n")
    kept = lines if _may_quote_lines(lines) else _without_comments(lines)
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def content_of_all(texts: Mapping[str, str]) -> dict[str, str]:
    """``content`` of each text, by the same names."""
    return {name: content(text) for name, text in texts.items()}


def exact(text: str) -> str:
    """SHA-256, hexadecimal, of every byte of a text: of a file that is copied into an image."""
    return hashlib.sha256(text.encode()).hexdigest()


#: What Docker reads from comments (https://docs.docker.com/reference/dockerfile/#parser-directives), and ``#!``.
_DIRECTIVE = re.compile(r"#!|#\s*(syntax|escape|check)\s*=", re.IGNORECASE)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#") and not _DIRECTIVE.match(line)


def _may_quote_lines(lines: Sequence[str]) -> bool:
    """Tell whether a line may be part of a heredoc, or of quoted text that began on a line before it."""
    return any("<<" in line or _opens_a_quotation(line) for line in lines if not _is_comment(line))


def _opens_a_quotation(line: str) -> bool:
    """Tell whether a line has a quotation that it does not close."""
    if "'" not in line and '"' not in line:
        return False
    words = shlex.shlex(line.removesuffix("\\"), posix=True)
    words.commenters = ""
    try:
        list(words)
    except ValueError:
        return True
    return False


def _without_comments(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        # A line that is continued takes even an empty one or a comment as its rest.
        continues = bool(kept) and kept[-1].endswith("\\")
        if continues or (line.strip() and not _is_comment(line)):
            kept.append(line)
    return kept


def _executed(dockerfile: str, scripts: Mapping[str, str], platform: Platform) -> dict[str, Any]:
    """The inputs that every stage has: the format, the platform, and the texts that are executed to make it."""
    return {
        "format": FORMAT,
        "platform": platform.oci,
        "dockerfile": content(dockerfile),
        "scripts": content_of_all(scripts),
    }


def start_files(recipe: Recipe) -> dict[str, str]:
    """The files of the start layer of an image: path below ``image/start`` → SHA-256.

    Args:
        recipe: The recipe of the image.
    """
    inputs = recipe.inputs
    while "start" not in inputs and "base" in inputs:  # a base image with CUDA is made from another one
        inputs = inputs["base"]["inputs"]
    return dict(inputs.get("start", {}))


def debian_packages(recipe: Recipe) -> tuple[str, ...]:
    """The Debian packages of the base of an image, ``name=version``; none for a base from an image.

    Args:
        recipe: The recipe of the image.
    """
    inputs = recipe.inputs
    while "debian" not in inputs and "base" in inputs:  # a base image with CUDA is made from another one
        inputs = inputs["base"]["inputs"]
    return tuple(inputs.get("debian", ()))


def base_image(
    *,
    dockerfile: str,
    scripts: Mapping[str, str],
    start: Mapping[str, str],
    bootstrap: Sequence[str],
    packages: Sequence[str],
    prefix: str | None = None,
    platform: Platform = LINUX_AMD64,
) -> Recipe:
    """The recipe of a base image.

    Args:
        dockerfile: Its Dockerfile (for a base from an image, it names the digest).
        scripts: Script name → text, of those that complete it.
        start: The files of the start layer, which are copied into it: path → text.
        bootstrap: The arguments of mmdebstrap; empty for a base from an image.
        packages: The Debian packages in it, ``name=version``; empty for a base from an image.
        prefix: The identity of its Python, where that is not the distribution's.
        platform: The platform that it is for.
    """
    inputs: dict[str, Any] = {
        **_executed(dockerfile, scripts, platform),
        "start": {name: exact(text) for name, text in start.items()},
        "bootstrap": list(bootstrap),
        "debian": sorted(packages),
    }
    if prefix is not None:
        inputs["prefix"] = prefix
    return Recipe(inputs=inputs)


def cuda_base_image(
    *,
    dockerfile: str,
    scripts: Mapping[str, str],
    base: Recipe,
    platform: Platform = LINUX_AMD64,
) -> Recipe:
    """The recipe of a base image with Debian packages of CUDA on top of another.

    Args:
        dockerfile: Its Dockerfile, which names the packages and their versions.
        scripts: Script name → text, of those that install them.
        base: The recipe of the base image below.
        platform: The platform that it is for.
    """
    return Recipe(
        inputs={
            **_executed(dockerfile, scripts, platform),
            "base": base.nested,
        }
    )


def builder(
    *,
    dockerfile: str,
    scripts: Mapping[str, str],
    uv: str,
    python: str,
    platform: Platform = LINUX_AMD64,
) -> Recipe:
    """The recipe of the stage that installs packages into layers.

    Of the base that it is made from, only the Python counts: wheels are unpacked, nothing is compiled against the
    base's libraries, so a security update of Debian leaves package layers as they are.

    Args:
        dockerfile: The Dockerfile of the stage.
        scripts: Script name → text, of those that run in it.
        uv: SHA-256 of uv's wheel.
        python: The exact Python: Debian's package version, the prefix's identity, or the base image's reference.
        platform: The platform that it is for.
    """
    return Recipe(
        inputs={
            **_executed(dockerfile, scripts, platform),
            "uv": uv,
            "python": python,
        }
    )


def compiler(
    *,
    dockerfile: str,
    scripts: Mapping[str, str],
    build_requirements: str,
    platform: Platform = LINUX_AMD64,
) -> Recipe:
    """The recipe of the stage that builds source-only packages, in addition to that of its builder.

    Args:
        dockerfile: The Dockerfile of the stage.
        scripts: Script name → text, of those that make it.
        build_requirements: The requirements, with hashes, that the packages are built with.
        platform: The platform that it is for.
    """
    return Recipe(
        inputs={
            **_executed(dockerfile, scripts, platform),
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
    platform: Platform = LINUX_AMD64,
) -> Recipe:
    """The recipe of an image.

    Args:
        dockerfile: Its Dockerfile.
        layers: Layer name (which covers its patches) → requirements.
        base: The recipe of its base image.
        builder: The recipe of the stage that installs its packages.
        compiler: The recipe of the stage that builds its source-only packages, where it has any.
        scripts: Script name → text, of those that its Dockerfile runs in addition to the builder's own.
        platform: The platform that it is for.
    """
    inputs: dict[str, Any] = {
        "format": FORMAT,
        "platform": platform.oci,
        "dockerfile": content(dockerfile),
        "layers": content_of_all(layers),
        "base": base.nested,
        "builder": builder.nested,
    }
    if compiler:
        inputs["compiler"] = compiler.nested
    if scripts:
        inputs["scripts"] = content_of_all(scripts)
    return Recipe(inputs=inputs)
