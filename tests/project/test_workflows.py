"""The committed workflows: what a step may be, what a job may do, and in which cases tags move."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from build.checkout.project import open_project
from build.cli import COMMANDS
from build.errors import PipelineError
from build.github import results
from build.paths import repository
from tests.conftest import ROOT
from tests.workflows import FOLDER, Run, evaluate, filled, load, names, steps

#: The sessions that are no commands.
SESSIONS = COMMANDS.keys() | {"lint", "unit", "tests"}
#: One session, and nothing that a shell would make a second command of.
LINE = re.compile(r'nox -s ([a-z]+)( -- (?:[\w./=-]+|"\$[A-Z_]+"|"[\w ]+")(?: (?:[\w./=-]+|"\$[A-Z_]+"|"[\w ]+"))*)?')
APT = re.compile(r"sudo apt-get (update|install [\w -]+)")
PREPARE = ROOT / ".github/actions/prepare"
PINNED = re.compile(r"uses: (actions/[a-z-]+)@[0-9a-f]{40}  # v[0-9.]+")
GHCR = "ghcr.io/Acme/images"
CONTEXTS = {
    "github": {"repository": "Acme/images", "token": "t", "event_name": "push"},
    "vars": {},
    "secrets": {},
    "inputs": {},
}


@pytest.fixture(params=names())
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


def test_a_run_line_is_one_session(workflow: dict[str, Any]) -> None:
    for job, step in steps(workflow):
        if "run" in step:
            match = LINE.fullmatch(step["run"])
            assert match and match[1] in SESSIONS, f"{job}: {step['run']}"


def test_expressions_are_values_of_variables_and_inputs_alone(workflow: dict[str, Any]) -> None:
    """Never a part of a command line: a shell would run what they are replaced with."""
    for job, step in steps(workflow):
        for key, value in step.items():
            assert key in ("env", "with") or "${{" not in str(value), f"{job}: {key}"
    for name, job in workflow["jobs"].items():
        for key, value in job.items():
            if key not in ("steps", "env", "outputs", "strategy", "secrets", "with"):
                assert "${{" not in str(value), f"{name}: {key}"


def test_the_only_other_commands_install_nox_and_set_up_githubs_runners() -> None:
    action = yaml.safe_load((PREPARE / "action.yml").read_text(encoding="utf-8"))
    others = [step for step in action["runs"]["steps"] if not APT.fullmatch(step["run"])]
    assert [step["run"] for step in others] == [
        'sudo "$GITHUB_ACTION_PATH/use-containerd-store" /etc/docker/daemon.json',
        "sudo systemctl restart docker",
        "sudo sysctl --ignore --write kernel.apparmor_restrict_unprivileged_userns=0",
    ]
    # Somebody's own runner stays as it is.
    assert {step["if"] for step in others} == {"runner.environment == 'github-hosted'"}


def test_no_job_has_containers_that_the_restart_of_docker_would_end(workflow: dict[str, Any]) -> None:
    for name, job in workflow["jobs"].items():
        assert not {"services", "container"} & job.keys(), name


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed; GitHub's runners have it")
@pytest.mark.parametrize(
    "before", [None, "", '{"exec-opts": ["native.cgroupdriver=cgroupfs"], "features": {"cdi": true}}']
)
def test_dockers_configuration_gets_containerds_store_and_keeps_the_rest(before: str | None, tmp_path: Path) -> None:
    file = tmp_path / "docker/daemon.json"
    if before is not None:
        file.parent.mkdir()
        file.write_text(before, encoding="utf-8")
    subprocess.run([PREPARE / "use-containerd-store", file], check=True)
    after = json.loads(file.read_text(encoding="utf-8"))
    assert after.pop("features").pop("containerd-snapshotter") is True
    known = json.loads(before or "{}")
    known.pop("features", None)
    assert after == known
    assert [each.name for each in file.parent.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize("name", names())
def test_actions_are_pinned_by_commit(name: str) -> None:
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if "uses:" in line and "uses: ./" not in line:
            match = PINNED.search(line)
            assert match and match[1] in ("actions/checkout", "actions/upload-artifact"), line


def test_a_checkout_keeps_no_credentials(workflow: dict[str, Any]) -> None:
    for job, step in steps(workflow):
        if "checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, job


def test_each_job_has_the_permissions_that_it_needs_and_no_more(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow["on"]
    rights = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    for name, job in workflow["jobs"].items():
        writes = {key for key, value in rights[name].items() if value == "write"}
        text = " ".join(step.get("run", "") for step in job.get("steps", ()))
        wanted = set()
        if "--no-tags" in text or "--tags-only" in text or "--publish" in text or "release.yml" in job.get("uses", ""):
            wanted.add("packages")
        if "-- pull-request" in text:
            wanted |= {"contents", "pull-requests"}
            assert "update" not in re.findall(r"nox -s ([a-z]+)", text), "it runs code of packages"
        if "-- issue" in text:
            wanted.add("issues")
        assert writes == wanted, name


def test_pull_requests_write_nothing_and_need_no_secret() -> None:
    assert "secrets." not in (FOLDER / "ci.yml").read_text(encoding="utf-8")
    for job in load("ci.yml")["jobs"].values():
        assert "write" not in job["permissions"].values()


def test_a_publish_is_never_cancelled_and_waits_for_runs_of_its_branch_alone() -> None:
    """GitHub keeps one waiting run of a group: another branch's, which publishes nothing, must not take its place."""
    concurrency = load("publish.yml")["concurrency"]
    assert concurrency["cancel-in-progress"] is False
    main, again, other = (
        filled(concurrency["group"], {"github": {"ref": ref}})
        for ref in ("refs/heads/main", "refs/heads/main", "refs/heads/other")
    )
    assert main == again != other
    assert "concurrency" not in load("release.yml"), "the same group in both would wait for itself"


@pytest.mark.parametrize(
    ("fork", "branch", "variables", "runs"),
    [
        (False, "main", {}, True),
        (False, "other", {}, False),
        (True, "main", {}, False),
        (True, "main", {"PUBLISH": "true"}, True),
        (True, "other", {"PUBLISH": "true"}, False),
    ],
)
def test_a_fork_publishes_only_if_its_owner_says_so_and_no_other_branch_does(
    fork: bool, branch: str, variables: dict[str, str], runs: bool
) -> None:
    event = {"repository": {"fork": fork, "default_branch": "main"}}
    contexts = {"github": {"event": event, "ref_name": branch}, "vars": variables}
    assert bool(evaluate(load("publish.yml")["jobs"]["release"]["if"], contexts, {})) is runs


def test_an_event_that_names_no_repository_publishes_nothing() -> None:
    for event in ({}, {"repository": {"default_branch": "main"}}):
        contexts = {"github": {"event": event, "ref_name": "main"}, "vars": {}}
        assert not evaluate(load("publish.yml")["jobs"]["release"]["if"], contexts, {})


@pytest.mark.parametrize("name", ["update.yml", "security.yml"])
def test_a_pull_request_of_an_update_is_for_the_default_branch_alone(name: str) -> None:
    """The branch that it pushes is one for all: a run by hand on another branch would replace it."""
    lines: list[str] = []

    def run_line(job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        lines.append(line)
        return True, {}

    for branch, count in (("other", 0), ("main", 1)):
        event = {"repository": {"fork": False, "default_branch": "main"}}
        github = {**CONTEXTS["github"], "event_name": "workflow_dispatch", "event": event, "ref_name": branch}
        Run(workflow=load(name), run_line=run_line, contexts={**CONTEXTS, "github": github}).start()
        assert sum("pull-request" in line for line in lines) == count


@pytest.mark.parametrize("name", ["update.yml", "security.yml"])
@pytest.mark.parametrize(
    ("failing", "last"),
    [
        ((), "pull-request"),
        # An image cannot be locked: everything else is a pull request, and the run is red.
        (("nox -s update",), "pull-request"),
        # Nothing was written: `changes` finds no report.
        (("nox -s update", "-- changes"), "changes"),
        (("-- changes",), "changes"),
        (("-- pull-request",), "pull-request"),
    ],
)
def test_what_an_update_changed_is_a_pull_request_also_if_an_image_cannot_be_locked(
    name: str, failing: tuple[str, ...], last: str
) -> None:
    lines: list[str] = []

    def run_line(job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        lines.append(line)
        return not any(text in line for text in failing), {}

    event = {"repository": {"fork": False, "default_branch": "main"}}
    github = {**CONTEXTS["github"], "event_name": "schedule", "event": event, "ref_name": "main"}
    run = Run(workflow=load(name), run_line=run_line, contexts={**CONTEXTS, "github": github}).start()
    assert run.is_green is (not failing)
    uploaded = ["changes", "pull-request"] if last == "pull-request" else ["changes"]
    reported = ["issue"] if failing else []
    assert [line.split()[4] for line in lines if line.startswith("nox -s github")] == uploaded + reported


@pytest.mark.parametrize("name", ["update.yml", "security.yml"])
def test_an_update_that_did_not_begin_uploads_nothing(name: str) -> None:
    """A step before it failed: the message of `changes` would only hide that of the cause."""
    known = {"steps": {"update": {"outcome": "skipped"}, "changes": {"outcome": "skipped"}}}
    status = {"success": False, "failure": True}
    conditions = [step["if"] for step in load(name)["jobs"]["update"]["steps"] if "if" in step]
    assert len(conditions) == 2
    assert not any(evaluate(condition, known, status) for condition in conditions)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.missing == false", True),
        ("github.missing == ''", True),
        ("github.missing == 'false'", False),
        ("github.missing != false", False),
        ("'1' == true", True),
        ("'true' == true", False),
        ("'Main' == 'main'", True),
        ("format('{0}', true)", "true"),
        ("contains(github.*.result, 'failure')", True),
    ],
)
def test_expressions_are_evaluated_as_github_does(expression: str, value: object) -> None:
    assert evaluate(expression, {"github": {"one": {"result": "failure"}}}, {}) == value


def test_no_workflow_names_an_image() -> None:
    project = open_project(repository())
    words = (
        {variant.name for variant in project.variants} | project.matrix.frameworks.keys() | project.matrix.bases.keys()
    )
    for name in names():
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert not words & set(re.findall(r"[\w.-]+", text)), name


def test_a_scheduled_workflow_reports_its_failures_and_does_nothing_in_a_fork(workflow: dict[str, Any]) -> None:
    if "schedule" not in workflow["on"]:
        return
    assert "workflow_dispatch" in workflow["on"]
    others = [name for name in workflow["jobs"] if name != "report"]
    needed = workflow["jobs"]["report"]["needs"]
    assert others == ([needed] if isinstance(needed, str) else needed)
    condition = workflow["jobs"][others[0]]["if"]
    for about, runs in (
        ({"fork": False, "default_branch": "main"}, True),
        ({"fork": True, "default_branch": "main"}, False),
        ({"default_branch": "main"}, False),
        (None, False),
    ):
        contexts = {"github": {"event": {"repository": about} if about else {}, "ref_name": "main"}}
        assert bool(evaluate(condition, contexts, {})) is runs, about
    assert all(workflow["jobs"][name]["needs"] == others[0] for name in others[1:])
    event = {"repository": {"fork": False, "default_branch": "main"}}
    for result in ("success", "failure", "cancelled"):
        for name in others:
            for event_name in ("schedule", "workflow_dispatch"):
                lines = lines_of(workflow, event_name, event, {name: result})
                # A person who starts it by hand sees that it fails.
                wanted = result != "success" and event_name == "schedule"
                assert ("nox -s github -- issue" in lines) is wanted, (result, name, event_name)


def lines_of(workflow: dict[str, Any], event_name: str, event: object, ends: dict[str, str]) -> list[str]:
    """Return the lines that run on main, where jobs end in these ways."""
    lines: list[str] = []

    def run_line(job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        lines.append(line)
        return ends.get(job) != "failure", {}

    github = {**CONTEXTS["github"], "event_name": event_name, "event": event, "ref_name": "main"}
    slow = frozenset(name for name, end in ends.items() if end == "cancelled")
    Run(workflow=workflow, run_line=run_line, contexts={**CONTEXTS, "github": github}, slow=slow).start()
    return lines


class Sessions:
    """Stands in for the sessions of a release: notes the lines, and answers the plans.

    Args:
        work: What the plan says at first.
        shards: The shards that have something to build.
        failing: Parts of lines that fail, each once.
    """

    def __init__(self, *, work: bool, shards: list[str], failing: tuple[str, ...] = ()) -> None:
        self.plan = {"work": json.dumps(work), "shards": json.dumps(shards)}
        self.failing = list(failing)
        self.lines: list[str] = []

    def __call__(self, job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        assert variables.get("REGISTRY", GHCR) == GHCR
        shown = line.replace('"$SHARD"', variables.get("SHARD", "")).replace('"$GROUP"', variables.get("GROUP", ""))
        self.lines.append(shown)
        failed = next((text for text in self.failing if text in shown), None)
        if failed:
            self.failing.remove(failed)
        return failed is None, self.plan if " plan " in line else {}

    @property
    def tags_moved(self) -> int:
        return sum("--tags-only" in line for line in self.lines)


def release(sessions: Sessions) -> Run:
    return Run(workflow=load("release.yml"), run_line=sessions, contexts=CONTEXTS)


def test_a_release_builds_the_bases_then_all_shards_then_moves_the_tags() -> None:
    sessions = Sessions(work=True, shards=["1/3", "3/3"])
    assert release(sessions).start().is_green
    assert [line for line in sessions.lines if line != "nox -s engine"] == [
        "nox -s plan -- --github --group default",
        "nox -s bases -- --publish --group default",
        "nox -s plan -- --github --group default",
        "nox -s pipeline -- --no-tags --shard 1/3 --group default",
        "nox -s pipeline -- --no-tags --shard 3/3 --group default",
        "nox -s publish -- --tags-only --github --group default",
    ]


def test_an_empty_plan_is_green_and_does_nothing_more() -> None:
    sessions = Sessions(work=False, shards=[])
    run = release(sessions).start()
    assert run.is_green
    assert sessions.lines == ["nox -s plan -- --github --group default"]
    assert set(run.results.values()) == {"success", "skipped"}


def test_tags_move_where_nothing_has_to_be_built() -> None:
    sessions = Sessions(work=True, shards=[])
    run = release(sessions).start()
    assert (run.is_green, run.results["images"], sessions.tags_moved) == (True, "skipped", 1)


@pytest.mark.parametrize("failing", ["plan", "bases", "--shard 1/2", "--shard 2/2"])
def test_one_failure_moves_no_tag_and_the_failed_jobs_alone_run_again(failing: str) -> None:
    sessions = Sessions(work=True, shards=["1/2", "2/2"], failing=(failing,))
    run = release(sessions).start()
    assert (run.is_green, sessions.tags_moved) == (False, 0)
    if failing.startswith("--shard"):
        other = {"--shard 1/2": "--shard 2/2", "--shard 2/2": "--shard 1/2"}[failing]
        assert any(other in line for line in sessions.lines), "the other shards go on"
        sessions.lines.clear()
        assert run.start().is_green
        assert not any(other in line or " plan " in line for line in sessions.lines), "they run once more"
    else:
        assert run.start().is_green
    assert sessions.tags_moved == 1


def test_the_plan_of_256_shards_is_a_job_matrix() -> None:
    sessions = Sessions(work=True, shards=[f"{number}/256" for number in range(1, 257)])
    assert release(sessions).start().is_green
    assert sum("--no-tags" in line for line in sessions.lines) == 256


def test_pull_requests_build_what_they_change() -> None:
    sessions = Sessions(work=True, shards=["2/2"])
    contexts = {**CONTEXTS, "github": {**CONTEXTS["github"], "event_name": "pull_request"}}
    assert Run(workflow=load("ci.yml"), run_line=sessions, contexts=contexts).start().is_green
    assert "nox -s pipeline -- --no-push --force --shard 2/2 --group default" in sessions.lines
    pushed = Sessions(work=True, shards=["2/2"])
    assert Run(workflow=load("ci.yml"), run_line=pushed, contexts=CONTEXTS).start().is_green
    assert not any("plan" in line or "pipeline" in line for line in pushed.lines)


@pytest.mark.parametrize("event_name", ["pull_request", "push"])
def test_the_required_job_fails_unless_all_others_passed(event_name: str) -> None:
    workflow = load("ci.yml")
    others = [name for name in workflow["jobs"] if name != "done"]
    assert workflow["jobs"]["done"]["needs"] == others

    def is_green(shards: str, ends: dict[str, str]) -> bool:
        lines: list[str] = []

        def run_line(job: str, line: str, variables: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
            lines.append(line)
            if job != "done":
                return ends.get(job.partition(" ")[0]) != "failure", {"shards": shards}
            assert line == 'nox -s github -- results --may-skip "$MAY_SKIP" "$NEEDS"'
            try:
                results.check(variables["NEEDS"], variables["MAY_SKIP"].split())
            except PipelineError:
                return False, {}
            return True, {}

        contexts = {**CONTEXTS, "github": {**CONTEXTS["github"], "event_name": event_name}}
        slow = frozenset(name for name, end in ends.items() if end == "cancelled")
        run = Run(workflow=workflow, run_line=run_line, contexts=contexts, slow=slow).start()
        assert sum("results" in line for line in lines) == 1, "a job that is skipped counts as passed"
        return run.results["done"] == "success"

    assert is_green('["1/1"]', {})
    assert is_green("[]", {})
    running = others if event_name == "pull_request" else [name for name in others if name not in ("plan", "images")]
    for name in running:
        assert not is_green('["1/1"]', {name: "failure"}), name
        assert name == "images" or not is_green('["1/1"]', {name: "cancelled"}), name
    if event_name == "pull_request":
        workflow["jobs"]["plan"]["if"] = "false"
        assert not is_green("[]", {})


def test_one_variable_names_another_registry() -> None:
    expression = "vars.REGISTRY || format('ghcr.io/{0}', github.repository)"
    count = sum((FOLDER / name).read_text(encoding="utf-8").count(f"${{{{ {expression} }}}}") for name in names())
    assert count == sum((FOLDER / name).read_text(encoding="utf-8").count("REGISTRY: ") for name in names()) > 0
    assert evaluate(expression, {"vars": {"REGISTRY": "registry.example/team"}}, {}) == "registry.example/team"
    assert evaluate(expression, CONTEXTS, {}) == GHCR
