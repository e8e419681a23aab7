"""Which images a matrix gives, how it says that it contradicts itself, and what a selection takes."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from build.errors import MatrixError, UsageError
from build.matrix.reader import LoadedMatrix, load
from build.variants.expand import excluded, expand
from build.variants.names import group_members
from build.variants.rows import as_rows
from build.variants.select import Selection, select
from build.variants.variant import Variant, image_name
from tests.unit.fixture_project import PROJECT

LIFECYCLE = (
    "{released: 2023-06-10, full-support: {until: 2026-06-10, source: the distribution}, "
    "lts: {until: 2028-06-30, source: the LTS team}}"
)
GOOD = """\
project: {namespace: azureml, vendor: someone, exclude-newer: 2026-11-19, uv: "0.13.9"}
server:
  title: Server
  contract: [azureml-inference-server-http==1.5.1, "tomli; python_version < '3.12'"]
  guards:
    - {pin: werkzeug<4, reason: the server imports what 4 removed}
axes:
  base: [one, two]
  device: [cpu]
bases:
  one:
    title: Debian 12
    os: debian12
    python: "3.11"
    glibc: "2.36"
    bootstrap: {suite: bookworm}
    lifecycle: LIFECYCLE
  two:
    title: Debian 13
    os: debian13
    python: "3.13"
    glibc: "2.40"
    bootstrap: {suite: trixie}
cuda:
  cuda13.0:
    version: 13.0.3
    cudnn: 9.12.0.46
    packages: [nvidia-cudnn-cu13==9.12.0.46]
wheel-sources:
  torch-cpu:
    index: https://example.org/simple
    packages: [torch]
frameworks:
  minimal:
    title: No framework
    versions:
      n/a: {}
  sklearn:
    title: scikit-learn
    contract: [numpy>=2.0]
    versions:
      "1.8":
        contract: [scikit-learn==1.8.2]
        bases: [one]
        lifecycle: {released: 2025-12-01, deprecated: 2026-06-01}
      "1.9":
        contract: [scikit-learn==1.9.1, "scipy>=1.16; python_version >= '3.13'"]
  pytorch:
    title: PyTorch
    wheel-source: torch-cpu
    versions:
      "2.13":
        contract: [torch==2.13.0]
        bases: [one]
        devices: [cpu, cuda13.0]
include:
  - {framework: sklearn, version: "1.9", base: one, device: cuda13.0}
exclude:
  - framework: minimal
    base: two
    reason: nobody asked for it so far
groups:
  default: ["*-debian12-*"]
  few: [sklearn, minimal-debian12-*]
""".replace("LIFECYCLE", LIFECYCLE)

PYTORCH = 'frameworks.pytorch.versions."2.13"'


def matrix(folder: Path, text: str) -> LoadedMatrix:
    file = folder / "matrix.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} must be there once"
    return GOOD.replace(old, new)


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedMatrix:
    return matrix(tmp_path, GOOD)


@pytest.fixture
def variants(loaded: LoadedMatrix) -> dict[str, Variant]:
    return {variant.name: variant for variant in expand(loaded)}


# Expansion.


def test_pins_of_one_device_alone(tmp_path: Path) -> None:
    """A GPU image has another distribution of its framework, and no wheel source where PyPI has it."""
    text = edited(
        """    wheel-source: torch-cpu
    versions:
      "2.13":
        contract: [torch==2.13.0]
""",
        """    versions:
      "2.13":
        contract: [numpy>=2.0]
        cpu: {contract: [torch==2.13.0+cpu], wheel-source: torch-cpu}
        gpu:
          contract: [torch==2.13.0]
          guards: [{pin: triton==3.5, reason: it is what torch was built with}]
          cuda-packages: [nvidia-cuda-runtime==13.0.96]
""",
    )
    found = {variant.device: variant for variant in expand(matrix(tmp_path, text)) if variant.framework == "pytorch"}
    cpu, gpu = found["cpu"], found["cuda13.0"]
    assert cpu.own_contract == ("torch==2.13.0+cpu", "numpy>=2.0")
    assert [name for name, _ in cpu.wheel_sources] == ["torch-cpu"]
    assert gpu.own_contract == ("torch==2.13.0", "numpy>=2.0")
    assert gpu.wheel_sources == ()
    assert gpu.requirements[-2:] == ("triton==3.5", "nvidia-cuda-runtime==13.0.96")


def test_cuda_from_an_image_or_from_debian_has_a_base_image_of_its_own(tmp_path: Path) -> None:
    packages = "    packages: [nvidia-cudnn-cu13==9.12.0.46]\n"
    name = "pytorch-2.13-debian12-py311-cuda13.0-gpu-inference"

    def base_image(cuda: str) -> str:
        variants = {variant.name: variant for variant in expand(matrix(tmp_path, edited(packages, cuda)))}
        assert variants["pytorch-2.13-debian12-py311-cpu-inference"].base_image_name == "one"
        return variants[name].base_image_name

    assert base_image(packages) == "one"
    assert base_image("    debian: [libcudart13]\n" + packages) == "one-cuda13.0"
    assert base_image("    images: {one: nvidia/cuda:13.0.3-runtime}\n") == "one-cuda13.0"


def test_a_cuda_ends_its_images(tmp_path: Path) -> None:
    """Each axis may end an image: version, base and CUDA; the first of them does."""
    text = edited(
        "    cudnn: 9.12.0.46\n",
        "    cudnn: 9.12.0.46\n    lifecycle: {full-support: {until: 2027-01-31, source: upstream says}}\n",
    )
    variants = {variant.name: variant for variant in expand(matrix(tmp_path, text))}
    assert variants["pytorch-2.13-debian12-py311-cpu-inference"].lifecycle.end_of_life == datetime.date(2028, 6, 30)
    gpu = variants["pytorch-2.13-debian12-py311-cuda13.0-gpu-inference"]
    assert gpu.lifecycle.end_of_life == datetime.date(2027, 1, 31)


def test_a_cuda_that_a_base_cannot_have(tmp_path: Path) -> None:
    text = edited("    packages: [nvidia-cudnn-cu13==9.12.0.46]\n", "    images: {two: nvidia/cuda:13.0.3}\n")
    with pytest.raises(MatrixError) as raised:
        expand(matrix(tmp_path, text))
    assert "'cuda13.0' has no image for the base 'one'" in f"{raised.value.what} {raised.value.details}"
    places = (f"({PYTORCH}.devices)", "(include[0].device)")
    assert all(place in (raised.value.details or "") for place in places), raised.value.details


def test_a_cuda_from_an_image_is_not_for_a_python_from_a_prefix(tmp_path: Path) -> None:
    text = edited("    packages: [nvidia-cudnn-cu13==9.12.0.46]\n", "    images: {one: nvidia/cuda:13.0.3}\n")
    text = text.replace("{suite: bookworm}\n", "{suite: bookworm}\n    prefix: {version: 3.11.9}\n", 1)
    with pytest.raises(MatrixError) as raised:
        expand(matrix(tmp_path, text))
    said = f"{raised.value.what} {raised.value.details}"
    assert "'cuda13.0' comes with an image, but the base 'one' takes its Python from a prefix" in said


def test_the_cells_that_are_left_out(tmp_path: Path) -> None:
    """Each with all the excludes that match it, and as the image that it would be."""
    text = edited(
        "    reason: nobody asked for it so far\n",
        "    reason: nobody asked for it so far\n  - {base: two, because: choice, reason: that base is not wanted}\n",
    )
    found = excluded(matrix(tmp_path, text))
    assert [(cell.name, cell.by) for cell in found] == [
        ("minimal-debian13-py313-cpu-inference", (0, 1)),
        ("sklearn-1.9-debian13-py313-cpu-inference", (1,)),
    ]
    variant = found[1].variant
    assert isinstance(variant, Variant)
    assert variant.own_contract == ("scikit-learn==1.9.1", "scipy>=1.16")


def test_a_cell_that_is_left_out_because_its_cuda_is_not_for_its_base(tmp_path: Path) -> None:
    text = edited("    packages: [nvidia-cudnn-cu13==9.12.0.46]\n", "    images: {one: nvidia/cuda:13.0.3}\n")
    text = text.replace("device: [cpu]", "device: [cpu, cuda13.0]", 1)
    text = text.replace("exclude:\n", "exclude:\n  - {base: two, device: cuda13.0, reason: there is no such image}\n")
    text = text[: text.index("include:\n")] + text[text.index("exclude:\n") :]
    found = {cell.name: cell.variant for cell in excluded(matrix(tmp_path, text))}
    assert found["sklearn-1.9-debian13-py313-cuda13.0-gpu-inference"] == (
        "'cuda13.0' has no image for the base 'two', no wheels and no Debian packages"
    )


def test_product_exclude_and_include(variants: dict[str, Variant]) -> None:
    assert list(variants) == [
        "minimal-debian12-py311-cpu-inference",
        "pytorch-2.13-debian12-py311-cpu-inference",
        "pytorch-2.13-debian12-py311-cuda13.0-gpu-inference",
        "sklearn-1.8-debian12-py311-cpu-inference",
        "sklearn-1.9-debian12-py311-cpu-inference",
        "sklearn-1.9-debian12-py311-cuda13.0-gpu-inference",
        "sklearn-1.9-debian13-py313-cpu-inference",
    ]


def test_a_variant_carries_what_its_image_needs(variants: dict[str, Variant]) -> None:
    variant = variants["pytorch-2.13-debian12-py311-cuda13.0-gpu-inference"]
    assert variant.repository == "azureml/pytorch-2.13-debian12-py311-cuda13.0-gpu-inference"
    assert (variant.framework, variant.version, variant.device) == ("pytorch", "2.13", "cuda13.0")
    assert variant.cuda is not None
    assert variant.cuda.version == "13.0.3"
    assert [name for name, _ in variant.wheel_sources] == ["torch-cpu"]
    assert variant.own_contract == ("torch==2.13.0",)
    assert variant.requirements == (
        "azureml-inference-server-http==1.5.1",
        "tomli",
        "torch==2.13.0",
        "werkzeug<4",
        "nvidia-cudnn-cu13==9.12.0.46",
    )
    minimal = variants["minimal-debian12-py311-cpu-inference"]
    assert (minimal.version, minimal.cuda, minimal.own_contract) == (None, None, ())


def test_markers_are_evaluated_for_the_bases_python(variants: dict[str, Variant]) -> None:
    on_311 = variants["sklearn-1.9-debian12-py311-cpu-inference"]
    assert on_311.server_contract == ("azureml-inference-server-http==1.5.1", "tomli")
    assert on_311.contract == (*on_311.server_contract, "numpy>=2.0", "scikit-learn==1.9.1")
    on_313 = variants["sklearn-1.9-debian13-py313-cpu-inference"]
    assert on_313.server_contract == ("azureml-inference-server-http==1.5.1",)
    assert on_313.own_contract == ("scikit-learn==1.9.1", "scipy>=1.16")


@pytest.mark.parametrize(
    ("marker", "kept"),
    [
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'x86_64'", True),
        ("python_full_version >= '3.11.0'", True),
        ("platform_release != ''", False),
        ("extra == 'gpu'", False),
    ],
)
def test_markers_know_the_image_and_not_this_machine(tmp_path: Path, marker: str, kept: bool) -> None:
    loaded = matrix(tmp_path, edited("numpy>=2.0", f'"numpy>=2.0; {marker}"'))
    found = next(variant for variant in expand(loaded) if variant.framework == "sklearn")
    assert ("numpy>=2.0" in found.contract) == kept
    assert not any(";" in pin for pin in found.requirements)


def test_lifecycle_is_the_shorter_of_version_and_base(variants: dict[str, Variant]) -> None:
    lifecycle = variants["sklearn-1.8-debian12-py311-cpu-inference"].lifecycle
    assert lifecycle.released == datetime.date(2025, 12, 1)
    assert lifecycle.deprecated == datetime.date(2026, 6, 1)
    assert lifecycle.end_of_life == datetime.date(2028, 6, 30)
    assert lifecycle.lts is not None
    assert lifecycle.lts.source == "the LTS team"


@pytest.mark.parametrize(
    ("deprecated", "expected"),
    [("2029-01-01", datetime.date(2028, 6, 30)), ("2026-01-01", datetime.date(2026, 1, 1))],
)
def test_deprecated_never_comes_after_the_end(tmp_path: Path, deprecated: str, expected: datetime.date) -> None:
    loaded = matrix(tmp_path, edited("deprecated: 2026-06-01", f"deprecated: {deprecated}"))
    found = next(variant for variant in expand(loaded) if variant.version == "1.8")
    assert found.lifecycle.deprecated == expected


def test_the_lifecycle_of_a_cuda_is_that_of_its_images_too(tmp_path: Path) -> None:
    support = "full-support: {until: 2027-06-30, source: upstream says}"
    ends = f"    version: 13.0.3\n    lifecycle: {{deprecated: 2026-12-01, {support}}}\n"
    loaded = matrix(tmp_path, edited("    version: 13.0.3\n", ends))
    found = {variant.name: variant.lifecycle for variant in expand(loaded)}
    gpu = found["pytorch-2.13-debian12-py311-cuda13.0-gpu-inference"]
    assert (gpu.deprecated, gpu.end_of_life) == (datetime.date(2026, 12, 1), datetime.date(2027, 6, 30))
    cpu = found["pytorch-2.13-debian12-py311-cpu-inference"]
    assert (cpu.deprecated, cpu.end_of_life) == (None, datetime.date(2028, 6, 30))


def test_a_version_released_after_its_bases_end(tmp_path: Path) -> None:
    loaded = matrix(tmp_path, edited("released: 2025-12-01, deprecated: 2026-06-01", "released: 2028-12-01"))
    with pytest.raises(MatrixError) as caught:
        expand(loaded)
    assert caught.value.what == "on the base 'one' its end of life comes before its release"
    assert caught.value.where == 'matrix.yaml:45 (frameworks.sklearn.versions."1.8".lifecycle)'


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", "x-1.0-debian12-py311-cpu-inference"),
        ("cuda12.5", "x-1.0-debian12-py311-cuda12.5-gpu-inference"),
    ],
)
def test_image_names_follow_the_contract(device: str, expected: str) -> None:
    assert image_name("x", "1.0", "debian12", "3.11", device) == expected


@pytest.mark.parametrize(
    ("old", "new", "what", "where", "fix"),
    [
        pytest.param(
            "base: [one, two]",
            "base: [one, twoo]",
            "the base 'twoo' is not defined",
            "8 (axes.base[1])",
            "did you mean 'two'? (or define it under 'bases:')",
            id="base of the axis",
        ),
        pytest.param(
            "base: [one, two]",
            "base: [one, two, one]",
            "the base 'one' is listed twice",
            "8 (axes.base[2])",
            "keep one of the two",
            id="base twice",
        ),
        pytest.param(
            "device: [cpu]",
            "device: [cpu, cuda13.1]",
            "the device 'cuda13.1' is not defined",
            "9 (axes.device[1])",
            "did you mean 'cuda13.0'? (or define it under 'cuda:')",
            id="device of the axis",
        ),
        pytest.param(
            "devices: [cpu, cuda13.0]",
            "devices: [cpu, tpu]",
            "the device 'tpu' is not defined",
            f"55 ({PYTORCH}.devices[1])",
            "did you mean 'cpu'?",
            id="device of a version",
        ),
        pytest.param(
            "[torch==2.13.0]\n        bases: [one]",
            "[torch==2.13.0]\n        bases: [ubuntu]",
            "the base 'ubuntu' is not defined",
            f"54 ({PYTORCH}.bases[0])",
            "defined bases: one, two (or define it under 'bases:')",
            id="base of a version",
        ),
        pytest.param(
            "wheel-source: torch-cpu",
            "wheel-source: torch-cp",
            "the wheel source 'torch-cp' is not defined",
            "50 (frameworks.pytorch.wheel-source)",
            "did you mean 'torch-cpu'? (or define it under 'wheel-sources:')",
            id="wheel source",
        ),
        pytest.param(
            "include:\n  - {framework: sklearn",
            "include:\n  - {framework: sklern",
            "the framework 'sklern' is not defined",
            "57 (include[0].framework)",
            "did you mean 'sklearn'?",
            id="framework of an include",
        ),
        pytest.param(
            'version: "1.9", base: one',
            'version: "1.7", base: one',
            "the version '1.7' is not defined",
            "57 (include[0].version)",
            "(or define it under 'frameworks.sklearn.versions:')",
            id="version of an include",
        ),
        pytest.param(
            "base: one, device: cuda13.0}",
            "base: none, device: cuda13.0}",
            "the base 'none' is not defined",
            "57 (include[0].base)",
            "did you mean 'one'?",
            id="base of an include",
        ),
        pytest.param(
            "base: one, device: cuda13.0}",
            "base: one, device: cuda12.0}",
            "the device 'cuda12.0' is not defined",
            "57 (include[0].device)",
            "did you mean 'cuda13.0'?",
            id="device of an include",
        ),
        pytest.param(
            "version: 13.0.3",
            "version: 13.1.0",
            "'cuda13.0' pins CUDA 13.1.0, but image names would say 13.0",
            '26 (cuda."cuda13.0".version)',
            "call it cuda13.1, or pin a version 13.0.z",
            id="CUDA of another version",
        ),
        pytest.param(
            "base: one, device: cuda13.0}",
            "base: two, device: cpu}",
            'this include is already in the product of the axes: matrix.yaml:46 (frameworks.sklearn.versions."1.9")',
            "57 (include[0])",
            "remove it",
            id="include that is there",
        ),
        pytest.param(
            "exclude:\n",
            '  - {framework: sklearn, version: "1.9", base: one, device: cuda13.0}\nexclude:\n',
            "this include repeats another one: matrix.yaml:57 (include[0])",
            "58 (include[1])",
            "remove it",
            id="include twice",
        ),
        pytest.param(
            "framework: minimal\n",
            "framework: minimum\n",
            "this exclude matches nothing: no cell has the framework 'minimum'",
            "59 (exclude[0].framework)",
            "did you mean 'minimal'? (or remove it, if it is obsolete)",
            id="exclude of no framework",
        ),
        pytest.param(
            "framework: minimal\n",
            'framework: sklearn\n    version: "1.8"\n',
            "this exclude matches nothing: no cell of framework 'sklearn', version '1.8' has the base 'two'",
            "61 (exclude[0].base)",
            "there is base: one (or remove it",
            id="exclude of no combination",
        ),
        pytest.param(
            "  - framework: minimal\n    base: two\n    reason: nobody",
            "  - reason: nobody",
            "this exclude would exclude everything",
            "59 (exclude[0])",
            "framework, version, base, device",
            id="exclude of everything",
        ),
        pytest.param(
            '    os: debian13\n    python: "3.13"',
            '    os: debian12\n    python: "3.11"',
            "two variants are called sklearn-1.9-debian12-py311-cpu-inference: one is of matrix.yaml:11 (bases.one)",
            "18 (bases.two)",
            "another 'os' or 'python'",
            id="two bases, one name",
        ),
        pytest.param(
            "  pytorch:\n",
            "  sklearn-1.9:\n    title: again\n    versions: {n/a: {bases: [two]}}\n  pytorch:\n",
            "two variants are called sklearn-1.9-debian13-py313-cpu-inference: "
            'one is of matrix.yaml:46 (frameworks.sklearn.versions."1.9")',
            '50 (frameworks."sklearn-1.9".versions."n/a")',
            "exclude one of the two",
            id="two versions, one name",
        ),
        pytest.param(
            "few: [sklearn, ",
            "few: [sklern-*, ",
            "'sklern-*' in the group 'few' matches no image",
            "64 (groups.few[0])",
            "the nearest: sklearn-1.8-debian12-py311-cpu-inference, ",
            id="group",
        ),
    ],
)
def test_contradictions(tmp_path: Path, old: str, new: str, what: str, where: str, fix: str) -> None:
    loaded = matrix(tmp_path, edited(old, new))
    with pytest.raises(MatrixError) as caught:
        expand(loaded)
    assert caught.value.what == what
    assert caught.value.where == f"matrix.yaml:{where}"
    assert fix in (caught.value.fix or "")


def test_all_contradictions_come_together_by_line(tmp_path: Path) -> None:
    text = GOOD.replace("device: [cpu]", "device: [cpu, tpu]").replace("wheel-source: torch-cpu", "wheel-source: x")
    with pytest.raises(MatrixError) as caught:
        expand(matrix(tmp_path, text))
    assert caught.value.what == "matrix.yaml has 2 errors"
    lines = (caught.value.details or "").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["matrix.yaml:9", "matrix.yaml:50"]


def test_a_matrix_of_which_all_is_excluded(tmp_path: Path) -> None:
    text = GOOD.replace("- framework: minimal\n    base: two", '- framework: "*"')
    text = text[: text.index("include:")] + text[text.index("exclude:") :]
    with pytest.raises(MatrixError) as caught:
        expand(matrix(tmp_path, text))
    assert caught.value.what == "every cell is excluded: there is no image"
    assert caught.value.where == "matrix.yaml:56 (exclude)"


def test_an_exclude_without_keys_is_one_error(tmp_path: Path) -> None:
    text = GOOD.replace("  - framework: minimal\n    base: two\n    reason:", "  - reason:")
    text = text[: text.index("include:")] + text[text.index("exclude:") :]
    with pytest.raises(MatrixError) as caught:
        expand(matrix(tmp_path, text))
    assert caught.value.what == "this exclude would exclude everything"
    assert caught.value.details is None


# Selection.

GROUPS = {"default": ["*-debian12-*"], "few": ["sklearn", "minimal-debian12-*"]}


def taken(variants: dict[str, Variant], selection: Selection, default: str | None = None) -> list[str]:
    names = [variant.name for variant in select(tuple(variants.values()), selection, GROUPS, default)]
    return [name.removesuffix("-inference") for name in names]


def refusal(variants: dict[str, Variant], selection: Selection) -> UsageError:
    with pytest.raises(UsageError) as caught:
        taken(variants, selection)
    return caught.value


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(patterns=("*-py313-*",)), ["sklearn-1.9-debian13-py313-cpu"]),
        (Selection(patterns=("minimal-debian12-py311-cpu-inference",)), ["minimal-debian12-py311-cpu"]),
        (Selection(patterns=("sklearn-1.8",)), ["sklearn-1.8-debian12-py311-cpu"]),
        (Selection(patterns=("azureml/sklearn-1.8",)), ["sklearn-1.8-debian12-py311-cpu"]),
        (
            Selection(patterns=("sklearn-1.8", "minimal-*")),
            ["minimal-debian12-py311-cpu", "sklearn-1.8-debian12-py311-cpu"],
        ),
        (
            Selection(device="gpu"),
            ["pytorch-2.13-debian12-py311-cuda13.0-gpu", "sklearn-1.9-debian12-py311-cuda13.0-gpu"],
        ),
        (Selection(device="cuda13.0", framework=("pytorch",)), ["pytorch-2.13-debian12-py311-cuda13.0-gpu"]),
        (Selection(device="cpu", framework=("py*",)), ["pytorch-2.13-debian12-py311-cpu"]),
        (Selection(base=("two",)), ["sklearn-1.9-debian13-py313-cpu"]),
        (
            Selection(group="few", base=("one",), patterns=("*-cpu-*",), framework=("minimal",)),
            ["minimal-debian12-py311-cpu"],
        ),
    ],
)
def test_selections(variants: dict[str, Variant], selection: Selection, names: list[str]) -> None:
    assert taken(variants, selection) == names


def test_nothing_asked_for_is_the_default_group_or_everything(variants: dict[str, Variant]) -> None:
    assert len(taken(variants, Selection(), "default")) == 6
    assert len(taken(variants, Selection(), None)) == 7
    assert len(taken(variants, Selection(), "there-is-none")) == 7
    assert len(taken(variants, Selection(all_=True), "default")) == 7


def test_a_filter_alone_selects_from_everything(variants: dict[str, Variant]) -> None:
    assert taken(variants, Selection(base=("two",)), "default") == ["sklearn-1.9-debian13-py313-cpu"]


def test_a_part_of_a_word_is_not_a_prefix(variants: dict[str, Variant]) -> None:
    error = refusal(variants, Selection(patterns=("sklearn-1",)))
    assert error.what == "no image matches 'sklearn-1'"
    assert "sklearn-1.8-debian12-py311-cpu-inference" in (error.fix or "")


@pytest.mark.parametrize(
    ("selection", "what", "fix"),
    [
        (
            Selection(patterns=("sklern",)),
            "no image matches 'sklern'",
            "the nearest: sklearn-1.8-debian12-py311-cpu",
        ),
        (Selection(patterns=("*-py314-*",)), "no image matches '*-py314-*'", "the nearest: "),
        (
            Selection(patterns=("minimal-*", "pytroch-2.13-*", "x")),
            "no image matches 'pytroch-2.13-*', 'x'",
            "the nearest: pytorch-2.13-debian12-py311-cpu-inference",
        ),
        (
            Selection(patterns=("qqq",)),
            "no image matches 'qqq'",
            "the images: minimal-debian12-py311-cpu-inference, ",
        ),
        (Selection(device="cuda13.1"), "no image has the device 'cuda13.1'", "did you mean 'cuda13.0'?"),
        (
            Selection(device="tensor"),
            "no image has the device 'tensor'",
            "the images' devices: cpu, cuda13.0, gpu",
        ),
        (
            Selection(framework=("sklearn", "pytroch")),
            "no image has the framework 'pytroch'",
            "did you mean 'pytorch'?",
        ),
        (Selection(base=("three",)), "no image has the base 'three'", "the images' bases: one, two"),
        (Selection(group="defalt"), "there is no group 'defalt'", "did you mean 'default'?"),
        (
            Selection(framework=("pytorch",), base=("two",)),
            "no image matches all of --framework pytorch, --base two",
            "(images that match each alone: --framework pytorch: 2, --base two: 1); the nearest: pytorch-2.13",
        ),
        (Selection(all_=True, group="few"), "cannot be combined with", "give one of the two"),
        (Selection(all_=True, patterns=("x",)), "cannot be combined with", "give one of the two"),
    ],
)
def test_selections_that_match_nothing(variants: dict[str, Variant], selection: Selection, what: str, fix: str) -> None:
    error = refusal(variants, selection)
    assert what in error.what
    assert fix in (error.fix or "")


def test_no_gpu_image_at_all(variants: dict[str, Variant]) -> None:
    cpu = {name: variant for name, variant in variants.items() if variant.device == "cpu"}
    error = refusal(cpu, Selection(device="gpu"))
    assert (error.what, error.fix) == ("no image is for a GPU", "the images' devices: cpu")


def test_at_most_eight_names_are_listed() -> None:
    variants = PROJECT.variants
    with pytest.raises(UsageError) as caught:
        select(variants, Selection(patterns=("qqq",)), {}, None)
    assert (caught.value.fix or "").count("-inference") == 8
    assert f"({len(variants) - 8} more)" in (caught.value.fix or "")


# Plain data.


def test_rows_for_json(variants: dict[str, Variant]) -> None:
    rows = {row["name"]: row for row in as_rows(tuple(variants.values()), GROUPS)}
    assert rows["sklearn-1.9-debian12-py311-cuda13.0-gpu-inference"] == {
        "name": "sklearn-1.9-debian12-py311-cuda13.0-gpu-inference",
        "framework": "sklearn",
        "version": "1.9",
        "device": "cuda13.0",
        "cuda": "13.0.3",
        "cudnn": "9.12.0.46",
        "reach": [],
        "base": "one",
        "python": "3.11",
        "contract": ["azureml-inference-server-http==1.5.1", "tomli", "numpy>=2.0", "scikit-learn==1.9.1"],
        "lifecycle": {
            "released": "2023-06-10",
            "deprecated": None,
            "full-support": {"until": "2026-06-10", "source": "the distribution"},
            "lts": {"until": "2028-06-30", "source": "the LTS team"},
            "end-of-life": "2028-06-30",
        },
        "groups": ["default", "few"],
    }
    minimal = rows["minimal-debian12-py311-cpu-inference"]
    assert (minimal["version"], minimal["cuda"], minimal["cudnn"]) == (None, None, None)


def test_group_members_are_names_in_order(variants: dict[str, Variant]) -> None:
    members = group_members(tuple(variants.values()), ["sklearn-1.8", "minimal-*"])
    assert members == ("minimal-debian12-py311-cpu-inference", "sklearn-1.8-debian12-py311-cpu-inference")


# Patches of a distribution's metadata.


def test_what_a_patch_takes_out_of_a_pinned_distributions_metadata_is_left_out(tmp_path: Path) -> None:
    def left_out(version: str, more: str = "", line: str = "Requires-Dist: nvidia-cublas") -> set[tuple[str, ...]]:
        text = edited(
            "    packages: [nvidia-cudnn-cu13==9.12.0.46]\n", f"    packages: [nvidia-cudnn-cu13==9.12.0.46{more}]\n"
        )
        text += (
            "patches:\n"
            f"  - distribution: nvidia-cudnn-cu13=={version}\n"
            f"    file: nvidia_cudnn_cu13-{version}.dist-info/METADATA\n"
            f'    find: "{line}\\n"\n'
            '    replace: ""\n'
            "    reason: its libraries are loaded, and nothing else\n"
        )
        return {variant.left_out for variant in expand(matrix(tmp_path, text)) if variant.cuda}

    assert left_out("9.12.0.46") == {("nvidia-cublas",)}
    assert left_out("9.13.0.50") == {()}
    assert left_out("9.12.0.46", ", nvidia-cublas==13.1.1.3") == {()}
    assert left_out("9.12.0.46", line="Requires-Dist: nvidia-cublas (>=13") == {("nvidia-cublas",)}
    assert left_out("9.12.0.46", line="Requires-Dist:") == {()}
