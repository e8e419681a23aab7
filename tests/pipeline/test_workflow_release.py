"""The release workflow with a real engine and a real registry: each job has a clone of its own.

It is the workflow as another repository calls it, which keeps a matrix and locks alone. The clones share the registry,
and here also the engine, which the last job cannot reach.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from build.paths import PROJECT_VARIABLE, Paths
from build.registry import address
from build.registry.client import Client
from tests import other_repository
from tests.conftest import FOUNDATIONS, ROOT, Checkout
from tests.pipeline.registries import Running
from tests.pipeline.rows import BASE_NAME
from tests.workflows import Run, load, read_outputs

pytestmark = [pytest.mark.engine, pytest.mark.alone, pytest.mark.thorough, pytest.mark.usefixtures("bases_here")]

#: Runs a session as nox does, without an environment of its own for each clone.
NOX = f"""#!/bin/sh
[ "$1" = -s ] && name=$2 && shift 2
[ "$1" = -- ] && shift
exec {sys.executable} -m build "$name" "$@"
"""


class Jobs:
    """Runs the lines of a workflow in a shell, each job in a clone of its own.

    Args:
        repository: The repository that calls the workflow.
        folder: For the clones, and for what the jobs write.
        failing: A regular expression: a line that fails once.
    """

    def __init__(self, repository: Paths, folder: Path, failing: str) -> None:
        self._repository = repository
        self._folder = folder
        self._failing = failing
        self.clones: dict[str, Paths] = {}
        self.lines: list[str] = []
        self.summaries = ""
        #: More variables for some jobs.
        self.variables: dict[str, dict[str, str]] = {}
        program = folder / "bin/nox"
        program.parent.mkdir()
        program.write_text(NOX, encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def __call__(self, job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        self.lines.append(f"{job}: {line}")
        if self._failing and re.match(self._failing, self.lines[-1]):
            self._failing = ""
            return False, {}
        machine = re.sub(r"/(\d+)-\w+", r"-\1", job)  # images (1-2)
        if machine not in self.clones:
            self.clones[machine] = self._clone(machine)
        assert variables[PROJECT_VARIABLE] == "project"
        outputs, summary = (self._folder / f"{len(self.lines)}.{name}" for name in ("outputs", "summary"))
        done = subprocess.run(
            ["bash", "-e", "-c", line],
            cwd=ROOT,
            env={
                **os.environ,
                **variables,
                **self.variables.get(job, {}),
                PROJECT_VARIABLE: str(self.clones[machine].root),
                "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
                "GITHUB_OUTPUT": str(outputs),
                "GITHUB_STEP_SUMMARY": str(summary),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        self.summaries += summary.read_text() if summary.exists() else ""
        return True, read_outputs(outputs)

    def _clone(self, name: str) -> Paths:
        paths = other_repository.clone(self._repository, self._folder / name)
        # What the tests of a base and its server layer found is known by content, and takes minutes.
        (ROOT / FOUNDATIONS).mkdir(parents=True, exist_ok=True)
        (paths.root / FOUNDATIONS).parent.mkdir(parents=True)
        (paths.root / FOUNDATIONS).symlink_to(ROOT / FOUNDATIONS)
        return paths


def tags(registry: str) -> dict[str, dict[str, str | None]]:
    """Image → tag → digest in a registry; reports have times, and differ."""
    found = {}
    with Client(address.parse(registry)) as client:
        for name in other_repository.image_names():
            repository = f"azureml/{name}"
            kept = [tag for tag in client.tags(repository) if not tag.startswith(("sha256-", "verified-"))]
            found[name] = {tag: client.digest(repository, tag) for tag in kept}
    return found


def contexts(registry: str) -> dict[str, object]:
    return {
        "github": {"repository": "acme/images", "token": ""},
        "vars": {"REGISTRY": registry, "SHARD_DISK": other_repository.DISK},
        "secrets": {},
        "inputs": {"tool-repository": "acme/tool", "tool-commit": "0" * 40},
    }


def test_jobs_that_share_a_registry_alone_release_what_a_single_run_does(there: Running, tmp_path: Path) -> None:
    names = other_repository.image_names()
    registry = f"{there.registry.host}/jobs"
    jobs = Jobs(
        other_repository.make(tmp_path / "repository"), tmp_path, failing=r"images \(2/2-\w+\): nox -s pipeline"
    )
    run = Run(workflow=load("release.yml"), run_line=jobs, contexts=contexts(registry)).start()
    assert (run.results["images"], run.results["tags"]) == ("failure", "skipped")
    assert sum(len(found) for found in tags(registry).values()) == 2, "recipe and inputs of one image"
    with Client(address.parse(registry)) as client:
        locks = [tag for tag in client.tags(f"azureml/base-{BASE_NAME}") if tag.startswith("lock-")]
    assert len(locks) == 1, "the base was not published before the images"
    early = Checkout(root=ROOT).run(
        "publish",
        "--tags-only",
        env={"REGISTRY": registry, PROJECT_VARIABLE: str(jobs.clones["images (1-2)"].root)},
    )
    assert early.code == 1
    assert "1 of 2 images cannot be released" in early.one_screen()
    assert not any("latest" in found for found in tags(registry).values())

    # "Re-run failed jobs": the plan is not made again, and the other shard is left alone.
    done = len(jobs.lines)
    jobs.variables["tags"] = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    assert run.start().is_green
    assert not any(line.startswith(("plan", "bases", "images (1/2-")) for line in jobs.lines[done:])
    assert "## Release" in jobs.summaries and "### Added" in jobs.summaries

    released = tags(registry)
    single = f"{there.registry.host}/single"
    one = other_repository.clone(Paths(root=tmp_path / "repository"), tmp_path / "single")
    shutil.copytree(jobs.clones["images (1-2)"].state, one.state, symlinks=True)
    environment = {"REGISTRY": single, PROJECT_VARIABLE: str(one.root)}
    assert Checkout(root=ROOT).run("generate", env=environment).code == 0
    pipeline = Checkout(root=ROOT).run("pipeline", env=environment)
    assert pipeline.code == 0, pipeline.text
    assert tags(single) == released
    for name in names:
        kinds = sorted(re.sub(r"^(recipe|inputs)-.*", r"\1", re.sub(r"^\d{8}", "DAY", tag)) for tag in released[name])
        assert kinds == ["DAY.v1", "inputs", "latest", "recipe"]
        assert len({digest for tag, digest in released[name].items() if not tag.startswith("inputs")}) == 1

    # Another push to main, with nothing new.
    jobs.variables["plan"] = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    jobs.lines.clear()
    again = Run(workflow=load("release.yml"), run_line=jobs, contexts=contexts(registry)).start()
    assert again.is_green
    assert {line.partition(":")[0] for line in jobs.lines} == {"plan"}
