"""Which images have ended."""

from __future__ import annotations

import datetime

from build.publish.ends import ended

TODAY = datetime.date(2026, 11, 27)
IMAGES = [("a/old", "sha256:1"), ("a/old", "sha256:2"), ("a/last-day", "sha256:3"), ("a/no-end", "sha256:4")]


def test_an_image_has_ended_from_the_day_of_its_end_on() -> None:
    tomorrow = TODAY + datetime.timedelta(1)
    ends = {"a/old": TODAY, "a/last-day": tomorrow, "a/not-published": TODAY}
    assert ended(IMAGES, ends, TODAY) == {("a/old", "sha256:1"): TODAY, ("a/old", "sha256:2"): TODAY}
    assert ("a/last-day", "sha256:3") in ended(IMAGES, ends, tomorrow)
