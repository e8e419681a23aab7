"""Verification: the messages, the record of what passed, and that no container is left.

With an engine, the real runner runs a small suite on small images. The project's own suite runs on the project's
images (`nox -s verify`).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from build.engine import find as engine_find
from build.engine.built import BuiltImage
from build.engine.images import LocalImage
from build.errors import EngineError, UsageError, VerifyError
from build.images.image import Image
from build.images.layers import stacked
from build.images.recipe import Recipe
from build.paths import Paths, ToolPaths, repository, tool
from build.verify import containers, foundation, reports, summary, verify
from build.verify.reports import Check, Package, PackageLayer
from build.verify.results import Outcome, VerifyResult
from build.verify.target import Target, suite_of
from tests.unit.fixture_project import PROJECT

#: The names of the two images: one passes the tests, the other does not.
GOOD, BAD = "sklearn-1.9-debian12-py311-cpu-inference", "minimal-debian12-py311-cpu-inference"

SUITE = """
    import pytest

    def test_good_images_pass(image):
        assert "sklearn" in image.name, f"{image.framework} is not good"

    def test_with_a_skip(image):
        pytest.skip("no GPU here")

    def test_labels(config):
        assert config["Labels"]["of"] == "a test"
"""

#: Two tests; each writes down which container it got.
CONTAINERS = """
    import pathlib
    import time

    def test_one(container): write_down(container)
    def test_two(container): write_down(container)

    def write_down(container):
        with pathlib.Path("started").open("a") as file:
            file.write(container.id + "\\n")
"""


#: One test of the base and the server layer, and one of the image. They write down in which image they ran, and the
#: first one fails in the images that BROKEN names.
FOUNDATION = """
    import pathlib

    import pytest

    BROKEN = ()

    def write_down(test, image):
        with pathlib.Path("ran").open("a") as file:
            file.write(f"{test} {image.framework}\\n")

    @pytest.mark.depends("base")
    def test_base(image):
        write_down("base", image)
        assert image.framework not in BROKEN, "the base is broken"

    def test_own(image):
        write_down("own", image)
"""


#: Where the images that CHANGED names have another pip.conf and no bytecode of Flask.
SERVER = """
    import pytest

    CHANGED = ()

    @pytest.mark.depends("base")
    def test_base(image):
        pass

    def test_parts(image, record_server_parts):
        parts = {"pyvenv.cfg": "1", "bytecode of flask": "2", "pip.conf": "3"}
        other = {"pyvenv.cfg": "1", "pip.conf": "4"}
        record_server_parts(other if image.framework in CHANGED else parts)
"""


def target(
    name: str, image_id: str = "sha256:" + "1" * 64, reference: str = "none:none", base: str = "a base"
) -> Target:
    [variant] = [one for one in PROJECT.variants if one.name == name]
    [image] = PROJECT.images([variant])
    layers = [base, *(layer for layer, _ in stacked(image.layers))]
    local = LocalImage(
        reference=reference, id=image_id, recipe=None, size=0, layers=tuple((one, 1) for one in layers), labels=()
    )
    return Target(built=BuiltImage(image=image, recipe=Recipe(inputs={"of": name}), local=local))


def with_image(target: Target, image: Image) -> Target:
    return replace(target, built=replace(target.built, image=image))


def result(name: str, *failures: tuple[str, str], passed: int = 3) -> VerifyResult:
    return VerifyResult(
        name=name,
        image_id="sha256:1",
        passed=passed,
        failures=tuple(Outcome(test=test, reason=reason) for test, reason in failures),
    )


# Messages.


def test_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image to verify"):
        verify.verify([], docker_host=None, tool=tool(), paths=Paths(root=tmp_path))


def test_no_docker_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="no docker command") as failure:
        verify.verify([target(GOOD)], docker_host=None, tool=tool(), paths=Paths(root=tmp_path))
    assert "nox -s engine" in (failure.value.fix or "")


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command is not installed")
def test_no_engine_behind_the_address(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/no.sock"
    with pytest.raises(EngineError) as failure:
        verify.verify([target(GOOD)], docker_host=address, tool=tool(), paths=Paths(root=tmp_path))
    assert failure.value.where == address


def test_a_failure_lists_tests_and_images(tmp_path: Path) -> None:
    paths = Paths(root=tmp_path)
    results = [
        result("one", ("test_port", "EXPOSE is []"), ("test_user", "root")),
        result("two", ("test_port", "EXPOSE is []")),
        result("three"),
    ]
    with pytest.raises(VerifyError, match="2 of 3 images failed") as failure:
        summary.raise_for(results, paths)
    assert (failure.value.details or "").splitlines() == [
        "test_port: EXPOSE is []",
        "    in one, two",
        "test_user: root",
        "    in one",
    ]
    assert ".pipeline/reports/verify.xml" in (failure.value.where or "")


def test_one_cause_is_listed_once(tmp_path: Path) -> None:
    cause = "the container ended with exit code 3 (OSError: libgomp.so.1)"
    failures = [(f"test_{number}", cause) for number in range(20)]
    with pytest.raises(VerifyError) as failure:
        summary.raise_for([result("one", *failures)], Paths(root=tmp_path))
    assert failure.value.details == f"test_0 and 19 more: {cause}"


def test_an_image_without_tests_has_not_passed(tmp_path: Path) -> None:
    with pytest.raises(VerifyError) as failure:
        summary.raise_for([result("one", passed=0)], Paths(root=tmp_path))
    assert "no test passed" in (failure.value.details or "")


def summary_of(results: list[VerifyResult]) -> None:
    summary.print_table(results)
    summary.print_notes(results)


def test_the_results_as_json() -> None:
    made = json.loads(summary.to_json([result("one"), result("two", ("test_port", "EXPOSE is []"))]))
    assert [(each["name"], each["result"]) for each in made] == [("one", "verified"), ("two", "FAILED")]
    assert made[1]["failures"] == [{"test": "test_port", "reason": "EXPOSE is []"}]


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    skips = (Outcome(test="test_gpu", reason="no GPU here"),)
    summary_of(
        [
            replace(result("one"), skips=skips, seconds=4.2),
            result("two", ("test_port", "EXPOSE is []")),
            replace(result("three"), remembered=True),
            replace(result("four"), partial=True),
        ]
    )
    shown = capsys.readouterr()
    assert [line.split() for line in shown.out.splitlines()] == [
        ["image", "result", "passed", "failed", "skipped", "time"],
        ["one", "verified", "3", "0", "1", "4.2", "s"],
        ["two", "FAILED", "3", "1", "0", "0.0", "s"],
        ["three", "already", "verified", "3", "0", "0", "0.0", "s"],
        ["four", "passed", "3", "0", "0", "0.0", "s"],
    ]
    assert "skipped test_gpu: no GPU here (one)" in shown.err


def test_what_was_measured_again_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """Once: for the image in which it ran."""
    check = Check(group="clients", test="test_probe", outcome="passed", measured_again=("it took 2 s",))
    elsewhere = check.model_copy(update={"ran_in": "one"})
    summary_of([replace(result("one"), checks=(check,)), replace(result("two"), checks=(elsewhere,))])
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("test_probe kept its time only at the second try (one): it took 2 s") == 1


# What invalidates a verification.


def test_the_suite_of_an_image_includes_its_expectations() -> None:
    tests = tool().image_tests
    first = target(GOOD)
    image = first.built.image
    tagged = replace(first.built, local=replace(first.built.local, reference="another:tag"))
    assert suite_of(first, tests) == suite_of(replace(first, built=tagged), tests)
    for other in (
        with_image(first, replace(image, lock=replace(image.lock, packages=image.lock.packages[1:]))),
        replace(first, labels={"framework": "sklearn"}),
        with_image(first, replace(image, variant=replace(image.variant, contract=("numpy>=3",)))),
    ):
        assert suite_of(first, tests) != suite_of(other, tests)


# With an engine.


@dataclass(frozen=True)
class Bench:
    """A checkout with a suite of its own, two images, and the engine they are in."""

    tool: ToolPaths
    paths: Paths
    host: str
    targets: list[Target]

    def run(self, *, keywords: str | None = None, force: bool = False) -> list[VerifyResult]:
        return verify.run(
            self.targets,
            docker_host=self.host,
            tool=self.tool,
            paths=self.paths,
            keywords=keywords,
            force=force,
            workers=2,
        )

    def suite(self, text: str) -> None:
        (self.tool.image_tests / "test_sample.py").write_text(textwrap.dedent(text))

    def ran(self) -> list[str]:
        """The tests that ran, with the images that they ran in."""
        return sorted((self.paths.root / "ran").read_text().splitlines())

    def forget_what_ran(self) -> None:
        (self.paths.root / "ran").unlink()

    def containers(self) -> list[str]:
        label = f"label={containers.CLONE_LABEL}={self.paths.root}"
        return docker(self.host, "ps", "--all", "--quiet", "--filter", label).split()


def docker(host: str, *arguments: str, stdin: bytes | None = None) -> str:
    done = subprocess.run(["docker", "--host", host, *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    running = engine_find.find()
    if running is None or shutil.which("docker") is None:
        pytest.skip("no Docker engine answers: start one with `nox -s engine`")
    # The tool's files and the project's are in different folders.
    bench_tool = ToolPaths(root=tmp_path / "tool")
    bench_tool.image_tests.mkdir(parents=True)
    for file in ("conftest.py", "image_plan.py", "image_results.py", "image_timing.py", "image_container.py"):
        shutil.copy(tool().image_tests / file, bench_tool.image_tests)
    for folder in ("inside", "scoring"):
        shutil.copytree(tool().image_tests / folder, bench_tool.image_tests / folder)
    paths = Paths(root=tmp_path / "project")
    paths.root.mkdir()
    targets = []
    for name in (GOOD, BAD):
        reference = f"verify-test/{uuid.uuid4().hex[:12]}:x"
        change = [
            "--change",
            'LABEL of="a test"',
            "--change",
            'CMD ["/wait"]',
            "--change",
            f"LABEL name={name}",
        ]
        image_id = docker(running.host, "import", *change, "-", reference, stdin=root_file_system()).strip()
        targets.append(target(name, image_id, reference))
    made = Bench(tool=bench_tool, paths=paths, host=running.host, targets=targets)
    made.suite(SUITE)
    yield made
    docker(running.host, "rmi", "--force", *(one.built.local.reference for one in targets))


def root_file_system() -> bytes:
    """The smallest root file system that a container can start from: a program that waits, and the app root."""
    wait = bytes.fromhex("b822000000 0f05 ebf7")  # loop: pause(); goto loop (x86-64)
    size = 64 + 56 + len(wait)
    elf = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000)
    program, folder = tarfile.TarInfo("wait"), tarfile.TarInfo("var/azureml-app")
    program.size, program.mode = size, 0o755
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(folder)
        tar.addfile(program, io.BytesIO(elf + segment + wait))
    return buffer.getvalue()


@pytest.mark.engine
def test_each_image_has_its_results(bench: Bench) -> None:
    good, bad = bench.run()
    assert (good.name, good.passed, good.failures) == (GOOD, 2, ())
    assert (bad.name, bad.passed) == (BAD, 1)
    assert bad.failures == (Outcome(test="test_good_images_pass", reason="minimal is not good"),)
    assert good.skips == (Outcome(test="test_with_a_skip", reason="no GPU here"),)
    assert good.seconds > 0
    assert "minimal is not good" in (bench.paths.logs / "verify.log").read_text()
    assert (bench.paths.reports / "verify.xml").is_file()


@pytest.mark.engine
def test_an_image_that_passed_is_not_tested_again(bench: Bench) -> None:
    bench.run()
    good, bad = bench.targets
    assert verify.is_verified(good, bench.tool, bench.paths)
    assert not verify.is_verified(bad, bench.tool, bench.paths)
    again = bench.run()
    assert [one.remembered for one in again] == [True, False]
    assert [one.remembered for one in bench.run(force=True)] == [False, False]


@pytest.mark.engine
def test_an_image_that_passed_has_a_report(bench: Bench) -> None:
    bench.suite(
        """
        '''What is in an image.'''
        import pytest

        def test_inventory(image, record_inventory):
            '''Every package is in it.'''
            found = {"python": [{"name": "flask", "version": "3.1", "licence": "BSD", "licence_source": "License"}]}
            record_inventory(found)

        @pytest.mark.parametrize("label", ["title", "vendor"])
        def test_labels(image, label):
            assert "sklearn" in image.name

        def test_gpu(image):
            pytest.skip("no GPU here")
        """
    )
    bench.run()
    good, bad = (reports.load(bench.paths, target.image_id) for target in bench.targets)
    assert bad is None, "an image that failed has a report"
    assert good is not None
    assert (good.image, good.recipe) == (GOOD, bench.targets[0].built.recipe.digest)
    assert PackageLayer(name="numpy-2.4.6", packages=("numpy==2.4.6",)) in good.layers
    assert good.suite == suite_of(bench.targets[0], bench.tool.image_tests)
    assert good.python_packages == (Package(name="flask", version="3.1", licence="BSD", licence_source="License"),)
    assert good.groups == {"sample": "What is in an image."}
    assert {(check.test, check.outcome, check.reason, check.says) for check in good.checks} == {
        ("test_inventory", "passed", "", "Every package is in it."),
        ("test_labels (title)", "passed", "", ""),
        ("test_labels (vendor)", "passed", "", ""),
        ("test_gpu", "skipped", "no GPU here", ""),
    }
    # Without its report an image is tested again: otherwise it would be published without one.
    shutil.rmtree(bench.paths.reports / "images")
    assert [one.remembered for one in bench.run()] == [False, False]


@pytest.mark.engine
def test_the_foundation_is_tested_in_one_image(bench: Bench) -> None:
    bench.suite(FOUNDATION)
    good, bad = bench.run()
    assert (good.ok, bad.ok) == (True, True)
    assert bench.ran() == ["base minimal", "own minimal", "own sklearn"]
    assert (good.passed, bad.passed) == (1, 2), "a test that ran in another image counts as passed in this one"
    report = reports.load(bench.paths, good.image_id)
    assert report is not None
    assert {check.test: check.ran_in for check in report.checks} == {"test_own": "", "test_base": BAD}
    assert (report.passed, report.passed_elsewhere) == (1, {BAD: 1})


@pytest.mark.engine
def test_the_result_of_a_foundation_is_remembered(bench: Bench) -> None:
    bench.suite(FOUNDATION)
    first, second = (replace(bench, targets=[one]) for one in reversed(bench.targets))
    first.run()
    bench.forget_what_ran()
    assert [one.ok for one in second.run()] == [True]
    assert bench.ran() == ["own sklearn"]
    bench.forget_what_ran()
    second.run(force=True)
    assert bench.ran() == ["base sklearn", "own sklearn"]
    first.run(force=True)
    bench.suite(FOUNDATION + "    # edited")
    bench.forget_what_ran()
    second.run()
    assert bench.ran() == ["base sklearn", "own sklearn"]


@pytest.mark.engine
def test_the_result_of_a_foundation_counts_for_its_own_image(bench: Bench) -> None:
    bench.suite(FOUNDATION)
    alone = replace(bench, targets=bench.targets[1:])
    alone.run()
    (bench.paths.state / "verified.json").unlink()
    bench.forget_what_ran()
    (again,) = alone.run()
    assert bench.ran() == ["own minimal"]
    assert {check.test: check.ran_in for check in again.checks} == {"test_own": "", "test_base": ""}
    assert again.foundation_from == ""


@pytest.mark.engine
def test_images_on_different_bases_share_no_results(bench: Bench) -> None:
    bench.suite(FOUNDATION)
    sklearn, minimal = bench.targets
    other = target(GOOD, sklearn.image_id, sklearn.built.local.reference, base="another base")
    replace(bench, targets=[other, minimal]).run()
    assert bench.ran() == ["base minimal", "base sklearn", "own minimal", "own sklearn"]


@pytest.mark.engine
def test_an_image_that_breaks_its_foundation_fails_alone(bench: Bench) -> None:
    bench.suite(FOUNDATION.replace("BROKEN = ()", "BROKEN = ('minimal',)"))
    good, bad = bench.run()
    assert (good.ok, bad.ok) == (True, False)
    assert bench.ran() == ["base minimal", "base sklearn", "own minimal", "own sklearn"]
    assert good.passed == 2
    again = bench.run()
    assert [one.remembered for one in again] == [True, False]
    assert [one.ok for one in again] == [True, False], "what passed in another image counts for the broken one"


@pytest.mark.engine
def test_an_image_with_another_server_fails_alone(bench: Bench) -> None:
    """The tests of the foundation passed in an image whose server is not this one's."""
    bench.suite(SERVER)
    bench.run()
    assert [one.ok for one in bench.run(force=True)] == [True, True], "the same server"
    bench.suite(SERVER.replace("CHANGED = ()", "CHANGED = ('sklearn',)"))
    good, bad = bench.run()
    assert bad.ok
    reason = f"other than in {BAD}, where the tests of the base and the server ran: bytecode of flask, pip.conf"
    assert good.failures == (Outcome(test="same server and settings", reason=reason),)
    (alone,) = replace(bench, targets=bench.targets[:1]).run()
    assert alone.failures == good.failures, "also where the result of the foundation is remembered"


@pytest.mark.engine
def test_a_broken_foundation_fails_all_its_images(bench: Bench) -> None:
    bench.suite(FOUNDATION)
    bench.run()
    bench.suite(FOUNDATION.replace("BROKEN = ()", "BROKEN = ('minimal', 'sklearn')"))
    broken = Outcome(test="test_base", reason="the base is broken")
    assert [one.failures for one in bench.run()] == [(broken,), (broken,)]
    bench.forget_what_ran()
    assert [one.ok for one in replace(bench, targets=bench.targets[:1]).run()] == [False]
    assert bench.ran() == ["base sklearn", "own sklearn"]


@pytest.mark.engine
def test_images_depend_on_the_result_of_their_foundation(bench: Bench) -> None:
    """An image is not verified any more where the tests fail in the image in which they had passed for it."""
    bench.suite(FOUNDATION)
    bench.run()
    sklearn, minimal = bench.targets
    assert verify.is_verified(sklearn, bench.tool, bench.paths)
    bench.suite(FOUNDATION.replace("BROKEN = ()", "BROKEN = ('minimal',)"))
    replace(bench, targets=[minimal]).run()
    bench.suite(FOUNDATION)
    assert not verify.is_verified(sklearn, bench.tool, bench.paths)


@pytest.mark.engine
def test_a_later_failure_invalidates_an_earlier_success(bench: Bench) -> None:
    bench.run()
    bench.suite(SUITE.replace('"sklearn" in', '"nothing" in'))
    assert not verify.is_verified(bench.targets[0], bench.tool, bench.paths)
    bench.run()
    bench.suite(SUITE)  # the tests that it passed before
    assert [one.remembered for one in replace(bench, targets=bench.targets[:1]).run()] == [False]


@pytest.mark.engine
def test_a_part_of_the_tests_verifies_nothing(bench: Bench) -> None:
    assert [one.passed for one in bench.run(keywords="labels")] == [1, 1]
    assert not verify.is_verified(bench.targets[0], bench.tool, bench.paths)
    with pytest.raises(UsageError, match="no test matches 'lables'"):
        bench.run(keywords="lables")


@pytest.mark.engine
@pytest.mark.parametrize("broken", ["import no_such_module", "def test_no_image(): assert False", ""])
def test_a_broken_suite_verifies_nothing(bench: Bench, broken: str) -> None:
    bench.suite(broken)
    with pytest.raises(VerifyError, match="could not run"):
        bench.run()
    assert not verify.is_verified(bench.targets[0], bench.tool, bench.paths)


@pytest.mark.engine
def test_each_image_has_one_container_and_none_is_left(bench: Bench) -> None:
    bench.suite(CONTAINERS)
    bench.run()
    started = (bench.paths.root / "started").read_text().split()
    assert len(started) == 4
    assert len(set(started)) == 2
    assert bench.containers() == []


@pytest.mark.engine
def test_ctrl_c_leaves_nothing_running(bench: Bench) -> None:
    bench.suite(CONTAINERS + "        time.sleep(600)\n")
    process = started_elsewhere(bench)
    wait_for(lambda: len(bench.containers()) == 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert bench.containers() == []
    assert pids_of(bench) == []


@pytest.mark.engine
def test_the_next_run_removes_containers_of_a_killed_one(bench: Bench) -> None:
    bench.suite(CONTAINERS + "        time.sleep(600)\n")
    process = started_elsewhere(bench)
    wait_for(lambda: len(bench.containers()) == 2)
    for pid in pids_of(bench):
        os.kill(pid, signal.SIGSTOP)  # so that it cannot clean up by itself
    process.kill()
    process.wait()
    left = bench.containers()
    for pid in pids_of(bench):
        os.kill(pid, signal.SIGKILL)
    assert len(left) == 2
    bench.suite(SUITE)
    bench.run()
    assert bench.containers() == []


def started_elsewhere(bench: Bench) -> subprocess.Popen[bytes]:
    """Start the bench's run in a process of its own."""
    (bench.paths.root / "bench.pickle").write_bytes(pickle.dumps((bench.targets, bench.host, bench.tool, bench.paths)))
    script = """
        import pickle, sys
        from build.verify import verify
        targets, host, tool, paths = pickle.load(open(sys.argv[1], "rb"))
        verify.run(targets, docker_host=host, tool=tool, paths=paths, workers=2)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(bench.paths.root / "bench.pickle")]
    return subprocess.Popen(command, cwd=repository().root, stderr=subprocess.DEVNULL)


def pids_of(bench: Bench) -> list[int]:
    """Return the processes of pytest and its workers that run this bench's tests."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                here, command = (entry / "cwd").readlink(), (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if here == bench.paths.root and b"python" in command:
                pids.append(int(entry.name))
    return pids


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.1)


def test_images_with_other_variables_have_other_foundations() -> None:
    one = target(GOOD, "sha256:1", "one:1")
    changed = replace(one.built, local=replace(one.built.local, settings="another PATH"))
    assert foundation.digest_of(one.built) == foundation.digest_of(target(BAD, "sha256:2", "two:1").built) is not None
    assert foundation.digest_of(changed) != foundation.digest_of(one.built)
