"""buildx's plain progress, read: from a log of buildx 0.13 with Docker 26.1."""

from __future__ import annotations

from pathlib import Path

import pytest

from build.builder.buildx_log import Parser, Step, failure

LOG = (Path(__file__).parents[1] / "data/bake-hash-mismatch.log").read_text(encoding="utf-8")


def steps(text: str, only: str = "") -> list[Step]:
    parser = Parser(only=only)
    return [step for line in text.splitlines() if (step := parser.feed(line)) is not None]


def test_stages_and_exports_are_told_and_nothing_else() -> None:
    text = """#1 [internal] load local bake definitions
#1 DONE 0.0s
#8 [x-1_0 numpy-2.4.6 1/1] RUN --mount=type=cache,target=/root/.cache/uv     install-layer
#9 [builder stage-1 1/3] RUN python3 -m venv /opt/venv
#9 CACHED
#8 0.512 some output DONE 9.9s of it
#8 DONE 3.2s
#60 [x-1_0] exporting to image
#60 exporting layers 1.0s done
#60 DONE 1.4s"""
    assert [(step.kind, step.target, step.stage, step.seconds) for step in steps(text)] == [
        ("began", "x-1_0", "numpy-2.4.6", None),
        ("began", "builder", "stage-1", None),
        ("cached", "builder", "stage-1", None),
        ("done", "x-1_0", "numpy-2.4.6", 3.2),
        ("began", "x-1_0", "image", None),
        ("done", "x-1_0", "image", 1.4),
    ]


def test_a_single_target_that_buildx_does_not_name_is_known() -> None:
    text = "#9 exporting to image\n#9 DONE 0.1s"
    assert {step.target for step in steps(text, only="base-debian12-py311")} == {"base-debian12-py311"}


def test_a_real_failure_is_an_event_of_its_stage() -> None:
    failed = [step for step in steps(LOG) if step.kind == "failed"]
    assert ("sklearn", "numpy-2.4.6") in {(step.target, step.stage) for step in failed}


def test_a_real_failure_names_stage_and_target_and_the_lines_that_matter() -> None:
    found = failure(LOG)
    assert (found.target, found.stage) == ("sklearn", "numpy-2.4.6")
    assert "Computed:" in found.lines
    assert "did not complete successfully: exit code: 1" in found.lines.splitlines()[-1]
    assert len(found.lines.splitlines()) <= 13


def test_what_buildx_does_not_repeat_is_taken_from_the_log() -> None:
    log = """#7 [sklearn numpy-2.4.6 1/1] RUN install-layer
#7 0.412   × Hash mismatch for `numpy==2.4.6`
#7 0.412       Computed:
#7 0.413         sha256:57ebb7
#8 0.500 another step's words
#7 ERROR: process "/bin/sh -c install-layer" did not complete successfully: exit code: 1
------
 > [sklearn numpy-2.4.6 1/1] RUN install-layer:
0.413         sha256:57ebb7
------
ERROR: failed to solve: process "/bin/sh -c install-layer" did not complete successfully: exit code: 1
"""
    lines = failure(log).lines.splitlines()
    assert lines[0].strip() == "× Hash mismatch for `numpy==2.4.6`"
    assert len(lines) == 4


def test_a_failure_without_a_stage_shows_the_last_lines() -> None:
    found = failure("#0 building\nERROR: docker-bake.hcl: no such file\n")
    assert found.stage is None
    assert found.lines == "ERROR: docker-bake.hcl: no such file"


#: A step failed while the client still sent the build context of another target (Docker 26.1, buildx 0.13).
BROKEN_OFF = """\
#61 [minimal stage-1 1/2] RUN /setup-base python3.13
#61 0.447 /bin/sh: 1: /setup-base: not found
#61 ERROR: process "/bin/sh -c /setup-base python3.13" did not complete successfully: exit code: 127

#64 [builder-debian12-py311 internal] load build context
#64 transferring context: 26.91MB 1.7s done
#64 ERROR: rpc error: code = Unavailable desc = error reading from server: EOF
------
 > [builder-debian12-py311 internal] load build context:
------
"""
REPEATED = """\
------
 > [minimal stage-1 1/2] RUN /setup-base python3.13:
0.447 /bin/sh: 1: /setup-base: not found
------
ERROR: failed to solve: process "/bin/sh -c /setup-base python3.13" did not complete successfully: exit code: 127
"""
LOST = "ERROR: failed to solve: rpc error: code = Unavailable desc = error reading from server: EOF\n"


@pytest.mark.parametrize("end", [REPEATED, LOST])
def test_a_step_that_fails_while_a_context_is_sent(end: str) -> None:
    found = failure(BROKEN_OFF + end)
    assert (found.target, found.stage) == ("minimal", "stage-1")
    assert found.lines.splitlines()[0] == "/bin/sh: 1: /setup-base: not found"
