"""The pages on using the images, and the README's first use: every command runs as written and prints what is stated.

On a page, a file is a fenced block below a line with its name (`app/score.py`:); a ```diff block gives the file after
the change. Commands are a ```sh block, and a ```text block after it is what they print; `...` in it matches any text.
Commands that take too long for CI are in a ```sh thorough block: `--thorough` runs them too. Before a command runs, the
registry's images are replaced by those of this checkout, port 5001 of this machine by a free one, and the names of
containers by unique ones.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from build.builder import image_recipes
from build.checkout import project
from build.engine.connect import Connection
from build.system.certificates import ca_bundle
from tests.conftest import ROOT, Checkout, copy_checkout, take_port
from tests.pipeline.rows import MINIMAL, PROJECT, SKLEARN

pytestmark = pytest.mark.engine

PAGE = ROOT / "docs/deploying.md"
MIGRATING = ROOT / "docs/migrating.md"
PAGES = (PAGE, MIGRATING)
EXAMPLES = ROOT / "docs/examples"
#: Seconds for all commands of a page, without and with `--thorough`; a command that hangs is ended.
PATIENCE = 300
THOROUGH_PATIENCE = 900
#: The commands of this section add the machine's CA themselves; for the others it is in the image.
PROXY_SECTION = "Behind a proxy that inspects TLS"
#: The name of an image on a page.
IMAGE = re.compile(r"127\.0\.0\.1:5000/azureml/([\w.-]+)")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    line: int
    section: str
    #: The name of the file; empty for commands.
    file: str
    text: str
    #: What the commands print, where the page states it.
    output: str | None = None
    #: Only `--thorough` runs the commands.
    thorough: bool = False

    @property
    def label(self) -> str:
        return f"line {self.line}, {self.section}"


def blocks(page: Path) -> list[Block]:
    """Return the files and commands of a page, in order."""
    page_blocks: list[Block] = []
    section = before = language = ""
    start = 0
    inside: list[str] | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if inside is not None and line == "```":
            named = re.fullmatch(r"`([^`]+)`:", before)
            if language == "diff":
                inside = [changed[1:] for changed in inside if not changed.startswith("-")]
            block = Block(line=start, section=section, file=named[1] if named else "", text="\n".join(inside) + "\n")
            if named:
                page_blocks.append(block)
            elif language in ("sh", "sh thorough"):
                page_blocks.append(replace(block, thorough=language != "sh"))
            elif language == "text":
                last = page_blocks.pop()
                assert not last.file and last.output is None, f"{page.name}:{number}: an output block without commands"
                page_blocks.append(replace(last, output=block.text))
            elif language != "mermaid":
                raise AssertionError(f"{page.name}:{number}: a block that is neither a named file nor commands")
            inside, before = None, ""
        elif inside is not None:
            inside.append(line)
        elif line.startswith("```"):
            inside, language, start = [], line[3:], number
        elif line.startswith("#"):
            section, before = line.lstrip("# "), ""
        elif line:
            before = line
    return page_blocks


def first_use() -> list[Block]:
    """Return the README's block below "Use one of them"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    line = text[: text.index("Use one of them:")].count("\n") + 1
    return [next(block for block in blocks(ROOT / "README.md") if block.line > line)]


@dataclass(frozen=True, kw_only=True)
class Images:
    """The images of a checkout, in the engine."""

    references: Mapping[str, str]
    environment: Mapping[str, str]

    def docker(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *arguments],
            env=dict(self.environment),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def images(
    request: pytest.FixtureRequest,
    connection: Connection,
    bases_here: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Images]:
    """The images that the pages name, as this checkout builds them."""
    thorough = request.config.getoption("--thorough")
    commands = [block for page in PAGES for block in blocks(page) if thorough or not block.thorough]
    names = sorted({MINIMAL, SKLEARN, *(name for block in commands for name in IMAGE.findall(block.text))})
    root = tmp_path_factory.mktemp("clone") / "repository"
    root.mkdir()
    checkout: Checkout = copy_checkout(root)
    done = checkout.run("build", *names)
    assert done.code == 0, done.text
    opened = project.open_project(checkout.paths)
    wanted = opened.images([variant for variant in opened.variants if variant.name in names])
    recipes = image_recipes.of(opened, wanted).known
    yield Images(
        references={name: f"azureml/{name}:{recipes[name].tag}" for name in names},
        environment={**os.environ, **connection.environment},
    )
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def token(images: Images) -> Iterator[str]:
    """A text in the name of every container and image that these tests create; they are removed at the end."""
    token = f"docs-{uuid.uuid4().hex[:8]}"
    yield token
    for identity in images.docker("ps", "--all", "--quiet", "--filter", f"name={token}").stdout.split():
        images.docker("rm", "--force", "--volumes", identity)
    for identity in set(images.docker("images", "--quiet", "--filter", f"reference=*{token}*").stdout.split()):
        images.docker("rmi", "--force", identity)


@pytest.fixture(scope="module")
def company_images(images: Images, token: str, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """The same images with this machine's CA certificates, as a company behind a proxy that inspects TLS has them.

    With them the page's `pip install` works unchanged on such a machine too.
    """
    bundle = str(ca_bundle())
    if not bundle:
        return images
    context = tmp_path_factory.mktemp("company")
    shutil.copy(bundle, context / "ca.crt")
    lines = ("ARG IMAGE", "FROM ${IMAGE}", "COPY --chmod=644 ca.crt /etc/ca.crt", "ENV PIP_CERT=/etc/ca.crt", "")
    (context / "Dockerfile").write_text("\n".join(lines))
    references = {name: f"{token}-company-{number}" for number, name in enumerate(images.references)}
    for name, tag in references.items():
        argument = f"IMAGE={images.references[name]}"
        done = images.docker("build", "--quiet", "--build-arg", argument, "--tag", tag, str(context))
        assert done.returncode == 0, done.stdout
    return Images(references=references, environment=images.environment)


@dataclass(frozen=True, kw_only=True)
class Session:
    """The result of running a page's blocks in one shell: the outputs, by number, of the blocks that finished."""

    finished: Mapping[int, str]
    failed: str


def run_page(
    page: Sequence[Block],
    plain: Images,
    company: Images,
    token: str,
    port: int,
    folder: Path,
    *,
    patience: float = PATIENCE,
) -> Session:
    """Run a page's blocks in one shell that stops at the first command that fails."""
    work, logs = folder / "work", folder / "logs"
    work.mkdir()
    logs.mkdir()
    commands = "\n".join(block.text for block in page if not block.file)
    names = set(re.findall(r"--(?:name|tag)[ =]([\w-]+)", commands))

    def localized(block: Block) -> str:
        images = plain if block.section == PROXY_SECTION else company
        text = IMAGE.sub(lambda match: images.references[match[1]], block.text)
        text = re.sub(r"^export DOCKER_HOST=.*$", "", text, flags=re.MULTILINE)  # the environment names the engine
        # Inside the container the port stays.
        text = re.sub(r"^(?!.*docker exec)(.*127\.0\.0\.1:)5001\b", rf"\g<1>{port}", text, flags=re.MULTILINE)
        text = text.replace("/etc/ssl/certs/ca-certificates.crt", str(ca_bundle()))
        for name in names:
            text = re.sub(rf"(?<![\w/.-]){name}(?![\w/.-])", f"{token}-{name}", text)
        return text

    script = ["set -euo pipefail"]
    section = ""
    for number, block in enumerate(page):
        if block.file:
            (logs / f"{number}.file").write_text(block.text, encoding="utf-8")
            script.append(f"mkdir -p {Path(block.file).parent} && cp '{logs}/{number}.file' {block.file}")
            continue
        if "IMAGE=" in commands and PROXY_SECTION in (section, block.section) and section != block.section:
            images = plain if block.section == PROXY_SECTION else company
            script.append(f"IMAGE={images.references[MINIMAL]}")
        section = block.section
        script.append(f"{{\n{localized(block)}}} > '{logs}/{number}.log' 2>&1\ntouch '{logs}/{number}.done'")
    (folder / "script").write_text("\n".join(script) + "\n", encoding="utf-8")
    with subprocess.Popen(
        ["bash", str(folder / "script")],
        cwd=work,
        env=dict(plain.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as shell:
        try:
            _, output = shell.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            shell.kill()
            output = f"ended after {patience} s"
    outputs = {
        int(log.stem): log.read_text(encoding="utf-8").replace(f"{token}-", "")
        for log in sorted(logs.glob("*.log"), key=lambda log: int(log.stem))
    }
    finished = {number: text for number, text in outputs.items() if (logs / f"{number}.done").is_file()}
    broken = [f"{page[number].label}:\n{text}" for number, text in outputs.items() if number not in finished]
    return Session(finished=finished, failed="\n".join([*broken, output]))


@pytest.fixture(scope="module")
def session_of(
    request: pytest.FixtureRequest,
    images: Images,
    company_images: Images,
    token: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Path], Session]:
    """A function that returns the result of running a page; each page is run once."""
    thorough = request.config.getoption("--thorough")
    patience = THOROUGH_PATIENCE if thorough else PATIENCE

    # Not a parametrized fixture: pytest runs that again for each block.
    @cache
    def run(page: Path) -> Session:
        # A block that is left out does nothing: the numbers of the others stay.
        left_in = [block if thorough or not block.thorough else replace(block, text="true\n") for block in blocks(page)]
        folder = tmp_path_factory.mktemp(page.stem)
        name = f"{token}-{page.stem}"
        return run_page(left_in, images, company_images, name, take_port(), folder, patience=patience)

    return run


def assert_done(session: Session, number: int, block: Block) -> None:
    """Assert that a block's commands ran, and printed what the page states."""
    assert number in session.finished, f"it did not run, or it failed: {session.failed}"
    if block.output is not None:
        promised = re.escape(block.output.strip()).replace(re.escape("..."), ".*")
        output = session.finished[number].strip()
        assert re.fullmatch(promised, output, re.DOTALL), f"promised:\n{block.output}\nprinted:\n{output}"


@pytest.mark.network
@pytest.mark.parametrize(
    ("page", "number", "block"),
    [
        pytest.param(page, n, block, id=f"{page.stem} {block.label}", marks=[pytest.mark.thorough] * block.thorough)
        for page in PAGES
        for n, block in enumerate(blocks(page))
        if not block.file
    ],
)
def test_the_commands_of_a_page_work(
    session_of: Callable[[Path], Session], page: Path, number: int, block: Block
) -> None:
    assert_done(session_of(page), number, block)


def test_the_readmes_first_use_works(images: Images, token: str, tmp_path: Path) -> None:
    page = first_use()
    done = run_page(page, images, images, f"{token}-readme", take_port(), tmp_path)
    assert_done(done, 0, page[0])
    assert '{"got": "{\\"x\\": 1}"}' in done.finished[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_images_on_a_page_exist(page: Path) -> None:
    names = {name for block in blocks(page) for name in IMAGE.findall(block.text)}
    assert names
    assert names <= {variant.name for variant in PROJECT.variants}


CONDA = """\
name: model
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip
  - requests
  - numpy=1.26
  - scipy=1.11.4=py311h64a7726_0
  - conda-forge::pillow==10.4.0
  - pandas>=2,<3
  - joblib 1.4.*
  - pip:
      - humanize==4.17.0
      - --extra-index-url https://wheels.example.com
"""
REQUIREMENTS = """\
requests
numpy==1.26.*
scipy==1.11.4.*
pillow==10.4.0
pandas>=2,<3
joblib==1.4.*
humanize==4.17.0
--extra-index-url https://wheels.example.com
"""


def test_the_script_on_the_page_converts_all_forms_of_conda_packages(tmp_path: Path) -> None:
    script = next(block for block in blocks(MIGRATING) if block.file == "conda_to_requirements.py")
    (tmp_path / script.file).write_text(script.text)
    (tmp_path / "conda.yaml").write_text(CONDA)
    command = [sys.executable, script.file, "conda.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (REQUIREMENTS, "")


def exit_codes() -> list[int]:
    return [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]


#: Exit code and a setting that causes it; the page's commands show code 0 themselves.
REASONS = [
    (1, "AZUREML_ENTRY_SCRIPT=no-such.py"),
    (1, "AML_APP_ROOT=/no/such/folder"),
    (1, "WORKER_COUNT=many"),
    (3, "AZUREML_ENTRY_SCRIPT=syntax.py"),
    (3, "AML_APP_INSIGHTS_ENABLED=perhaps"),
    (95, "AZUREML_EXTRA_REQUIREMENTS_TXT=syntax.py"),
    (97, "AZUREML_EXTRA_PYTHON_LIB_PATH=score.py"),
    (98, "AZUREML_EXTRA_CONDA_YAML=conda.yaml"),
    (99, "AZUREML_EXTRA_REQUIREMENTS_TXT=no-such.txt"),
]


def test_every_exit_code_on_the_page_is_tested() -> None:
    assert exit_codes() == sorted({0, *(code for code, _ in REASONS)})


@pytest.mark.parametrize(("code", "variable"), REASONS, ids=[variable for _, variable in REASONS])
def test_an_exit_code_on_the_page(images: Images, token: str, tmp_path: Path, code: int, variable: str) -> None:
    shutil.copy(EXAMPLES / "app/score.py", tmp_path)
    (tmp_path / "syntax.py").write_text("def init(:\n")
    tmp_path.chmod(0o755)
    done = images.docker(
        *("run", "--rm", "--name", f"{token}-exit", "--network", "none", "--volume", f"{tmp_path}:/var/azureml-app:ro"),
        *("--env", "AZUREML_ENTRY_SCRIPT=score.py", "--env", variable, images.references[MINIMAL]),
    )
    assert done.returncode == code, done.stdout


def test_page_and_examples_have_the_same_scoring_script_and_model() -> None:
    page = {block.file: block.text for block in blocks(PAGE) if block.file}
    kubernetes = manifest("ConfigMap")["data"]
    for name in ("app/score.py", "model/model.json"):
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert page[name] == text
        assert kubernetes[Path(name).name] == text


def manifest(kind: str) -> Any:
    """Return the Kubernetes example's resource of a kind."""
    with (EXAMPLES / "kubernetes/deployment.yaml").open(encoding="utf-8") as file:
        return next(resource for resource in yaml.safe_load_all(file) if resource["kind"] == kind)


@pytest.mark.network
def test_the_kubernetes_example_is_valid(check: Callable[..., str]) -> None:
    check("check_kubernetes.py", str(EXAMPLES / "kubernetes/deployment.yaml"), "1.30", "1.37")


@pytest.mark.network
def test_the_azure_ml_example_is_valid_and_serves(check: Callable[..., str], images: Images, token: str) -> None:
    output = check("check_azureml.py", *(str(EXAMPLES / f"azureml/{name}.yaml") for name in ("endpoint", "deployment")))
    example = json.loads(output)
    assert example["kinds"] == ["ManagedOnlineEndpoint", "ManagedOnlineDeployment"]
    assert len(set(example["endpoints"])) == 1
    # As the platform does: its own paths, and the deployment's script, model, variables and routes.
    script, model = Path(example["script"]), Path(example["model"])
    mounted = "/var/azureml-app/azureml-models/my-model/1"
    url = start(
        images,
        f"{token}-azureml",
        environment={**example["variables"], "AZUREML_ENTRY_SCRIPT": script.name, "AZUREML_MODEL_DIR": mounted},
        mounts={f"/var/azureml-app/{script.name}": script, f"{mounted}/{model.name}": model},
    )
    routes = example["routes"]
    assert {route["port"] for route in routes.values()} == {5001}
    for name in ("livenessRoute", "readinessRoute"):
        assert requests.get(url + routes[name]["path"], timeout=min(example["probes"])).text == "Healthy"
    assert score(url + routes["scoringRoute"]["path"]) == {"y": [2.5, 5.0]}


def test_the_kubernetes_example_serves(images: Images, token: str, tmp_path: Path) -> None:
    """Start the pod's container as a kubelet does."""
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] and security["readOnlyRootFilesystem"]
    options = ["--read-only", "--memory", container["resources"]["limits"]["memory"].replace("Gi", "g")]
    options += [f"--cap-drop={name}" for name in security["capabilities"]["drop"]]
    if not security["allowPrivilegeEscalation"]:
        options.append("--security-opt=no-new-privileges")
    data, volumes = manifest("ConfigMap")["data"], {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "emptyDir" in volume:
            options += ["--tmpfs", f"{mount['mountPath']}:exec"]
            continue
        # A ConfigMap's files are symbolic links into a folder that Kubernetes replaces.
        folder = tmp_path / mount["name"]
        (folder / "..1").mkdir(parents=True)
        (folder / "..data").symlink_to("..1")
        for item in volume["configMap"]["items"]:
            (folder / "..1" / item["path"]).write_text(data[item["key"]])
            (folder / item["path"]).symlink_to(f"..data/{item['path']}")
        mounts[mount["mountPath"]] = folder
    url = start(
        images,
        f"{token}-kubernetes",
        environment={variable["name"]: variable["value"] for variable in container["env"]},
        mounts=mounts,
        options=options,
    )
    (port,) = container["ports"]
    assert port["containerPort"] == 5001
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[name]
        assert probe["httpGet"]["port"] == port["name"]
        assert requests.get(url + probe["httpGet"]["path"], timeout=probe["timeoutSeconds"]).status_code == 200
    assert score(f"{url}/score") == {"y": [2.5, 5.0]}
    (service,) = manifest("Service")["spec"]["ports"]
    assert service["targetPort"] == port["name"]
    images.docker("stop", "-t", str(pod["terminationGracePeriodSeconds"]), f"{token}-kubernetes")
    assert images.docker("inspect", "--format", "{{.State.ExitCode}}", f"{token}-kubernetes").stdout.strip() == "0"


def start(
    images: Images,
    name: str,
    *,
    environment: Mapping[str, str],
    mounts: Mapping[str, Path],
    options: Sequence[str] = (),
) -> str:
    """Start a container, wait until it is healthy, and return its URL."""
    port = take_port()
    done = images.docker(
        *("run", "--detach", "--name", name, "--publish", f"127.0.0.1:{port}:5001", *options),
        *(f"--env={key}={value}" for key, value in environment.items()),
        *(f"--volume={source}:{target}:ro" for target, source in mounts.items()),
        images.references[MINIMAL],
    )
    assert done.returncode == 0, done.stdout
    url = f"http://127.0.0.1:{port}"
    session = requests.Session()
    retries = requests.adapters.Retry(total=60, backoff_factor=0.2, backoff_max=1)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
    try:
        assert session.get(url, timeout=10).text == "Healthy"
    except requests.RequestException as error:
        raise AssertionError(images.docker("logs", name).stdout) from error
    return url


def score(url: str) -> Any:
    """Return the answer to the page's request."""
    return requests.post(url, json={"x": [1, 2]}, timeout=60).json()
