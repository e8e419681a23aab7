"""The content of a blob on its way: its digest is checked before the last piece is given.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


class WrongContentError(ValueError):
    """A content is not what its digest says."""


def checked(pieces: Iterable[bytes], digest: str, size: int) -> Iterator[bytes]:
    """Pass on the pieces of a blob, the last one only if all of them are what the digest says.

    Args:
        pieces: The content; empty pieces are passed over.
        digest: ``sha256:…``.
        size: The bytes in all.

    Raises:
        WrongContentError: The content is longer or shorter, or has another digest.
    """
    found = hashlib.sha256()
    count = 0
    held = b""
    for piece in pieces:
        if not piece:
            continue
        count += len(piece)
        if count > size:
            raise WrongContentError(f"it has more than {size} bytes")
        if held:
            yield held
        held = piece
        found.update(piece)
    if count != size:
        raise WrongContentError(f"it has {count} bytes instead of {size}")
    if (actual := f"sha256:{found.hexdigest()}") != digest:
        raise WrongContentError(f"the content has the digest {actual}")
    if held:
        yield held
