"""The labels of images.  Pure."""

from __future__ import annotations

import datetime

from build.images import patches
from build.images.image import Image
from build.images.titles import framework_version, title
from build.matrix.model import Project
from build.matrix.upkeep import Lifecycle

#: The prefix of the project's own labels, in addition to the OCI annotation keys.
LABEL = "inference-images"
#: The label with the name of the base that stands in for the image's own.
STAND_IN = f"{LABEL}.stand-in"


def image_labels(image: Image, project: Project) -> dict[str, str]:
    """The labels that follow from the matrix and the lock; the build adds those of the base and of the recipe.

    Args:
        image: The image.
        project: What the matrix says of all images.

    Returns:
        Key → value. The keys are the OCI image specification's annotations (``org.opencontainers.image.*``,
        https://github.com/opencontainers/image-spec/blob/main/annotations.md) and the project's own.
    """
    variant = image.variant
    result = {
        "org.opencontainers.image.title": title(variant) + " inference",
        "org.opencontainers.image.version": framework_version(image),
        # Not the time of the build: the same recipe gives the same image.
        "org.opencontainers.image.created": image.lock.newest,
        "org.opencontainers.image.vendor": project.vendor,
        f"{LABEL}.image": variant.name,
        f"{LABEL}.framework": variant.framework,
        f"{LABEL}.python": variant.base.python,
        f"{LABEL}.device": variant.device,
    }
    if project.source:
        result["org.opencontainers.image.source"] = project.source
    if variant.cuda_absent:
        result |= {f"{LABEL}.cuda": "absent", f"{LABEL}.cudnn": "absent"}
    elif variant.cuda:
        result[f"{LABEL}.cuda"] = variant.cuda.version
        if variant.cuda.cudnn:
            result[f"{LABEL}.cudnn"] = variant.cuda.cudnn
    if variant.reach and not variant.cuda_absent:
        result[f"{LABEL}.gpu-architectures"] = " ".join(variant.reach)
    if variant.stand_in:
        result[STAND_IN] = variant.stand_in
    patched = [f"{name}=={version}" for name, version in patches.distributions(image.patches)]
    if patched:
        result[f"{LABEL}.patches"] = ",".join(patched)
    return result | {f"{LABEL}.{key}": date.isoformat() for key, date in dates(variant.lifecycle).items()}


def dates(life: Lifecycle) -> dict[str, datetime.date]:
    """Return the dates of a lifecycle that are known, by the names that labels and environments give them.

    Their sources are not there: another address of the same date would give every image another recipe. Nor is the
    phase, which changes with the day.

    Args:
        life: The lifecycle of an image.
    """
    known = {
        "released": life.released,
        "deprecated": life.deprecated,
        "full-support-until": life.full_support and life.full_support.until,
        "lts-until": life.lts and life.lts.until,
        "end-of-life": life.end_of_life,
    }
    return {key: date for key, date in known.items() if date}
