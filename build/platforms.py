"""Environment markers (PEP 508), judged for the images and not for this machine.  Pure."""

from __future__ import annotations

from packaging.markers import Marker


def holds(marker: Marker, python: str, extra: str = "") -> bool:
    """Whether a marker holds for CPython on x86-64 Linux; all variables are set: none comes from this machine.

    Args:
        marker: The marker.
        python: The minor version; like uv, ``3.11`` is taken for 3.11.0 where a marker asks for the full version.
        extra: The extra that is asked for.
    """
    return marker.evaluate(
        {
            "implementation_name": "cpython",
            "implementation_version": f"{python}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
            "extra": extra,
        }
    )
