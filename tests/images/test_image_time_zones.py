"""The variable TZ: without the data of time zones, the C library takes UTC and says nothing."""

from __future__ import annotations

from typing import Any

import pytest
from image_container import Container

pytestmark = pytest.mark.depends("base")

#: Value of TZ → name and hours east of Greenwich, in January and in July.
ZONES = {
    "Asia/Tokyo": [["JST", 9], ["JST", 9]],
    "America/New_York": [["EST", -5], ["EDT", -4]],
    ":Europe/Berlin": [["CET", 1], ["CEST", 2]],
    # Old names, which Debian 13 has in a package of its own.
    "US/Eastern": [["EST", -5], ["EDT", -4]],
    "GB": [["GMT", 0], ["BST", 1]],
}


@pytest.fixture(scope="module")
def zones(container: Container) -> dict[str, Any]:
    container.must_run()
    found: dict[str, Any] = container.python("time_zones.py", *ZONES)
    return found


@pytest.mark.parametrize("zone", ZONES)
def test_time_zone(zones: dict[str, Any], zone: str) -> None:
    by_c_library, by_zoneinfo = zones[zone]
    assert by_c_library == ZONES[zone], f"TZ={zone} gives {by_c_library}"
    assert by_zoneinfo in (ZONES[zone], None), f"zoneinfo gives {by_zoneinfo}"  # None: Python 3.7 has no zoneinfo
