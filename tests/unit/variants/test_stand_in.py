"""Which base stands in for which, and which cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.errors import UsageError
from build.matrix.reader import LoadedMatrix, load
from build.variants import stand_in
from build.variants.expand import expand

MATRIX = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server: {title: Server, contract: [azureml-inference-server-http==1.5.1]}
axes: {base: [ubuntu18.04], device: [cpu]}
bases:
  ubuntu18.04: {title: Ubuntu, os: ubuntu18.04, python: "3.7", glibc: "2.27", image: "ubuntu:18.04@sha256:%s"}
  debian12-py37: {title: Debian, os: debian12, python: "3.7", glibc: "2.36", bootstrap: {suite: bookworm}}
  debian12-py311: {title: Debian, os: debian12, python: "3.11", glibc: "2.36", bootstrap: {suite: bookworm}}
  old-py37: {title: Old, os: debian8, python: "3.7", glibc: "2.9", bootstrap: {suite: jessie}}
cuda:
  cuda11.0.3: {version: 11.0.3, cudnn: 8.0.5.39, images: {ubuntu18.04: "nvidia/cuda:11.0.3"}}
frameworks:
  tensorflow:
    title: TensorFlow
    versions: {"2.4": {devices: [cpu, cuda11.0.3], contract: [tensorflow==2.4.4]}}
""" % ("0" * 64)


BOOTSTRAPPED = "bootstrap: {suite: bionic}"


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedMatrix:
    file = tmp_path / "matrix.yaml"
    file.write_text(MATRIX, encoding="utf-8")
    return load(file)


def test_a_base_and_a_stand_in_are_told_apart() -> None:
    assert stand_in.parse(["debian12-py311", "ubuntu18.04=debian12-py37"]) == (
        ("debian12-py311",),
        (("ubuntu18.04", "debian12-py37"),),
    )


def test_the_variant_keeps_its_name_and_says_what_it_stands_on(loaded: LoadedMatrix) -> None:
    cpu, gpu = stand_in.apply(expand(loaded), [("ubuntu18.04", "debian12-py37")], loaded)
    assert cpu.name == "tensorflow-2.4-ubuntu18.04-py37-cpu-inference"
    assert (cpu.base_name, cpu.stand_in, cpu.base_image_name, cpu.build_base_name, cpu.build_base.os) == (
        "ubuntu18.04", "debian12-py37", "debian12-py37", "debian12-py37", "debian12",
    )  # fmt: skip
    assert cpu.cuda_absent is None
    assert gpu.cuda_absent == "CUDA comes with the base of ubuntu18.04; debian12-py37 stands in for it and has none"


def test_without_a_stand_in_nothing_is_absent(loaded: LoadedMatrix) -> None:
    _, gpu = expand(loaded)
    assert (gpu.stand_in, gpu.base_image_name, gpu.build_base_name) == (None, "ubuntu18.04-cuda11.0.3", "ubuntu18.04")
    assert gpu.cuda_absent is None


@pytest.mark.parametrize(
    ("origin", "absent"),
    [
        ("packages: [nvidia-cudnn-cu11==8.6.0.163]", False),
        ("debian: [libcudart11.0], packages: [nvidia-cudnn-cu11==8.6.0.163]", True),
        ("images: {ubuntu18.04: nvidia/cuda:11.0.3}, packages: [nvidia-cudnn-cu11==8.6.0.163]", True),
        ("images: {old-py37: nvidia/cuda:11.0.3}, packages: [nvidia-cudnn-cu11==8.6.0.163]", False),
    ],
    ids=["wheels", "Debian and wheels", "image and wheels", "another base's image"],
)
def test_a_cuda_of_which_wheels_bring_only_the_rest_is_absent(tmp_path: Path, origin: str, absent: bool) -> None:
    its_own = 'images: {ubuntu18.04: "nvidia/cuda:11.0.3"}'
    assert its_own in MATRIX
    text = MATRIX.replace(its_own, origin).replace('image: "ubuntu:18.04@sha256:%s"' % ("0" * 64), BOOTSTRAPPED)
    (tmp_path / "matrix.yaml").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "matrix.yaml")
    _, gpu = stand_in.apply(expand(loaded), [("ubuntu18.04", "debian12-py37")], loaded)
    assert (gpu.cuda_absent is not None) == absent


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("ubuntu18.04=", "'--base ubuntu18.04=' is not a stand-in", "write --base <its base>=<stand-in>"),
        ("ubuntu18.04=debian12-py73", "the base 'debian12-py73'", "did you mean 'debian12-py37'?"),
        ("ubuntu18.4=debian12-py37", "the base 'ubuntu18.4'", "did you mean 'ubuntu18.04'?"),
        (
            "ubuntu18.04=debian12-py311",
            "it has Python 3.11, the locks are for 3.7",
            "bases with Python 3.7: debian12-py37, old-py37",
        ),
        ("ubuntu18.04=old-py37", "its glibc is 2.9, the locked wheels may need 2.27", "use a base with a newer glibc"),
        ("ubuntu18.04=ubuntu18.04", "the base 'ubuntu18.04' stands in for itself", "remove --base"),
        ("old-py37=debian12-py37", "no selected image is on the base 'old-py37'", "select some"),
    ],
)
def test_what_cannot_stand_in(loaded: LoadedMatrix, text: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError) as raised:
        _, pairs = stand_in.parse([text])
        stand_in.apply(expand(loaded), pairs, loaded)
    assert what in raised.value.what
    assert fix in (raised.value.fix or "")


def test_one_base_has_one_stand_in() -> None:
    with pytest.raises(UsageError, match=r"two stand-ins for the base 'ubuntu18\.04'"):
        stand_in.parse(["ubuntu18.04=a", "ubuntu18.04=b"])
