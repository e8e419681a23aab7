"""`nox -s diff`: what differs between two published images or releases; no engine is needed."""

from __future__ import annotations

from pathlib import Path

import click

from build.commands.options import Session
from build.diff import documents, markdown, references, terminal
from build.diff.compare import ImageDifference
from build.diff.differ import Differ
from build.diff.references import ImageReference
from build.diff.release_difference import ReleaseDifference
from build.errors import PipelineError, UsageError
from build.matrix import reader
from build.paths import repository, write_atomically
from build.registry import address


@click.command("diff", cls=Session)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown: of two releases, release notes.")
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the difference to this file, as Markdown for the summary of a job.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Download the layers of images whose packages no attached document lists, and read the packages in them.",
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", required=False)
def diff(before: str, after: str | None, as_json: bool, as_markdown: bool, summary: Path | None, layers: bool) -> None:
    """Show what differs between two published images or releases: packages, configuration, layers, bytes to fetch.

    A and B are two releases (20261126.v1, latest), or two images: NAME, NAME:TAG or NAME@DIGEST of the matrix's
    registry, or HOST/NAMESPACE/NAME:TAG of any other one. Next to an image, a release is that tag of it. A release
    alone is compared with the one before it. In a folder that `promote` wrote, they are oci:PATH (its last
    release), oci:PATH:20261126.v1, or oci:PATH:NAME:TAG.
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown contradict each other", fix="use one of them")
    namespace = reader.load(repository().matrix).matrix.project.namespace
    one, two = references.parse(before, after, address.from_environment(), namespace)
    with Differ(layers=layers) as differ:
        difference: ImageDifference | ReleaseDifference
        if isinstance(two, ImageReference):
            assert isinstance(one, ImageReference)
            difference = differ.images(one, two)
        else:
            assert not isinstance(one, ImageReference)
            difference = differ.releases(one, two)
    _show(difference, as_json=as_json, as_markdown=as_markdown)
    if summary is not None:
        _write(summary, _markdown(difference))


def _show(difference: ImageDifference | ReleaseDifference, *, as_json: bool, as_markdown: bool) -> None:
    if as_markdown:
        click.echo(_markdown(difference), nl=False)
    elif isinstance(difference, ImageDifference):
        if as_json:
            click.echo(documents.of_images(difference))
        else:
            terminal.print_images(difference)
    elif as_json:
        click.echo(documents.of_releases(difference))
    else:
        terminal.print_releases(difference)


def _markdown(difference: ImageDifference | ReleaseDifference) -> str:
    if isinstance(difference, ImageDifference):
        return markdown.of_images(difference)
    return markdown.of_releases(difference)


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text)
    except OSError as failure:
        raise PipelineError(f"the summary could not be written: {failure.strerror}", where=str(file)) from failure
