"""The platform that images are made for, under each of the names that others give it.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.markers import Marker


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Linux with glibc on one kind of processor."""

    #: As the kernel (``uname -m``), Python and wheels call the processor: ``x86_64``.
    machine: str
    #: As Debian calls it (``dpkg --print-architecture``): ``amd64``.
    debian: str
    #: As Go calls it, and so Docker and image indexes (``GOARCH``): ``amd64``.
    go: str
    #: As pyelftools calls it: ``x64``.
    elf: str
    #: For people: ``x86-64``.
    title: str
    #: The loader that its programs name, with glibc.
    loader: str

    @property
    def oci(self) -> str:
        """As Docker and bake files write it: ``linux/amd64``."""
        return f"linux/{self.go}"

    @property
    def linux_tag(self) -> str:
        """The platform of wheels that are built for one machine and name no glibc: ``linux_x86_64``."""
        return f"linux_{self.machine}"

    def manylinux(self, minor: int) -> str:
        """The platform of wheels for a glibc and newer ones (PEP 600): ``manylinux_2_36_x86_64``.

        Args:
            minor: The minor version of the glibc: 36 for 2.36.
        """
        return f"manylinux_2_{minor}_{self.machine}"

    def uv_name(self, glibc: str) -> str:
        """As uv calls it: ``x86_64-manylinux_2_36``.

        It names the base's own glibc: ``manylinux2014`` would silently choose old releases of modern packages.

        Args:
            glibc: The version of the glibc: ``2.36``.
        """
        return f"{self.machine}-manylinux_{glibc.replace('.', '_')}"

    def marker_environment(self, python: str, extra: str = "") -> dict[str, str]:
        """The variables of environment markers (PEP 508); none of them comes from this machine.

        Args:
            python: The minor version; like uv, ``3.11`` counts as 3.11.0 where a marker asks for the full version.
            extra: The extra that is asked for.
        """
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
            "extra": extra,
        }


#: The kernel's names of processors → Go's.
GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}

#: The platform of every image.
LINUX_AMD64 = Platform(
    machine="x86_64",
    debian="amd64",
    go="amd64",
    elf="x64",
    title="x86-64",
    loader="/lib64/ld-linux-x86-64.so.2",
)


def holds(marker: Marker, python: str, extra: str = "", platform: Platform = LINUX_AMD64) -> bool:
    """Tell whether an environment marker holds in an image.

    Args:
        marker: The marker.
        python: The minor version of the image's Python.
        extra: The extra that is asked for.
        platform: The image's platform.
    """
    return marker.evaluate(platform.marker_environment(python, extra))
