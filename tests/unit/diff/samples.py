"""Facts of images, as small as the tests need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from build.diff.facts import ImageFacts, Layer, Packages

#: A megabyte.
MB = 1_000_000


def layer(name: str, size: int = MB, content: str = "") -> Layer:
    return Layer(digest=f"sha256:{name}", size=size, diff_id=content, title=f"made {name}")


def image(
    name: str,
    *layers: Layer,
    python: Mapping[str, str] | None = None,
    debian: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> ImageFacts:
    return ImageFacts(
        reference=f"registry.example/a/{name}:1",
        digest=f"sha256:{name}",
        config_digest=f"sha256:config-{name}",
        config_size=1000,
        layers=layers,
        environment=environment or {},
        labels=labels or {},
        settings=settings or {},
        packages=Packages(python=python, debian=debian, source="" if python is None else "test report"),
    )


def names(layers: Sequence[Layer]) -> list[str]:
    return [each.digest.partition(":")[2] for each in layers]
