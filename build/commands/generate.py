"""`nox -s generate`: write the generated files."""

from __future__ import annotations

import click

from build.checkout.project import Project, open_project
from build.commands.generated_files import write
from build.commands.options import Session
from build.errors import LeftOutError, PipelineError
from build.paths import repository
from build.system import console, state

#: So many changed files are named; a larger number is only counted.
_NAMED = 20


@click.command(cls=Session)
def generate() -> None:
    """Write the Dockerfiles and all other generated files.

    They include the layer files, the bake file, the curated environments, matrix.schema.json, docs/images.md and
    docs/matrix.md.  They are made from matrix.yaml and the locks; no network is needed.  An image without a valid lock
    is left out; all others are written, and the command fails at its end.
    """
    with state.exclusive(repository(), "generate"):
        project = open_project(repository())
        images, left_out = project.usable_images(project.variants)
        if left_out and not images:
            raise left_out[0].why
        changed = write(project, images if left_out else None)
        _link(project)
    for path in changed[:_NAMED]:
        console.info(path)
    if len(changed) > _NAMED:
        console.info(f"and {len(changed) - _NAMED} more")
    click.echo(f"{len(changed)} files written" if changed else "nothing to write: all files are up to date")
    if left_out:
        raise LeftOutError(left_out, len(project.variants))


def _link(project: Project) -> None:
    """Give another repository a link to the tool's ``image/``, in which the bake file names build contexts.

    Raises:
        PipelineError: It has something else of that name.
    """
    link, wanted = project.paths.image, project.tool.image
    if link.exists() and link.samefile(wanted):
        return
    if link.is_symlink():  # to another clone of the tool
        link.unlink()
    elif link.exists():
        raise PipelineError(
            "the name is needed for a link to the tool's files", where=str(link), fix="rename it, or remove it"
        )
    link.symlink_to(wanted, target_is_directory=True)
