"""Curated environments: the file of each image that ``az ml environment create --file`` takes.  Pure.

The format is Azure's CLI (v2) environment YAML schema
(https://learn.microsoft.com/azure/machine-learning/reference-yaml-environment);
tests/pipeline/test_azureml_environments.py loads every file with Microsoft's own azure-ai-ml.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from build.images import labels
from build.images.image import Image
from build.images.titles import device_title, framework_version, title
from build.matrix.model import Project
from build.registry.address import DEFAULT_PORT, parse

#: The names of Microsoft's curated environments begin with this, and so do these.
PREFIX = "AzureML-"
#: The folder of all assets, from the root; each has a folder in it.
FOLDER = "environments"
#: The tag that an asset names: a new version of an asset gets the image of its day.
TAG = "latest"
#: The registry of the images where the matrix names none: the embedded one.
EMBEDDED = f"127.0.0.1:{DEFAULT_PORT}"
PORT = 5001
#: libyaml writes the same text in an eighth of the time.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
HEALTH_ROUTE, SCORING_ROUTE = "/", "/score"


def render(images: Iterable[Image], project: Project) -> dict[str, str]:
    """The files of all assets.

    Args:
        images: All images of the matrix.
        project: What the matrix says of all images.

    Returns:
        Path from the root, with ``/`` → content.
    """
    return {path(item.variant.name): text(item, project) for item in images}


def path(image_name: str) -> str:
    """The path of the asset of an image, from the root."""
    return f"{FOLDER}/{PREFIX}{image_name}/environment.yaml"


def own_name(image_name: str) -> str:
    """The name for the asset in a user's workspace: ``sklearn-1-9-debian12-…``.

    Names there must not begin with ``AzureML`` (https://learn.microsoft.com/python/api/azureml-core/
    azureml.core.environment(class)) and consist of letters, digits, ``-`` and ``_``
    (https://learn.microsoft.com/rest/api/azureml/environment-containers/create-or-update).
    """
    return image_name.replace(".", "-")


def text(image: Image, project: Project) -> str:
    """The file of an asset: a comment on how it is made and used, and the asset as YAML.

    Args:
        image: The image.
        project: What the matrix says of all images.
    """
    variant = image.variant
    lock = f"locks/{variant.base_name}/{variant.name}.txt"
    create = f"az ml environment create --file environment.yaml --name {own_name(variant.name)}"
    lines = [
        f"Generated from matrix.yaml and {lock} by `nox -s generate`; do not edit.",
        "Azure keeps names that begin with AzureML for its own environments; in your workspace give it another:",
        f"  {create}" + ("" if project.registry else " \\"),
    ]
    if not project.registry:
        lines += [
            f"    --image REGISTRY/{variant.repository}:{TAG}",
            "REGISTRY is yours: the address below is the embedded registry's, which Azure does not reach. With",
            "`project.registry` in matrix.yaml these files name yours.",
        ]
    comment = "".join(f"# {line}\n" for line in lines)
    content = yaml.dump(asset(image, project), Dumper=_DUMPER, sort_keys=False, width=10_000, allow_unicode=True)
    return comment + str(content)


def asset(image: Image, project: Project) -> dict[str, Any]:
    """The asset as data.

    Its version is the day of its packages, so that newer packages give a new version: Azure does not allow a change of
    the image of an existing version.

    Args:
        image: The image.
        project: What the matrix says of all images.
    """
    variant = image.variant
    registry = parse(project.registry or EMBEDDED)
    health = {"path": HEALTH_ROUTE, "port": PORT}
    return {
        "$schema": "https://azuremlschemas.azureedge.net/latest/environment.schema.json",
        "name": PREFIX + variant.name,
        "version": image.lock.exclude_newer.replace("-", ""),
        "description": f"{title(variant)} inference on {variant.base.title}, Python {variant.base.python}, "
        f"{device_title(variant)}; promised packages: {', '.join(variant.contract)}",
        "image": registry.reference(variant.repository, TAG),
        "os_type": "linux",
        "inference_config": {
            "liveness_route": dict(health),
            "readiness_route": dict(health),
            "scoring_route": {"path": SCORING_ROUTE, "port": PORT},
        },
        "tags": tags(image),
    }


def tags(image: Image) -> dict[str, str]:
    """The tags that an asset is searched by: framework, versions, device, lifecycle; all values are text."""
    variant = image.variant
    named = {
        "framework": variant.framework,
        "version": framework_version(image) if variant.version else None,
        "python": variant.base.python,
        "os": variant.base.os,
        "device": "gpu" if variant.cuda else "cpu",
        "cuda": variant.cuda.version if variant.cuda else None,
        "cudnn": variant.cuda.cudnn if variant.cuda else None,
        **{key: date.isoformat() for key, date in labels.dates(variant.lifecycle).items()},
    }
    return {key: value for key, value in named.items() if value}
