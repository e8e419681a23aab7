"""Tiny pure-Python distributions, made on the spot: packages that a user adds to an image, without an index."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TinyPackage:
    """A distribution with one module of the same name, which has a ``__version__``."""

    name: str
    version: str
    #: Requirements (PEP 508).
    requires: tuple[str, ...] = ()
    #: The Python, ABI and platform that its wheel is for.
    tag: str = "py3-none-any"

    @property
    def files(self) -> dict[str, bytes]:
        """Path → content, as in a folder that ``pip install --target`` made."""
        info = f"{self.name}-{self.version}.dist-info"
        return {f"{self.name}.py": f"__version__ = {self.version!r}\n".encode(), f"{info}/METADATA": self.metadata}

    @property
    def metadata(self) -> bytes:
        """The content of METADATA."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return ("\n".join(lines) + "\n").encode()

    @property
    def wheel_name(self) -> str:
        """The wheel's file name."""
        return f"{self.name}-{self.version}-{self.tag}.whl"

    @property
    def wheel(self) -> bytes:
        """The content of its wheel, https://packaging.python.org/en/latest/specifications/binary-distribution-format/"""
        info = f"{self.name}-{self.version}.dist-info"
        tags = f"Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: {self.tag}\n".encode()
        files = {**self.files, f"{info}/WHEEL": tags}
        # RECORD does not need hashes; it lists itself too.
        record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, content in {**files, f"{info}/RECORD": record.encode()}.items():
                archive.writestr(path, content)
        return buffer.getvalue()


def below(folder: str, *files: dict[str, bytes]) -> dict[str, bytes]:
    """Return all the files, with each path moved below ``folder``."""
    return {f"{folder}/{path}": content for some in files for path, content in some.items()}


def wheelhouse(*packages: TinyPackage) -> dict[str, bytes]:
    """Return wheels by file name."""
    return {package.wheel_name: package.wheel for package in packages}
