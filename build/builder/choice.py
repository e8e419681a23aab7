"""Choose the builder of a command: its option ``--builder`` names it, or the variable ``BUILDX_BUILDER``.

People also set the variable for other projects: it counts for less than the option.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from build.engine.buildx_builder import VARIABLE, Builder, EngineBuilder, engine_of_environment, find_builder
from build.engine.find import DEFAULT_CONTEXT, has_context
from build.errors import EngineError
from build.registry.address import REGISTRY_VARIABLE, Registry


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A builder, and what follows from the way in which it is named."""

    builder: Builder
    #: What the user may not expect; empty if there is nothing.
    remark: str = ""


def choose(option: str, registry: Registry, environ: Mapping[str, str] = os.environ) -> Choice:
    """Return the builder of a command.

    Args:
        option: The value of ``--builder``; empty without it.
        registry: Where images are pushed to.
        environ: The environment variables.

    Raises:
        EngineError: The builder does not exist, does not answer, or cannot build these images; or Docker's contexts
            cannot be read.
    """
    if option:
        builder = find_builder(option)
        return Choice(builder=builder, remark=_remark_on_option(builder, environ))
    name = environ.get(VARIABLE, "")
    if not name or has_context(name, VARIABLE):
        return Choice(builder=engine_of_environment(environ))
    if registry.embedded:
        remark = (
            f"{VARIABLE} names the builder {name}, which could only push to a registry, and {REGISTRY_VARIABLE} names "
            "none: the engine builds"
        )
        return Choice(builder=engine_of_environment(environ), remark=remark)
    try:
        builder = find_builder(name)
    except EngineError as failure:
        failure.where = failure.where or VARIABLE
        raise
    remark = f"{VARIABLE} names the builder {name}: images are pushed to {registry}; unset it to build with the engine"
    return Choice(builder=builder, remark=remark)


def _remark_on_option(builder: Builder, environ: Mapping[str, str]) -> str:
    """Say that the images are in another engine than the one in which commands without the option look for them."""
    if not isinstance(builder, EngineBuilder) or builder.context in ("", DEFAULT_CONTEXT):
        return ""
    named = next((name for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if environ.get(name)), None)
    if named is None or (named == "DOCKER_CONTEXT" and environ[named] == builder.context):
        return ""
    return (
        f"--builder names the Docker context {builder.context}: its engine builds and has the images, not the engine "
        f"that {named} names"
    )
