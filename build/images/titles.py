"""Names of frameworks and devices for people.  Pure."""

from __future__ import annotations

from build import requirements
from build.images.image import Image
from build.variants.variant import Variant


def title(variant: Variant) -> str:
    """The framework and its version: ``scikit-learn 1.9``."""
    return " ".join(filter(None, (variant.framework_title, variant.version)))


def device_title(variant: Variant) -> str:
    """The device: ``CPU``, ``CUDA 13.0.3 with cuDNN 9.12.0.46``."""
    if variant.cuda is None:
        return "CPU"
    cudnn = f" with cuDNN {variant.cuda.cudnn}" if variant.cuda.cudnn else ""
    return f"CUDA {variant.cuda.version}{cudnn}"


def framework_version(image: Image) -> str:
    """The installed version of the framework, or of the server in an image without a framework: ``1.9.1``."""
    own = image.variant.own_contract or image.variant.contract
    return image.lock.versions()[requirements.distribution_name(own[0])]
