"""The test reports that are attached to published images."""

from __future__ import annotations

from collections.abc import Sequence

from build.publish.plan import Plan
from build.registry import attachments
from build.registry.client import Client
from build.system import console
from build.verify import reports

#: The annotation of a report with the hash of its tests and expectations.
_SUITE = "inference-images.suite"


def attach_reports(plans: Sequence[Plan], remote: Client) -> None:
    """Attach its test report to each image, once for the same image and the same tests.

    The registry may have an image of the same recipe from another machine. The report is about this machine's image and
    is not attached to that one.

    Args:
        plans: The plans; all images are in the registry.
        remote: The registry.

    Raises:
        RegistryError: The registry is not there, refuses, or fails.
    """
    for plan in plans:
        report, repository = plan.item.report, plan.item.repository
        if report is None or plan.digest is None:
            continue
        attached = attachments.attached(remote, repository, plan.digest, reports.MEDIA_TYPE)
        if any((entry.get("annotations") or {}).get(_SUITE) == report.suite for entry in attached):
            continue
        manifest = remote.manifest(repository, plan.digest)
        # The containerd store names an image by its manifest's digest, the classic one by its configuration's.
        digests = {manifest.digest, (manifest.document.get("config") or {}).get("digest")}
        if report.image_id not in digests:
            continue
        accepted = attachments.attach(
            remote,
            repository,
            manifest,
            report.content,
            media_type=reports.MEDIA_TYPE,
            title=reports.FILE_NAME,
            created=report.time,
            annotations={_SUITE: report.suite},
        )
        if not accepted:
            console.warn(
                f"the registry {remote.registry.host} does not accept attachments: the test reports are not in it"
            )
            return
