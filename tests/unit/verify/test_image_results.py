"""The JSON lines that the image tests write: real pytest processes on small suites, without an engine."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from build.paths import Paths, ToolPaths, tool
from build.system import state
from build.verify import events, pytest_run
from build.verify.events import Collected, Completed, Error, Event
from build.verify.pytest_run import Files

IMAGES = ("one-cpu-inference", "two-gpu-inference")


def run(folder: Path, suite: str) -> list[Event]:
    """The events of a suite on two images that are nowhere: its tests start no container."""
    paths, copy = Paths(root=folder), ToolPaths(root=folder)
    copy.image_tests.mkdir(parents=True)
    for file in ("conftest.py", "image_plan.py", "image_results.py", "image_container.py"):
        shutil.copy(tool().image_tests / file, copy.image_tests)
    (copy.image_tests / "test_image_sample.py").write_text(textwrap.dedent(suite))
    unused = ("reference", "image_id", "recipe", "framework", "version", "cuda", "cudnn", "cuda_absent", "os", "python")
    lists = ("contract", "from_default_index", "from_source")
    entry: dict[str, object] = {**dict.fromkeys(unused), **{key: [] for key in lists}, "lock": {}, "labels": {}}
    plan = [{**entry, "name": name, "device": name.split("-")[1]} for name in IMAGES]
    files = Files(paths=paths)
    files.prepare()
    state.write_json(files.plan, {"container_labels": {}, "images": plan})
    command = pytest_run.command(copy, files, workers=2, keywords=None)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    lines = files.events.read_text(encoding="utf-8").splitlines()
    assert lines, done.stdout + done.stderr
    return [events.parse(line) for line in lines]


def completed(found: list[Event], image: str) -> dict[str, Completed]:
    return {event.test: event for event in found if isinstance(event, Completed) and event.image == image}


def test_each_test_of_each_image_has_a_result(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        import pytest

        @pytest.mark.parametrize("variable", ["LANG", "SVDIR"])
        def test_environment(image, variable):
            assert image.device == "cpu" or variable == "LANG", f"{variable} is missing\\nand more"

        def test_gpu(image):
            pytest.skip("no GPU here")

        @pytest.fixture
        def broken(image):
            pytest.fail("the container ended", pytrace=False)

        def test_fixture(broken):
            pass
        """,
    )
    assert found[0] == Collected(event="collected", tests=dict.fromkeys(IMAGES, 4))
    one, two = (completed(found, image) for image in IMAGES)
    assert {name: (test.outcome, test.reason) for name, test in two.items()} == {
        "test_environment (LANG)": ("passed", ""),
        "test_environment (SVDIR)": ("failed", "SVDIR is missing"),
        "test_gpu": ("skipped", "no GPU here"),
        "test_fixture": ("failed", "the container ended"),
    }
    assert one["test_environment (SVDIR)"].outcome == "passed"
    assert {test.group for test in one.values()} == {"sample"}


def test_a_result_says_what_it_depends_on(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        import pytest

        pytestmark = pytest.mark.depends("base")

        def test_server(image): pass

        @pytest.mark.depends("image")
        def test_packages(image): pass
        """,
    )
    depends = {name: test.depends for name, test in completed(found, IMAGES[0]).items()}
    assert depends == {"test_server": "base", "test_packages": "image"}


def test_a_test_is_not_collected_for_images_that_it_does_not_apply_to(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        from image_plan import applies

        @applies(lambda image: image.device == "gpu")
        def test_cuda(image): pass

        def test_port(image): pass
        """,
    )
    assert found[0] == Collected(event="collected", tests={IMAGES[0]: 1, IMAGES[1]: 2})
    assert completed(found, IMAGES[0]).keys() == {"test_port"}
    assert completed(found, IMAGES[1]).keys() == {"test_port", "test_cuda"}


def test_the_inventory_is_part_of_the_result_of_its_test(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
        def test_inventory(image, record_inventory):
            record_inventory({"python": [{"name": "flask", "version": "3.1"}], "debian": []})

        def test_port(image): pass
        """,
    )
    tests = completed(found, IMAGES[0])
    inventory = tests["test_inventory"].inventory
    assert inventory is not None
    assert [package.name for package in inventory.python] == ["flask"]
    assert tests["test_port"].inventory is None


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("def test_no_image(): assert False, 'wrong'", "wrong"),
        ("import os\ndef test_dead(image): os._exit(1)", "crashed"),
    ],
)
def test_a_failure_that_belongs_to_no_image_is_an_error(tmp_path: Path, suite: str, reason: str) -> None:
    errors = [event.reason for event in run(tmp_path, suite) if isinstance(event, Error)]
    assert errors
    assert reason in errors[0]
