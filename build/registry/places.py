"""Where a release is promoted from and to: a registry, or a folder with an OCI image layout.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from build.errors import UsageError
from build.registry import address
from build.registry.address import Registry

#: The prefix that tells a folder from a registry, as skopeo and buildah write it.
_OCI = "oci:"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder with an OCI image layout."""

    path: Path

    def reference(self, repository: str, tag: str) -> str:
        """Name a tag or a digest, as ``skopeo`` takes a tag: ``oci:PATH:azureml/sklearn-…:20261126.v1``."""
        return f"{self}:{repository}{'@' if ':' in tag else ':'}{tag}"

    def __str__(self) -> str:
        return f"{_OCI}{self.path}"


Location = Registry | Folder


def parse(text: str) -> Location:
    """Read ``host[:port][/namespace]`` or ``oci:PATH``.

    Raises:
        UsageError: It is neither.
    """
    if is_folder(text):
        folder, name = split(text)
        if name is not None:
            raise UsageError(
                f"'{text}' names something in a folder, and not the folder",
                fix=f"write {folder}; the path of a folder must not have a colon",
            )
        return folder
    if text.startswith(("/", "./", "../", "~")):
        raise UsageError(f"'{text}' is not a registry", fix=f"a folder is written as oci:{text}")
    return address.parse(text, is_argument=True)


def is_folder(text: str) -> bool:
    """Tell whether a text names a folder, or something in one."""
    return text.startswith(_OCI)


def split(text: str) -> tuple[Folder, str | None]:
    """Read ``oci:PATH`` or ``oci:PATH:NAME``; as for ``skopeo``, the path ends at the first colon.

    Returns:
        The folder, and the name in it; None without a name.

    Raises:
        UsageError: It names no folder.
    """
    path, colon, name = text.removeprefix(_OCI).partition(":")
    return _folder(text, path), name if colon else None


def noun(location: Location) -> str:
    """``registry`` or ``folder``."""
    return "folder" if isinstance(location, Folder) else "registry"


def _folder(text: str, path: str) -> Folder:
    if not path:
        raise UsageError(f"'{text}' names no folder", fix="write it as oci:PATH")
    try:
        return Folder(path=Path(path).expanduser())  # a shell does not replace '~' after 'oci:'
    except RuntimeError:
        raise UsageError(f"'{text}' names the home of a user who does not exist", fix="name the folder") from None


def check_different(source: Location, target: Location, namespace: str) -> None:
    """Check that a release would not be promoted to where it is.

    Args:
        source: Where it is.
        target: Where it is to be.
        namespace: The namespace of the matrix.

    Raises:
        UsageError: Both are the same.
    """
    if _identity(source, namespace) == _identity(target, namespace):
        raise UsageError(f"source and target are the same: {target}", fix="name another registry or folder")


def _identity(location: Location, namespace: str) -> tuple[str, str]:
    if isinstance(location, Folder):
        return "oci", str(location.path.resolve())
    return location.host, location.repository(f"{namespace}/").rpartition("/")[0]
