"""The tags of signatures, attestations and lists of packages."""

from __future__ import annotations

import pytest

from build.registry.signature_tags import is_signature_tag, tags_of

HEX = "0123456789abcdef" * 4


def test_the_tags_of_an_image() -> None:
    assert tags_of(f"sha256:{HEX}") == (f"sha256-{HEX}.sig", f"sha256-{HEX}.att", f"sha256-{HEX}.sbom")
    assert all(map(is_signature_tag, tags_of(f"sha256:{HEX}")))


@pytest.mark.parametrize(
    "tag", [f"sha256-{HEX}", f"sha256-{HEX}.txt", f"sha256-{HEX[1:]}.sig", f"sha256:{HEX}.sig", f"x-sha256-{HEX}.sig"]
)
def test_other_tags(tag: str) -> None:
    """The first one is the list of attachments of a registry without an API for them."""
    assert not is_signature_tag(tag)
