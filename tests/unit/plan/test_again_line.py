"""`pipeline --dry-run` names the images that `--no-cache` and `--refresh-bases` do not take from the registry."""

from __future__ import annotations

import pytest

from build.builder.options import Options
from build.plan.output import again_line
from build.plan.states import ToBuild, ToMove, ToTest

TO_BUILD = ToBuild(name="new", reason="the registry does not have it")
TO_TEST = ToTest(name="untested", digest="sha256:1", ids=frozenset(), reason="no report")
TO_MOVE = ToMove(name="unmoved", digest="sha256:2", ids=frozenset(), reason="not on it: latest")


@pytest.mark.parametrize(
    "options", [Options(no_cache=True), Options(refresh_bases=True), Options(no_cache=True, refresh_bases=True)]
)
def test_images_in_the_registry_are_named(options: Options) -> None:
    line = again_line([TO_BUILD, TO_TEST, TO_MOVE], options)
    assert line is not None
    assert line.endswith(": untested, unmoved")


def test_only_refreshed_bases_leave_what_the_engine_has() -> None:
    refreshed = again_line([TO_TEST], Options(refresh_bases=True))
    assert refreshed is not None and "except those that the engine has" in refreshed
    scratch = again_line([TO_TEST], Options(no_cache=True, refresh_bases=True))
    assert scratch is not None and "except" not in scratch


def test_no_line_without_such_an_image_or_option() -> None:
    assert again_line([TO_BUILD], Options(no_cache=True)) is None
    assert again_line([TO_TEST, TO_MOVE], Options()) is None
