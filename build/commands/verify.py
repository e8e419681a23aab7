"""`nox -s verify`: test built images in running containers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from build.commands.options import Session, json_option, selecting
from build.commands.run import Run, find_images, opened
from build.engine.built import BuiltImage
from build.images.labels import image_labels
from build.paths import repository
from build.system import console, state
from build.variants.select import Selection
from build.verify import summary
from build.verify.results import VerifyResult
from build.verify.target import Target
from build.verify.verify import verify as run_tests

#: Prints results, or keeps them.
Show = Callable[[Sequence[VerifyResult]], None]


@click.command(cls=Session)
@click.option("--force", is_flag=True, help="Also test images that have already passed.")
@click.option(
    "--workers", type=click.IntRange(1), help="Number of tests that run at a time.  [default: the number of CPUs]"
)
@json_option
@selecting
def verify(selection: Selection, force: bool, workers: int | None, as_json: bool) -> None:
    """Test built images in running containers. IMAGE is a name or a glob; the default is the group 'default'."""
    with state.exclusive(repository(), "verify"), opened(selection) as run:
        images, left_out = find_images(run)
        verify_images(run, images, force=force, workers=workers, show=_print_json if as_json else summary.print_table)
        run.finish(left_out)


def _print_json(results: Sequence[VerifyResult]) -> None:
    click.echo(summary.to_json(results))


def verify_images(
    run: Run, images: Sequence[BuiltImage], *, force: bool, workers: int | None, show: Show = summary.print_table
) -> None:
    """Test images in running containers.

    Args:
        run: The command's setting.
        images: The images to test.
        force: Test those again that passed before.
        workers: The number of tests that run at a time; by default the number of CPUs.
        show: Prints the results on standard output.

    Raises:
        VerifyError: An image does not keep the contract.
    """
    console.step(f"verify: {console.count(len(images), 'image')} in running containers")
    run_tests(
        [target(run, image) for image in images],
        docker_host=run.connection.engine.host,
        tool=run.project.tool,
        paths=run.project.paths,
        workers=workers,
        force=force,
        show=show,
    )


def target(run: Run, built: BuiltImage) -> Target:
    """Return a built image with all that its tests expect."""
    return Target(built=built, labels=image_labels(built.image, run.project.matrix.project))
