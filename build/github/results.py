"""Whether all jobs of a run did what they should: one job for branch protection to require.

The names of a job matrix's jobs change with each plan, so that none of them can be required. A job that is skipped
counts as passed there (docs.github.com, "Troubleshooting required status checks"), so that job always runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from build.errors import PipelineError, UsageError


def check(needs: str, may_skip: Collection[str]) -> None:
    """Check the results of jobs.

    Args:
        needs: The context ``needs`` of a job, as JSON: job → its ``result`` (``success``, ``failure``, ``cancelled``,
            ``skipped``) and more.
        may_skip: The jobs that need not have run.

    Raises:
        UsageError: It is not that context.
        PipelineError: A job failed, was cancelled, or was skipped and must not be.
    """
    try:
        results = {str(job): str(about["result"]) for job, about in json.loads(needs).items()}
    except (ValueError, AttributeError, KeyError, TypeError) as failure:
        raise UsageError(
            "the results of the jobs are not the context 'needs' as JSON", fix="pass ${{ toJSON(needs) }} (docs/ci.md)"
        ) from failure
    if not results:
        raise UsageError("no job is named", fix="list the jobs in 'needs' of this job (docs/ci.md)")
    good = {job for job, result in results.items() if result == "success" or (result == "skipped" and job in may_skip)}
    if bad := [f"{job} ({result})" for job, result in results.items() if job not in good]:
        raise PipelineError(f"not all jobs passed: {', '.join(bad)}", fix="look at the logs of these jobs")
