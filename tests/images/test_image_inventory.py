"""The inventory: every package with its licence, as the catalogue shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from image_container import Container
from image_plan import Image


def test_inventory_is_complete(
    image: Image, container: Container, record_inventory: Callable[[dict[str, Any]], None]
) -> None:
    """Every distribution of the lock is in it, and the operating system's packages are."""
    container.must_run()
    inventory = container.python("inventory.py")
    record_inventory(inventory)
    found = {package["name"] for package in inventory["python"]}
    assert found == set(image.lock), f"not as in the lock: {', '.join(sorted(found ^ set(image.lock)))}"
    system = {package["name"]: package for package in inventory["debian"]}
    assert {"base-files", "libc6", "ca-certificates"} <= set(system), f"only {len(system)} Debian packages were found"
    assert system["ca-certificates"]["licence"], "the licence of Debian's packages is not read"
