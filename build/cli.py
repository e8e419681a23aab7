"""The commands: ``python -m build COMMAND``, called by the nox sessions of the same names.

Here and in nowhere else a failure becomes text and an exit code.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from build import __doc__ as package_doc
from build.errors import INTERRUPTED_EXIT_CODE, UNEXPECTED_EXIT_CODE, PipelineError
from build.matrix import lifecycle
from build.paths import repository
from build.system import console, state
from build.variants import stand_in
from build.variants.select import Selection

_Command = Callable[..., Any]


def selecting(command: _Command) -> _Command:
    """Add the options that select images; the command gets ``selection``."""

    @functools.wraps(command)
    def wrapped(
        patterns: tuple[str, ...],
        framework: tuple[str, ...],
        base: tuple[str, ...],
        device: str | None,
        group: str | None,
        all_: bool,
        **rest: Any,
    ) -> Any:
        bases, stand_ins = stand_in.parse(base)
        selection = Selection(
            patterns=patterns,
            framework=framework,
            base=bases,
            device=device,
            group=group,
            all_=all_,
            stand_ins=stand_ins,
        )
        return command(selection=selection, **rest)

    for add in reversed(
        (
            click.argument("patterns", nargs=-1, metavar="[IMAGE]..."),
            click.option("--framework", multiple=True, help="Images of this framework; may be given again."),
            click.option(
                "--base",
                multiple=True,
                metavar="BASE[=OTHER]",
                help="Images on this base; with =OTHER, build those on it on that base instead. May be given again.",
            ),
            click.option("--device", help="cpu, gpu, or a CUDA name of the matrix."),
            click.option("--group", help="A group of the matrix."),
            click.option("--all", "all_", is_flag=True, help="Every image of the matrix."),
        )
    ):
        wrapped = add(wrapped)
    return wrapped


class _Session(click.Command):
    """A command whose usage is what people type: nox passes on what stands after ``--``."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["--", *super().collect_usage_pieces(ctx)]


class _Sessions(click.Group):
    command_class = _Session


@click.group(
    cls=_Sessions,
    help=package_doc.split("\n\n")[0] if package_doc else None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
def cli() -> None:
    """Root of all commands."""


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@selecting
def list_command(selection: Selection, as_json: bool) -> None:
    """The images of the matrix, as a table. IMAGE is a name or a glob."""
    from build.checkout.project import open_project
    from build.variants.rows import as_rows

    project = open_project(repository())
    variants = project.select(selection)
    rows = as_rows(variants, project.groups())
    today = datetime.datetime.now(datetime.UTC).date()
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    console.table(
        ("image", "framework", "version", "device", "base", "python", "lifecycle", "contract"),
        [
            (
                row["name"],
                row["framework"],
                row["version"] or "-",
                row["device"],
                row["base"],
                row["python"],
                lifecycle.status(variant.lifecycle, today),
                ", ".join(row["contract"]),
            )
            for row, variant in zip(rows, variants, strict=True)
        ],
    )
    console.out.print(f"{len(rows)} images")


@cli.command()
@click.option("--check", is_flag=True, help="Write nothing; say what is stale, and fail if anything is.")
@click.option("--bases", "refresh_bases", is_flag=True, help="Bootstrap the bases anew and record their packages.")
def lock(check: bool, refresh_bases: bool) -> None:
    """Resolve every image of the matrix into locks/, with hashes."""
    from build.commands.lock import lock_command

    with state.exclusive(repository(), "lock"):
        lock_command(repository(), check=check, refresh_bases=refresh_bases)


@cli.command()
def generate() -> None:
    """Write Dockerfiles, layer files, bake file, environments, schema, docs/images.md from the matrix and the locks."""
    from build.checkout.project import open_project
    from build.commands.generated_files import write

    with state.exclusive(repository(), "generate"):
        changed = write(open_project(repository()))
    for path in changed[:20]:
        console.info(path)
    if len(changed) > 20:
        console.info(f"and {len(changed) - 20} more")
    console.out.print(f"{len(changed)} files written" if changed else "nothing to write: all files are up to date")


@cli.command()
def check() -> None:
    """Fail where a committed file is not what the matrix and the locks give."""
    from build.checkout.project import open_project
    from build.commands.pipeline import check_drift

    check_drift(open_project(repository()))
    console.out.print(
        "the matrix, the schema, the locks, the Dockerfiles, the bake file, the environments and docs/images.md agree"
    )


def building(command: _Command) -> _Command:
    """Add the options of building; the command gets ``options``."""
    from build.builder.builder import Options

    @functools.wraps(command)
    def wrapped(jobs: int, no_cache: bool, locked: bool, refresh_bases: bool, **rest: Any) -> Any:
        options = Options(jobs=jobs, no_cache=no_cache, locked=locked, refresh_bases=refresh_bases)
        return command(options=options, **rest)

    for add in reversed(
        (
            click.option("--jobs", type=click.IntRange(1), default=8, show_default=True, help="Images at a time."),
            click.option("--no-cache", is_flag=True, help="Build every layer anew."),
            click.option("--locked", is_flag=True, help="Fail where a base's Debian packages differ from its lock."),
            click.option("--refresh-bases", is_flag=True, help="Bootstrap the bases anew."),
        )
    ):
        wrapped = add(wrapped)
    return wrapped


@cli.command("bases")
@building
@selecting
def bases_command(selection: Selection, options: Any) -> None:
    """Bootstrap the bases and fetch extra wheels: what `docker buildx bake` needs beside the committed files."""
    from build.builder import builder, image_recipes
    from build.checkout.project import DEFAULT_GROUP, open_project
    from build.packages.wheel_sources import folder

    with state.exclusive(repository(), "bases"):
        project = open_project(repository())
        # A base that only stands in for others has no images of its own, and may be asked for all the same.
        alone = [name for name in selection.base if name in project.matrix.bases.keys() - project.own_bases]
        rest = dataclasses.replace(selection, base=tuple(name for name in selection.base if name not in alone))
        variants = project.select(rest, default_group=DEFAULT_GROUP) if rest != Selection() or not alone else ()
        not_found = image_recipes.find_prefixes(project, variants)
        names = sorted(set(project.used_bases(variants)) - not_found.keys() | set(alone))
        for name, missed in not_found.items():
            if name in selection.base:
                raise missed
            console.warn(f"{name} is left out: {missed.what} (searched: {missed.where})")
        builder.prepare(project, names, options, project.tools_lock())
        for image, failure in builder.fetch_all_wheels(project, variants).items():
            console.warn(f"{image} cannot be built: {failure.what} (searched: {failure.where})")
            for name in dict(project.variant(image).wheel_sources):  # bake asks for the folder all the same
                folder(project.paths, name, image).mkdir(parents=True, exist_ok=True)
    console.out.print("ready: " + ", ".join(names))


@cli.command("build")
@building
@selecting
def build_command(selection: Selection, options: Any) -> None:
    """Build images. IMAGE is a name or a glob; without any, the group 'default'."""
    from build.commands.pipeline import Run, check_drift

    with state.exclusive(repository(), "build"):
        run = Run.open(selection)
        check_drift(run.project)
        run.report_built(run.build(options))


@cli.command()
@click.option("--force", is_flag=True, help="Verify again what was verified already.")
@click.option("--workers", type=click.IntRange(1), help="Images at a time (default: one for each CPU).")
@selecting
def verify(selection: Selection, force: bool, workers: int | None) -> None:
    """Test built images in running containers. IMAGE is a name or a glob; without any, the group 'default'."""
    from build.commands.pipeline import Run

    with state.exclusive(repository(), "verify"):
        run = Run.open(selection)
        run.verify(run.local_images(), force=force, workers=workers)


_latest_for_stand_ins = click.option(
    "--latest-for-stand-ins", is_flag=True, help="Move 'latest' to images built on a stand-in base too."
)


@cli.command()
@_latest_for_stand_ins
@selecting
def publish(selection: Selection, latest_for_stand_ins: bool) -> None:
    """Push verified images to the registry. IMAGE is a name or a glob; without any, the group 'default'."""
    from build.commands.pipeline import Run

    with state.exclusive(repository(), "publish"):
        run = Run.open(selection, latest_for_stand_ins=latest_for_stand_ins)
        run.report_published(run.publish(run.local_images()))


@cli.command()
@building
@click.option("--workers", type=click.IntRange(1), help="Images tested at a time (default: one for each CPU).")
@_latest_for_stand_ins
@selecting
def pipeline(selection: Selection, options: Any, workers: int | None, latest_for_stand_ins: bool) -> None:
    """Check, build, verify, publish: from the matrix to tested images in a registry.

    IMAGE is a name or a glob; without any, the group 'default'.
    """
    from build.commands.pipeline import Run

    with state.exclusive(repository(), "pipeline"):
        Run.open(selection, latest_for_stand_ins=latest_for_stand_ins).pipeline(options, workers=workers)


@cli.command()
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="The site's folder."
)
@click.option("--offline", is_flag=True, help="Ask no registry; what was recorded of one before is taken.")
def catalogue(output: Path, offline: bool) -> None:
    """Write docs/images.md and a site of all images, from the matrix, the locks and the registry."""
    from build.commands.catalogue import catalogue_command

    with state.exclusive(repository(), "catalogue"):
        catalogue_command(repository(), output=output, offline=offline)


@cli.command("engine")
@click.option("--status", "action", flag_value="status", help="Say which engine answers.")
@click.option("--stop", "action", flag_value="stop", help="Stop the engine that this command started.")
@click.option("--purge", is_flag=True, help="With --stop: delete its data too (images, caches, registry).")
def engine_command(action: str | None, purge: bool) -> None:
    """Make sure that a Docker engine with BuildKit answers; start one where none does."""
    from build.engine import engine

    if action == "status":
        engine.status()
    elif action == "stop":
        engine.stop(purge)
    else:
        engine.ensure()


@cli.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here as well.")
@click.option("--only", multiple=True, help="Only these phases (see bench/README.md).")
@click.option("--rounds", type=click.IntRange(1), default=8, show_default=True, help="Starts of each for first-answer.")
def bench(json_file: Path | None, only: tuple[str, ...], rounds: int) -> None:
    """Measure this pipeline against plain Dockerfiles, on this machine's engine."""
    from bench.command import bench_command

    with state.exclusive(repository(), "bench"):
        bench_command(repository(), json_file=json_file, only=only, rounds=rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program; None takes this process's.

    Returns:
        The exit code: 0; 1 something failed; 2 wrong usage or matrix; 3 unexpected; 4 engine; 5 registry;
        6 network; 7 busy; 130 Ctrl-C.
    """
    began = time.monotonic()
    try:
        result = cli.main(args=arguments, prog_name="nox -s", standalone_mode=False)
    except PipelineError as failure:
        console.error(failure)
        return failure.exit_code
    except click.exceptions.Abort:
        return _interrupted(began)
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except KeyboardInterrupt:
        return _interrupted(began)
    except Exception:  # noqa: BLE001 - the last resort: a log to report, not a traceback on the screen
        return _unexpected()
    return result if isinstance(result, int) else 0


def _interrupted(began: float) -> int:
    console.err.print(
        f"[bold]interrupted[/bold] after {console.seconds(time.monotonic() - began)}; what was finished is kept"
    )
    return INTERRUPTED_EXIT_CODE


def _unexpected() -> int:
    from build.commands.pipeline import in_use
    from build.engine import engine

    failure = sys.exc_info()[1]
    assert failure is not None
    explained = engine.explain(failure, in_use[-1] if in_use else None)
    if explained is not None:
        console.error(explained)
        return explained.exit_code
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    log = repository().logs / f"unexpected-{stamp}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"{sys.argv}\n{sys.version}\n\n{traceback.format_exc()}", encoding="utf-8")
    console.error(
        PipelineError(
            f"unexpected: {type(failure).__name__}: {failure}",
            where=str(log),
            fix="this is a defect of the pipeline: report it with that log",
        )
    )
    return UNEXPECTED_EXIT_CODE
