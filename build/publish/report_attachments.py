"""The test reports that are attached to published images."""

from __future__ import annotations

from collections.abc import Sequence

from build.publish.plan import Plan
from build.registry import attachments
from build.registry.client import Client
from build.system import console
from build.verify import reports

#: The annotation of a report with the hash of what was asked.
_SUITE = "inference-images.suite"


def attach_reports(plans: Sequence[Plan], remote: Client) -> None:
    """Attach what was asserted to the images that it was asserted of; once for the same image and the same tests.

    The registry may have another image of the same recipe, from another machine: that machine's report is its own.
    """
    for plan in plans:
        report, repository = plan.item.report, plan.item.repository
        if report is None or plan.digest is None:
            continue
        there = attachments.attached(remote, repository, plan.digest, reports.MEDIA_TYPE)
        if any((entry.get("annotations") or {}).get(_SUITE) == report.suite for entry in there):
            continue
        manifest = remote.manifest(repository, plan.digest)
        # The containerd store calls an image by its manifest's digest, the classic one by its configuration's.
        same = {manifest.digest, (manifest.document.get("config") or {}).get("digest")}
        if report.image_id not in same:
            continue
        taken = attachments.attach(
            remote,
            repository,
            manifest,
            report.content,
            media_type=reports.MEDIA_TYPE,
            title=reports.FILE_NAME,
            created=report.time,
            annotations={_SUITE: report.suite},
        )
        if not taken:
            console.warn(
                f"the registry {remote.registry.host} takes no attachments: what the tests asserted is not in it"
            )
            return
