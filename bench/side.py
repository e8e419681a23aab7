"""Our side of the benchmark: ``python -m bench.side FILE``, run in the benchmark's copy of the checkout.

It does the work of ``pipeline`` without ``verify``, in one process and with the same functions: check, build, publish.
Everywhere else, publishing requires verified images; here the tests are left out because the plain side has none.
"""

from __future__ import annotations

import datetime
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measured import peak_memory
from bench.plan import GROUP
from build.builder.options import Options
from build.builder.outcomes import built_images
from build.commands.build import build_images
from build.commands.build import report as report_build
from build.commands.building import place_of
from build.commands.generated_files import check_drift
from build.commands.run import opened
from build.errors import INTERRUPTED_EXIT_CODE, PipelineError
from build.publish import origin, output, publish
from build.publish.publication import Publication
from build.registry import address
from build.system import console, state
from build.variants.select import Selection


def build_and_publish(report: Path) -> None:
    """Check, build and publish the benchmark's images, and write the figures.

    Args:
        report: The JSON file: seconds, bytes, and the status of each image.

    Raises:
        PipelineError: A step failed.
    """
    began = time.monotonic()
    with opened(Selection(group=GROUP)) as run:
        check_drift(run.project)
        outcomes = build_images(run, place_of(run), Options(), {})
        run.finish(report_build(outcomes))
        built_after = time.monotonic()
        published = publish.publish(
            [Publication.of(built) for built in built_images(outcomes)],
            address.from_environment(),
            run.connection.client,
            datetime.datetime.now(datetime.UTC).date(),
            origin=origin.of_checkout(run.project.paths.root),
        )
    output.print_results(published)
    state.write_json(
        report,
        {
            "build": built_after - began,
            "push": time.monotonic() - built_after,
            "status": {item.name: item.status for item in outcomes},
            "bytes_sent": {item.name: item.bytes_sent for item in published},
            "peak_memory": peak_memory(),
        },
    )


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    try:
        build_and_publish(Path(arguments[0]))
    except PipelineError as failure:
        console.error(failure)
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    return 0


def _terminated(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)  # the benchmark stops its steps so; builds and containers end with them
    sys.exit(main(sys.argv[1:]))
