"""`nox -s catalogue`: ask the registry, record its content, write docs/images.md and the site."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from build.bases import published as published_bases
from build.bases.published_note import PublishedBases
from build.builder import image_recipes
from build.catalogue import pages as catalogue
from build.catalogue import record as catalogue_record
from build.catalogue import remote, site_folder
from build.catalogue import site as catalogue_site
from build.catalogue import table as catalogue_table
from build.catalogue.record import Record
from build.catalogue.remote import Published
from build.checkout.project import Project, open_project
from build.commands.options import Session
from build.commands.run import warn_of
from build.errors import LeftOutError, RegistryError
from build.images.image import Image
from build.matrix import lifecycle
from build.paths import Paths, repository, write_atomically
from build.publish import status
from build.registry import address
from build.registry.address import Registry
from build.registry.client import Client
from build.system import console, state
from build.system.http import HttpClient
from build.system.retries import RetryPolicy


def catalogue_command(paths: Paths, *, output: Path, offline: bool) -> None:
    """Write the catalogue of all images of the matrix.

    Args:
        paths: The checkout.
        output: The directory of the site.
        offline: Ask no registry; use the earlier record.

    Raises:
        RegistryError: The registry that ``REGISTRY`` names is not there, refuses, or fails.
        UsageError: The directory has other content.
        LeftOutError: An image has no lock; the site is written without it, and docs/images.md is not.
    """
    project = open_project(paths)
    now = datetime.datetime.now(datetime.UTC)
    where = address.from_environment()
    record = catalogue_record.read(paths.images_record)
    answers = None if offline else _ask(project, where)
    published = answers.images if answers else None
    images, left_out = project.usable_images(project.variants)
    warn_of(left_out)
    if published is not None:
        record = catalogue_record.record(published, str(where), now.date())
    elif record is not None:
        console.warn(f"tags, digests and sizes are those recorded earlier: {record.registry}, {record.date}")
    if left_out:
        console.warn("docs/images.md stays as it is: it lists all images, and some are left out")
    changed = [] if left_out else _write_table(project, images, record)
    there = [image for image in images if image.variant.name in (published or {})]
    current = image_recipes.of(project, there, answers.bases if answers else None)
    for name, base in current.unknown.items():
        console.warn(f"it is unknown whether {name} is published in its present form: {base.why}; {base.fix}")
    pages = catalogue.pages(
        images,
        project.matrix,
        published or {},
        today=now.date(),
        recorded=record.images if record and published is None else {},
        recipes={name: recipe.digest for name, recipe in current.known.items()},
    )
    files = catalogue_site.render(
        pages,
        # A record is about the registry that was asked for it.
        registry=address.parse(record.registry) if record and published is None else where,
        asked=published is not None,
        record=record,
        now=now,
        templates=project.tool.catalogue_templates / "site",
        patches=project.matrix.patches,
    )
    count = site_folder.write(files, output)
    for page in pages:
        if page.digest and (warning := lifecycle.warning(page.variant.lifecycle, now.date())):
            console.warn(f"{page.name} is published and {warning}")
    known = sum(page.digest is not None for page in pages)
    console.out.print(f"{len(pages)} images, {known} published; {count} files in {output}", soft_wrap=True)
    console.out.print(f"open {(output / 'index.html').resolve().as_uri()}", soft_wrap=True)
    for path in changed:
        console.info(f"{path} changed: commit it")
    if left_out:
        raise LeftOutError(left_out, len(project.variants))


def _write_table(project: Project, images: Sequence[Image], record: Record | None) -> list[str]:
    """Write docs/images.md and its record; returns the paths that changed."""
    paths = project.paths
    wanted = {
        paths.images_table: catalogue_table.render(
            images, project.matrix, record, templates=project.tool.catalogue_templates
        )
    }
    if record is not None:
        wanted[paths.images_record] = catalogue_record.to_text(record)
    changed = []
    for file, text in wanted.items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_atomically(file, text)
            changed.append(str(file.relative_to(paths.root)))
    return changed


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What the registry has."""

    #: By image name.
    images: dict[str, Published]
    bases: PublishedBases


def _ask(project: Project, where: Registry) -> _Answers | None:
    """Ask the registry; None where the embedded registry does not run."""
    names = {variant.repository: variant.name for variant in project.variants}
    console.step(f"catalogue: asking {where} for {console.count(len(names), 'image')}")
    # The embedded registry may well not run, and is on this machine: nothing is gained by waiting for it.
    http = HttpClient(proxies=False, policy=RetryPolicy(attempts=1)) if where.embedded else None
    try:
        with Client(where, http) as client:
            client.check()
            answers = remote.ask(client, list(names))
            status.warn(client, project.matrix.project.namespace)
            bases = published_bases.find(client, project, project.build_base_names(project.variants))
    except RegistryError as failure:
        fix = f"{failure.fix}; or do without it: nox -s catalogue -- --offline"
        if not where.embedded:
            raise RegistryError(failure.what, where=failure.where, fix=fix, details=failure.details) from failure
        console.warn(f"{failure.what}: the catalogue is written without it ({failure.fix})")
        return None
    images = {names[repository]: published for repository, published in answers.items()}
    return _Answers(images=images, bases=bases)


@click.command("catalogue", cls=Session)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Directory of the website.",
)
@click.option("--offline", is_flag=True, help="Do not ask the registry; use what was recorded last time.")
def write_catalogue(output: Path, offline: bool) -> None:
    """Write docs/images.md and a website of all images.

    They show the matrix, the locks, and what the registry has.
    """
    with state.exclusive(repository(), "catalogue"):
        catalogue_command(repository(), output=output, offline=offline)
