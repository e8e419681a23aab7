"""The inventory: every package in the image with its licence, as the catalogue shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from image_container import Container
from image_plan import Image


def test_inventory_is_complete(
    image: Image, container: Container, record_inventory: Callable[[dict[str, Any]], None]
) -> None:
    """It contains every distribution of the lock, and the operating system's packages."""
    container.must_run()
    inventory = container.python("inventory.py")
    record_inventory(inventory)
    names = {package["name"] for package in inventory["python"]}
    assert names == set(image.lock), f"differs from the lock: {', '.join(sorted(names ^ set(image.lock)))}"
    system = {package["name"]: package for package in inventory["debian"]}
    assert {"base-files", "libc6", "ca-certificates"} <= set(system), f"only {len(system)} Debian packages were found"
    assert system["ca-certificates"]["licence"], "the licences of Debian packages were not read"
