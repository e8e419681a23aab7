"""Fixtures of the image tests: each image of the plan, a running container of it, and what its probes found.

`nox -s verify` (`build.verify.verify`) writes the plan and runs these tests; without a plan they are skipped.
A test that takes the ``image`` fixture, or one made from it, runs once for every image.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import image_results
import pytest
import testinfra
from image_container import LIBRARY, PROGRAMS, START_PROGRAMS, Answers, Container, Start, inspect_image, remove
from image_plan import Image, image_of, read
from image_timing import Timing
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
#: What belongs to dockeruser by the contract, in addition to the Python environment.
OWNED = ("/var/azureml-app", "/var/azureml-app/azureml-models", "/var/log", "/var/runit", "/home/dockeruser")
#: The memory for a sample script that does not set ``MEMORY``, in MiB.
MEMORY = 512
#: The files whose tests of an image start containers of their own, and do not use `container`.
APART = ("children", "conditions", "decorated", "known_failures", "reach")
MARKERS = {
    "applies(condition)": "run the test only for images (`image_plan.Image`) for which the condition is true",
    "depends(layers)": "'base': the result is the same for all images with the same base and server layer; "
    "'image', the default: it depends on the image's own packages or configuration",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--plan", type=Path, help="the images to verify: the JSON file that `nox -s verify` writes")
    parser.addoption("--scoring", type=Path, help="a folder whose scoring scripts take the place of those here")
    parser.addoption("--results", type=Path, help="write the results to this file while the tests run, as JSON lines")


def pytest_configure(config: pytest.Config) -> None:
    for name, explanation in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {explanation}")
    config.pluginmanager.register(image_results, "image-results")
    plan, results = config.getoption("--plan"), config.getoption("--results")
    if plan and results and not hasattr(config, "workerinput"):  # xdist's workers have a workerinput
        images, _ = read(plan)
        writer = image_results.ResultsWriter(results, [one.name for one in images])
        config.pluginmanager.register(writer, "image-results-writer")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Send the tests of an image that share a container to one worker, and those of `APART` to another one.

    The many tests of an image's foundation are shared out by file: a second container costs less than a worker that has
    nothing to do.

    xdist's own ``--dist loadgroup`` silently does nothing with pytest 9.2: it writes the group to a private attribute
    that pytest no longer reads (seen with xdist 3.8.0).
    """
    plan = config.getoption("--plan", default=None)
    return ByImage(config, log) if plan else None


class ByImage(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's scheduling by scope: two parts of an image, or its files where many tests of the image run."""

    def _split_scope(self, nodeid: str) -> str:
        images, _ = read(self.config.getoption("--plan"))
        scopes = {one.name: one.scope for one in images}
        name = image_of(nodeid, scopes)
        if name is None:
            return nodeid
        file = PurePosixPath(nodeid.partition("::")[0]).stem
        if scopes[name] == "image":
            return f"{name} apart" if file.removeprefix("test_image_") in APART else name
        return f"{name} {file}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Generate a test for each image."""
    if "image" not in metafunc.fixturenames:
        return
    plan = metafunc.config.getoption("--plan", default=None)
    if plan is None:
        skip = pytest.mark.skip(reason="these tests need built images: run `nox -s verify`")
        metafunc.parametrize("image", [pytest.param(None, id="no-plan", marks=skip)], indirect=True)
        return
    images, _ = read(plan)
    metafunc.parametrize("image", images, ids=[one.name for one in images], indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests for the images that they do not apply to, and those that run in another image."""
    deselected = [item for item in items if not _applies(item)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if _applies(item)]


def _applies(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    one: Image | None = parameters.params.get("image") if parameters else None
    if one is None:
        return True
    if one.scope not in ("all", image_results.depends(item)):
        return False
    return all(marker.args[0](one) for marker in item.iter_markers("applies"))


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Image:
    """The image and what the plan promises of it."""
    value: Image = request.param
    return value


@pytest.fixture
def record_inventory(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], None]:
    """Record the packages that are in an image: they are part of the test's result."""

    def record(inventory: dict[str, Any]) -> None:
        request.node.stash[image_results.INVENTORY] = inventory

    return record


@pytest.fixture
def record_server_parts(request: pytest.FixtureRequest) -> Callable[[dict[str, str]], None]:
    """Record digests that are the same in all images with the same base and server layer."""

    def record(parts: dict[str, str]) -> None:
        request.node.stash[image_results.SERVER_PARTS] = parts

    return record


@pytest.fixture
def timing(request: pytest.FixtureRequest) -> Timing:
    """Checks promised times; what is measured again is part of the test's result."""
    return Timing(report=request.node.stash.setdefault(image_results.MEASURED_AGAIN, []).append)


@pytest.fixture(scope="session")
def described(image: Image) -> dict[str, Any]:
    """The image as data, as the engine describes it (``docker image inspect``)."""
    return inspect_image(image.image_id)


@pytest.fixture(scope="session")
def config(described: dict[str, Any]) -> dict[str, Any]:
    """The image's config: Env, Cmd, User, Labels and so on."""
    value: dict[str, Any] = described["Config"]
    return value


@pytest.fixture(scope="session")
def environment(config: dict[str, Any]) -> dict[str, str]:
    """The image's ENV."""
    return dict(entry.split("=", 1) for entry in config["Env"] or [])


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """The sample script of a framework, its request, and the right answer."""

    source: bytes
    request: Any
    #: Any JSON value.
    answer: Any
    #: The memory of the container under the condition "little memory", in MiB.
    memory: int


@pytest.fixture(scope="session")
def scoring(image: Image, pytestconfig: pytest.Config) -> Scoring:
    """``scoring/<framework>.py``. Its constants are read without running it: the framework is not installed here."""
    own: Path | None = pytestconfig.getoption("--scoring")
    name = f"{image.framework}.py"
    files = [folder / name for folder in (own, HERE / "scoring") if folder]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        pytest.fail(
            f"no sample script for '{image.framework}': write tests/images/scoring/{name}, or in a repository of its "
            f"own scoring/{name}",
            pytrace=False,
        )
    source = path.read_text(encoding="utf-8")
    constants = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in ("REQUEST", "ANSWER", "MEMORY", "MEMORY_WITH_CUDA")
    }
    return Scoring(
        source=source.encode(),
        request=constants["REQUEST"],
        answer=constants["ANSWER"],
        memory=constants.get("MEMORY_WITH_CUDA" if image.cuda else "MEMORY", constants.get("MEMORY", MEMORY)),
    )


@pytest.fixture(scope="session")
def container(image: Image, scoring: Scoring, pytestconfig: pytest.Config) -> Iterator[Container]:
    """The container that most tests share: the image's own CMD, with the sample script as ``main.py``."""
    _, labels = read(pytestconfig.getoption("--plan"))
    running = Container.start(image.image_id, files={"main.py": scoring.source}, labels=labels)
    yield running
    running.remove()


@pytest.fixture(scope="module")
def start(image: Image, pytestconfig: pytest.Config) -> Iterator[Start]:
    """Start more containers, with other scripts, variables or options than `container`."""
    _, labels = read(pytestconfig.getoption("--plan"))
    started: list[Container] = []

    def start_one(
        files: dict[str, bytes],
        *,
        environment: dict[str, str] | None = None,
        options: Sequence[str] = (),
        command: Sequence[str] = (),
        reference: str | None = None,
    ) -> Container:
        one = Container.start(
            reference or image.image_id,
            files=files,
            labels=labels,
            environment=environment,
            options=options,
            command=command,
        )
        started.append(one)
        return one

    yield start_one
    remove(started)


@pytest.fixture(scope="session")
def host(container: Container) -> Any:
    """testinfra's view of the container. Each call is a ``docker exec``, which takes time: use few."""
    container.must_run()
    return testinfra.get_host(f"docker://{container.id}")


@pytest.fixture(scope="session")
def owned(environment: dict[str, str]) -> tuple[str, ...]:
    """The folders that must belong to dockeruser."""
    return (*OWNED, environment.get("AZUREML_CONDA_ENVIRONMENT_PATH", "/opt/venv"))


@pytest.fixture(scope="session")
def probed(image: Image, container: Container, owned: tuple[str, ...]) -> Answers:
    """What the image's user finds out about it (``inside/probe.py``), from one call."""
    container.must_run()
    return container.probe(
        {
            "user": owned,
            "strays": (),
            "records": image.server_packages,
            "parts": (LIBRARY, *image.server_packages),
            "digests": (LIBRARY, *(f"{PROGRAMS}/{name}" for name in START_PROGRAMS)),
        }
    )


@pytest.fixture(scope="session")
def seen(probed: Answers) -> dict[str, Any]:
    """What the image's user sees (``probe.user``)."""
    value: dict[str, Any] = probed["user"]
    return value


@pytest.fixture(scope="session")
def files(container: Container, owned: tuple[str, ...]) -> dict[str, Any]:
    """What is in the file system (``probe.system``), from one call."""
    container.must_run()
    value: dict[str, Any] = container.probe({"system": owned}, user="0")["system"]
    return value


@pytest.fixture(scope="session")
def server(container: Container) -> str:
    """The URL of the running server."""
    return container.wait_until_it_answers()
