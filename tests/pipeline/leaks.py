"""Search for secrets, in every spelling in which a program could have written them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from tests.pipeline.registries import Running

#: Bits of a byte, and of a character of base64.
_BYTE, _CHARACTER = 8, 6


@dataclass(frozen=True)
class Leaks:
    """Finds texts that must not be anywhere: as they are, percent-encoded, in JSON, and in base64.

    A search that had nothing to read fails: it would find nothing.
    """

    secrets: tuple[str, ...]

    @classmethod
    def of(cls, *secrets: str) -> Leaks:
        """Return a search for secrets.

        Args:
            secrets: Each as it is, or percent-encoded.
        """
        return cls(tuple(dict.fromkeys(map(unquote, secrets))))

    def find(self, content: bytes) -> list[str]:
        """Return the secrets that a file contains."""
        return [secret for secret in self.secrets if any(each in content for each in spellings(secret))]

    def find_in_folder(self, folder: Path, *, but: Iterable[Path] = ()) -> list[str]:
        """Return ``path: secret`` for each file below a folder that contains one.

        Args:
            folder: The folder.
            but: Files that are passed over.
        """
        passed_over = set(but)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        files = [path for path in files if path not in passed_over]
        assert files, f"{folder} has no files"
        return [f"{path}: {secret}" for path in files for secret in self.find(uncompressed(path.read_bytes()))]

    def find_in_registry(self, registry: Running, scratch: Path) -> list[str]:
        """Return ``path: secret`` for each file of a registry that contains one: layers, documents, manifests, its log.

        Args:
            registry: The registry.
            scratch: A folder for its files.
        """
        found = [f"log: {secret}" for secret in self.find(registry.container.logs())]
        for path, content in stored(registry, scratch):
            found += [f"{path}: {secret}" for secret in self.find(path.encode()) + self.find(uncompressed(content))]
        return found


def spellings(secret: str) -> set[bytes]:
    """Return what a file contains if it has a secret: as it is, in an address, in JSON, in base64 in any text."""
    plain = secret.encode()
    encoded = {quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], secret.replace("/", "\\/")}
    encoded |= {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), each) for each in encoded}
    found = {plain, *(each.encode() for each in encoded)}
    for before in range(3):  # three bytes are four characters
        in_base64 = base64.b64encode(bytes(before) + plain)
        # Without the characters that depend on what is before it, or after it.
        first = -(-before * _BYTE // _CHARACTER)
        inner = in_base64[first : (before + len(plain)) * _BYTE // _CHARACTER]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def stored(registry: Running, scratch: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each file of a registry's storage."""
    archive = scratch / "registry.tar"
    stream, _ = registry.container.get_archive("/var/lib/registry")
    with archive.open("wb") as target:
        target.writelines(stream)
    with tarfile.open(archive) as members:
        files = [member for member in members if member.isfile()]
        assert files, "the registry has no files"
        for member in files:
            file = members.extractfile(member)
            assert file is not None
            yield member.name, file.read()
    archive.unlink()


def uncompressed(blob: bytes) -> bytes:
    """Return a blob without its compression, gzip or zstd."""
    for magic, program in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x1f\x8b", "gzip")):
        if blob.startswith(magic):
            command = [program, "--decompress", "--stdout"]
            return subprocess.run(command, input=blob, capture_output=True, check=True).stdout
    return blob
