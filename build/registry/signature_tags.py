"""The tags under which cosign keeps what belongs to an image, where it does not use referrers.  Pure.

A tag is made of the digest of the image: ``sha256-<hex>.sig`` for signatures, ``.att`` for attestations, ``.sbom`` for
lists of packages (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, "Tag-based discovery"). Its
manifest does not refer to the image. cosign signs such manifests too, and these tags are of the same form.
"""

from __future__ import annotations

import re

_SUFFIXES = ("sig", "att", "sbom")
_TAG = re.compile(rf"sha256-[0-9a-f]{{64}}\.({'|'.join(_SUFFIXES)})")


def tags_of(digest: str) -> tuple[str, ...]:
    """Return the tags of what may belong to a manifest with a digest."""
    return tuple(f"{digest.replace(':', '-')}.{suffix}" for suffix in _SUFFIXES)


def is_signature_tag(tag: str) -> bool:
    """Tell whether a tag is of this form."""
    return _TAG.fullmatch(tag) is not None
