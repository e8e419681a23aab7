"""What a plan and a release tell GitHub: the outputs of a step, and its summary."""

from __future__ import annotations

import json
from collections.abc import Sequence

from build.diff import markdown
from build.diff.differ import Differ
from build.diff.references import ReleaseReference
from build.errors import PipelineError
from build.github import files
from build.plan import output, shards
from build.plan.plan import Plan
from build.plan.shards import Shard
from build.publish.publication import Published
from build.publish.release import repository_of
from build.registry.address import Registry
from build.system import console


def write_plan(plan: Plan, divided: Sequence[Shard], disk: int) -> None:
    """Write the plan as outputs and as a summary.

    The outputs are ``work``, ``true`` if there is something to build, test, push or tag; and ``shards``, a JSON list of
    the shards that have images to build or to test.

    Args:
        plan: The plan.
        divided: All shards of its images.
        disk: Gigabytes that a shard may take.

    Raises:
        PipelineError: This is not a job of GitHub Actions, or a file cannot be written.
    """
    names = output.to_make(plan)
    busy = shards.with_work(divided, names)
    for shard in shards.too_large(busy, disk):
        console.warn(
            f"shard {shard.id} takes about {console.size(shard.bytes)} of disk space, more than {disk} GB: "
            f"{console.some(shard.images)}"
        )
    files.set_output("work", "true" if names or plan.work or plan.differences else "false")
    files.set_output("shards", json.dumps([shard.id for shard in busy]))
    files.add_summary(output.to_markdown(plan))


def write_release(results: Sequence[Published], registry: Registry, namespace: str) -> None:
    """Write the notes of a release as a summary. That they cannot be written is a warning: the tags have moved.

    Args:
        results: The images of the release.
        registry: Where it is.
        namespace: The namespace of the matrix.

    Raises:
        PipelineError: This is not a job of GitHub Actions, or a file cannot be written.
    """
    if not results or all(each.status == "already published" for each in results):
        files.add_summary("No tag was moved: the registry has everything.\n")
        return
    number = results[0].release
    try:
        with Differ() as differ:
            reference = ReleaseReference(location=registry, repository=repository_of(namespace), number=number)
            text = markdown.of_releases(differ.releases(None, reference))
    except PipelineError as failure:
        console.warn(f"release {number} is published, and its notes cannot be written: {failure.reason}")
        text = f"## Release {number}\n\nIts notes could not be written: nox -s diff -- {number}\n"
    files.add_summary(text)
