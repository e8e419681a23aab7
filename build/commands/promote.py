"""`nox -s promote`: copy a release to another registry, or to a folder; no engine is needed."""

from __future__ import annotations

import contextlib

import click

from build.checkout.project import open_project
from build.commands.options import Session
from build.paths import repository
from build.promote import output
from build.promote import promote as promoting
from build.promote.layout_target import LayoutTarget
from build.promote.stores import Source
from build.publish import origin
from build.publish.targets import Rules
from build.registry import address, places
from build.registry.address import Registry
from build.registry.layout import Layout
from build.registry.places import Folder, Location
from build.registry.transfer import TransferClient
from build.system import console, state


@click.command("promote", cls=Session)
@click.option("--from", "from_", metavar="SOURCE", help="Where the release is; the default is what REGISTRY names.")
@click.option("--allow-older", is_flag=True, help="Promote a release although the target has a newer one.")
@click.option(
    "--no-latest",
    is_flag=True,
    help="Do not move 'latest': for registries in which tags are immutable, and for archives.",
)
@click.option("--json", "as_json", is_flag=True, help="Print references and totals as JSON.")
@click.argument("release", metavar="RELEASE")
@click.argument("target", metavar="TARGET")
def promote(release: str, target: str, from_: str | None, allow_older: bool, no_latest: bool, as_json: bool) -> None:
    """Copy a release to another registry, or to a folder.

    RELEASE is YYYYMMDD.vN, or 'latest' for the last one. TARGET and SOURCE are registries, host[:port][/namespace], or
    folders with an OCI image layout, oci:PATH. Images and what is attached to them keep their digests. What the target
    has is not sent again: start an interrupted command again.
    """
    project = open_project(repository())
    namespace = project.matrix.project.namespace
    source_location = places.parse(from_) if from_ else address.from_environment()
    target_location = places.parse(target)
    places.check_different(source_location, target_location, namespace)
    with contextlib.ExitStack() as stack:
        stack.enter_context(state.exclusive(project.paths, "promote"))
        job = promoting.Job(
            source=_source(source_location, stack),
            source_name=str(source_location),
            target=_target(target_location, stack),
            target_name=str(target_location),
            namespace=namespace,
            base_names=project.matrix.bases,
            origin=origin.of_checkout(project.paths.root, held=state.lock_file(project.paths)),
            rules=Rules(allow_older=allow_older, latest=not no_latest),
        )
        status = stack.enter_context(console.err.status("sending"))  # moves on a terminal, prints nothing elsewhere

        def show(sent: int, total: int) -> None:
            status.update(f"sending: {console.size(sent)} of {console.size(total)}")

        result = promoting.promote(release, job, show)
    if as_json:
        click.echo(output.to_json(result))
    else:
        output.print_result(result)


def _source(location: Location, stack: contextlib.ExitStack) -> Source:
    return Layout(location) if isinstance(location, Folder) else _client(location, stack)


def _target(location: Location, stack: contextlib.ExitStack) -> TransferClient | LayoutTarget:
    return LayoutTarget(location) if isinstance(location, Folder) else _client(location, stack)


def _client(registry: Registry, stack: contextlib.ExitStack) -> TransferClient:
    client = stack.enter_context(TransferClient(registry))
    client.check()
    return client
