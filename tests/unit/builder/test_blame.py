"""Building: which images a failed layer takes down. Nothing here needs an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.bases import bootstrap_failure
from build.builder import blame, network
from build.builder.buildx_log import Failure
from build.errors import BuildError, NetworkError
from build.images.image import Image
from tests.unit.fixture_project import PROJECT

LIGHTGBM = [variant for variant in PROJECT.variants if variant.framework in ("lightgbm", "sklearn")]
LEFT: dict[str, Image] = {image.target: image for image in PROJECT.images(LIGHTGBM)}
ON_12 = "lightgbm-4_7-debian12-py311-cpu-inference"
ON_13 = "lightgbm-4_7-debian13-py313-cpu-inference"


def failed(target: str | None, stage: str | None, left: dict[str, Image] = LEFT) -> list[str]:
    return blame.failed_targets(Failure(target=target, stage=stage, lines=""), left)


def test_a_layer_of_the_same_name_on_another_base_is_another_layer() -> None:
    assert {layer.name for layer in LEFT[ON_12].layers} & {layer.name for layer in LEFT[ON_13].layers}
    assert failed(ON_12, "lightgbm-4.7.0") == [ON_12]


def test_every_image_of_a_base_with_the_layer_fails_with_it() -> None:
    assert sorted(failed(ON_12, "numpy-2.4.6")) == [ON_12, "sklearn-1_9-debian12-py311-cpu-inference"]


def test_an_image_that_fails_without_a_layer_fails_alone() -> None:
    assert failed(ON_13, None) == [ON_13]


def test_the_only_image_of_a_bake_is_meant_where_none_is_named() -> None:
    assert failed(None, "lightgbm-4.7.0", {ON_13: LEFT[ON_13]}) == [ON_13]


def test_what_belongs_to_no_image_takes_none_down() -> None:
    assert failed("builder-debian12-py311", "stage-1") == []
    assert failed(None, None) == []


def test_a_base_whose_image_may_be_out_of_reach_comes_with_another_way() -> None:
    advice = "if its image cannot be reached, build on another base: --base ubuntu18.04=<a base with Python 3.7>"
    assert blame.base_fix(PROJECT, ["ubuntu18.04", "ubuntu18.04-cuda11.0.3"]) == advice
    assert blame.base_fix(PROJECT, ["debian12-py311"]) is None


def test_a_base_with_pinned_debian_packages_comes_with_how_to_record_newer_ones() -> None:
    advice = blame.base_fix(PROJECT, ["debian12-py311", "debian12-py311-cuda11.8.0"])
    assert "nox -s lock -- --bases" in str(advice)


def test_the_links_to_cuda_belong_to_the_images_that_have_them() -> None:
    image = next(image for image in PROJECT.images(PROJECT.variants) if image.cuda_links)
    assert image.cuda_links in blame.own_stages(image)


NOT_REACHED = """\
error: Request failed after 3 retries
  Caused by: Failed to fetch: `https://index.example/simple/numpy/`
  Caused by: error sending request for url (https://index.example/simple/numpy/)
  Caused by: client error (Connect)
"""


def test_an_index_that_the_build_does_not_reach_is_a_failure_of_the_network(tmp_path: Path) -> None:
    image = LEFT[ON_13]
    for lines, kind, code in ((NOT_REACHED, NetworkError, 6), ("error: Hash mismatch for `numpy`\n", BuildError, 1)):
        failure = blame.failure_of(PROJECT, image, Failure(target=ON_13, stage="numpy-2.4.6", lines=lines), tmp_path)
        assert type(failure) is kind
        assert failure.exit_code == code
        assert failure.what.startswith("its layer numpy-2.4.6 failed")


REFUSED = """\
error: Failed to fetch: `https://index.example/simple/numpy/`
  Caused by: HTTP status client error ({status}) for url (https://index.example/simple/numpy/)
"""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("401 Unauthorized", "the package index https://index.example/simple/numpy/ asks for a login"),
        ("403 Forbidden", "refuses (403 Forbidden)"),
        ("407 Proxy Authentication Required", "the proxy for index.example asks for a login"),
    ],
)
def test_an_index_that_refuses_is_not_taken_for_a_mirror_of_apt(status: str, words: str, tmp_path: Path) -> None:
    lines = REFUSED.format(status=status)
    failure = blame.failure_of(PROJECT, LEFT[ON_13], Failure(target=ON_13, stage="numpy-2.4.6", lines=lines), tmp_path)
    assert isinstance(failure, NetworkError)
    assert words in failure.what
    assert "APT_MIRRORS" not in str(failure.fix)
    assert bootstrap_failure.refusal(lines) is None


APT_REFUSED = "E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  401  Unauthorized [IP: ::1 80]"


def test_a_mirror_of_apt_that_refuses_is_a_failure_of_the_network(tmp_path: Path) -> None:
    of_compiler = Failure(target="compiler-debian13-py313", stage="compiler", lines=APT_REFUSED)
    layer = blame.failure_of(PROJECT, LEFT[ON_13], of_compiler, tmp_path)
    base = blame.base_failure(PROJECT, "debian12-py311", of_compiler, tmp_path)
    for failure in (layer, base):
        assert isinstance(failure, NetworkError)
        assert failure.what.endswith(": http://mirror.example/debian asks for a login, or refuses it")
        assert "INFERENCE_IMAGES_APT_MIRRORS" in str(failure.fix)
    other = blame.base_failure(PROJECT, "debian12-py311", Failure(target=None, stage=None, lines="E: x"), tmp_path)
    assert type(other) is BuildError


CLOSED_INDEX = """\
error: Request failed after 3 retries
  Caused by: error sending request for url (http://127.0.0.1:3141/simple/numpy/)
  Caused by: client error (Connect)
"""
CLOSED_MIRROR = """\
Err:1 http://127.0.0.1:3142/debian bookworm InRelease
  Could not connect to 127.0.0.1:3142 (127.0.0.1). - connect (111: Connection refused)
"""


def test_an_address_of_this_machine_is_named_with_its_variable(tmp_path: Path) -> None:
    environ = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:3141/simple",
        "INFERENCE_IMAGES_APT_MIRRORS": "http://archive.example/debian=http://127.0.0.1:3142/debian",
    }
    used = network.of(["http://127.0.0.1:3141/simple"], [], environ)
    of_index = Failure(target=ON_13, stage="numpy-2.4.6", lines=CLOSED_INDEX)
    of_mirror = Failure(target=None, stage=None, lines=CLOSED_MIRROR)
    for failure, what, where in (
        (
            blame.failure_of(PROJECT, LEFT[ON_13], of_index, tmp_path, used),
            "the package index 127.0.0.1:3141 cannot be reached from the build",
            "127.0.0.1:3141 is the container itself: in UV_DEFAULT_INDEX, use",
        ),
        (
            blame.base_failure(PROJECT, "debian12-py311", of_mirror, tmp_path, used),
            "the mirror http://127.0.0.1:3142/debian cannot be reached from the build",
            "127.0.0.1:3142 is the container itself: in INFERENCE_IMAGES_APT_MIRRORS, use",
        ),
    ):
        assert isinstance(failure, NetworkError)
        assert failure.what.endswith(f": {what}")
        assert where in str(failure.fix)
    elsewhere = Failure(target=None, stage=None, lines=CLOSED_MIRROR.replace("127.0.0.1", "192.0.2.1"))
    assert type(blame.base_failure(PROJECT, "debian12-py311", elsewhere, tmp_path, used)) is BuildError
