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


def run(folder: Path, suite: str, *, scope: str = "all") -> list[Event]:
    """The events of a suite on two images that are nowhere: its tests start no container."""
    paths, copy = Paths(root=folder), ToolPaths(root=folder)
    copy.image_tests.mkdir(parents=True, exist_ok=True)
    for file in ("conftest.py", "image_plan.py", "image_results.py", "image_timing.py", "image_container.py"):
        shutil.copy(tool().image_tests / file, copy.image_tests)
    (copy.image_tests / "test_image_sample.py").write_text(textwrap.dedent(suite))
    unused = ("reference", "image_id", "recipe", "framework", "version", "cuda", "cudnn", "cuda_absent", "os", "python")
    lists = ("reach", "contract", "from_default_index", "from_source", "server_packages")
    entry: dict[str, object] = {
        **dict.fromkeys(unused),
        **{key: [] for key in lists},
        "lock": {},
        "start": {},
        "labels": {},
        "scope": scope,
    }
    plan = [{**entry, "name": name, "framework": name.split("-")[0], "device": name.split("-")[1]} for name in IMAGES]
    files = Files(paths=paths)
    files.prepare()
    state.write_json(files.plan, {"container_labels": {}, "images": plan})
    command = pytest_run.command(copy, files, workers=2, keywords=None)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    lines = files.events.read_text(encoding="utf-8").splitlines()
    assert lines, done.stdout + done.stderr
    return [events.parse(line) for line in lines]


def completed(events_: list[Event], image: str) -> dict[str, Completed]:
    return {event.test: event for event in events_ if isinstance(event, Completed) and event.image == image}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The events of a suite with tests of every kind."""
    suite = """
        import pytest
        from image_plan import applies

        pytestmark = pytest.mark.depends("base")

        @pytest.mark.parametrize("variable", ["LANG", "SVDIR"])
        def test_environment(image, variable):
            assert image.device == "cpu" or variable == "LANG", f"{variable} is missing\\nand more"

        def test_driver(image):
            pytest.skip("no GPU here")

        @pytest.fixture
        def broken(image):
            pytest.fail("the container ended", pytrace=False)

        def test_fixture(broken):
            pass

        @pytest.mark.depends("image")
        def test_inventory(image, record_inventory):
            record_inventory({"python": [{"name": "flask", "version": "3.1"}], "debian": []})

        @applies(lambda image: image.device == "gpu")
        def test_cuda(image): pass
    """
    return run(tmp_path_factory.mktemp("suite"), suite)


def test_each_test_of_each_image_has_a_result(found: list[Event]) -> None:
    one, two = (completed(found, image) for image in IMAGES)
    assert {name: (test.outcome, test.reason) for name, test in two.items()} == {
        "test_environment (LANG)": ("passed", ""),
        "test_environment (SVDIR)": ("failed", "SVDIR is missing"),
        "test_driver": ("skipped", "no GPU here"),
        "test_fixture": ("failed", "the container ended"),
        "test_inventory": ("passed", ""),
        "test_cuda": ("passed", ""),
    }
    assert one["test_environment (SVDIR)"].outcome == "passed"
    assert {test.group for test in one.values()} == {"sample"}


def test_a_result_says_what_it_depends_on(found: list[Event]) -> None:
    tests = completed(found, IMAGES[0])
    assert (tests["test_driver"].depends, tests["test_inventory"].depends) == ("base", "image")


def test_a_test_is_not_collected_for_images_that_it_does_not_apply_to(found: list[Event]) -> None:
    assert found[0] == Collected(event="collected", tests={IMAGES[0]: 5, IMAGES[1]: 6})
    assert "test_cuda" not in completed(found, IMAGES[0])
    assert "test_cuda" in completed(found, IMAGES[1])


def test_the_inventory_is_part_of_the_result_of_its_test(found: list[Event]) -> None:
    tests = completed(found, IMAGES[0])
    inventory = tests["test_inventory"].inventory
    assert inventory is not None
    assert [package.name for package in inventory.python] == ["flask"]
    assert tests["test_driver"].inventory is None


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


def test_an_images_own_tests_are_for_two_workers(tmp_path: Path) -> None:
    """Those that share a container stay together; those of files with containers of their own go to another worker."""
    test = """
        import os
        import pathlib

        def test_{0}(image):
            with pathlib.Path("ran").open("a") as file:
                file.write(f"{{image.name}} {0} {{os.environ['PYTEST_XDIST_WORKER']}}\\n")
    """
    folder = ToolPaths(root=tmp_path).image_tests
    folder.mkdir(parents=True)
    for name in ("children", "config"):
        (folder / f"test_image_{name}.py").write_text(textwrap.dedent(test.format(name)))
    run(tmp_path, test.format("sample"), scope="image")
    lines = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    workers = {file: worker for image, file, worker in lines if image == IMAGES[0]}
    assert workers["config"] == workers["sample"] != workers["children"]


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Completed]:
    """The results of tests of times: servers are numbers, and the first one is slow."""
    suite = """
        def fresh():
            return 2

        def test_kept_at_the_second_try(image, timing):
            timing.check(lambda server: "it took 2 s" if server == 1 else "", 1, fresh)

        def test_never_kept(image, timing):
            timing.check(lambda server: f"server {server} took 2 s", 1, fresh)

        def test_kept(image, timing):
            timing.check(lambda server: "", 1, lambda: 1 / 0)

        def test_wrong_answer(image, timing):
            def measure(server):
                assert server == 2, "the answer is wrong"
                return ""
            timing.check(measure, 1, fresh)
    """
    return completed(run(tmp_path_factory.mktemp("timed"), suite), IMAGES[0])


@pytest.mark.parametrize(
    ("test", "outcome", "measured_again", "reason"),
    [
        ("test_kept_at_the_second_try", "passed", ("it took 2 s",), ""),
        ("test_never_kept", "failed", ("server 1 took 2 s",), "twice: server 2 took 2 s"),
        ("test_kept", "passed", (), ""),
        ("test_wrong_answer", "failed", (), "the answer is wrong"),
    ],
)
def test_times_are_measured_again_and_nothing_else(
    timed: dict[str, Completed], test: str, outcome: str, measured_again: tuple[str, ...], reason: str
) -> None:
    result = timed[test]
    assert (result.outcome, result.measured_again) == (outcome, measured_again)
    assert result.reason.startswith(reason)


def test_the_scoring_script_of_the_project_takes_the_place_of_that_of_the_tool(tmp_path: Path) -> None:
    own, of_tool = Paths(root=tmp_path).scoring, ToolPaths(root=tmp_path).scoring
    for folder, names in ((own, ["one"]), (of_tool, ["one", "two"])):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}.py").write_text(f"REQUEST = {folder.parent.name!r}\nANSWER = 1\n", encoding="utf-8")
    suite = """
        def test_request(image, scoring):
            assert scoring.request == ("images" if image.framework == "two" else "PROJECT")
    """
    found = run(tmp_path, suite.replace("PROJECT", tmp_path.name))
    results = [completed(found, image) for image in IMAGES]
    assert [[each.outcome for each in result.values()] for result in results] == [["passed"], ["passed"]]
