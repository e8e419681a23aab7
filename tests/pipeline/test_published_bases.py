"""Bases in a registry: the first root file system for a lock counts for everyone, whatever the archive has today."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound

from build.bases import engine_rootfs, published, rootfs, rootfs_image
from build.bases.engine_rootfs import RootfsStore
from build.bases.local import LocalBase, local_base
from build.bases.rootfs_image import RootfsImage
from build.checkout.project import open_project
from build.errors import RegistryError
from build.locks import debian
from build.locks.debian import MadeRootfs
from build.matrix.origins import Bootstrapped
from build.publish.bases import BasesOf, UsedBase, push_bases, tag_bases
from build.publish.lock import NoGuard
from build.publish.publication import Upload
from build.publish.push import local_image, push
from build.publish.writes import Writes
from build.registry.client import Client
from build.system import state
from tests.conftest import Checkout, link_large
from tests.pipeline.registries import Running, running
from tests.pipeline.rows import BASE_NAME, MINIMAL

pytestmark = pytest.mark.engine

REPOSITORY = f"azureml/base-{BASE_NAME}"
#: For commands that must not need an engine.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
#: A version that no archive has: the lock is as old as it can be.
OLD = "tzdata=1970a-0"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A checkout whose base is ahead of its lock, and is published with its minimal image."""

    checkout: Checkout
    registry: Running

    @property
    def environment(self) -> dict[str, str]:
        return self.registry.environment


def base_of(checkout: Checkout) -> tuple[LocalBase, Bootstrapped]:
    local = local_base(open_project(checkout.paths), BASE_NAME)
    assert isinstance(local.origin, Bootstrapped)
    return local, local.origin


def copy_of(checkout: Checkout, root: Path, *, state: bool) -> Checkout:
    """Copy a checkout, with or without what it has prepared."""
    left_out = shutil.ignore_patterns() if state else shutil.ignore_patterns(".pipeline")
    shutil.copytree(checkout.root, root, ignore=left_out, copy_function=link_large, symlinks=True)
    return Checkout(root=root)


@pytest.fixture(scope="module")
def ahead(
    verified: Checkout,
    engine_client: docker.DockerClient,
    registry_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Setting]:
    checkout = copy_of(verified, tmp_path_factory.mktemp("ahead") / "repository", state=True)
    local, origin = base_of(checkout)
    tree = rootfs.present(local)
    assert tree is not None
    old = tuple(OLD if each.startswith("tzdata=") else each for each in tree.packages)
    debian.record_base(local.paths, local.name, old, origin)
    rootfs.note_recorded(local)
    with running(engine_client, registry_image) as registry:
        made = Setting(checkout=checkout, registry=registry)
        done = checkout.run("publish", MINIMAL, env=made.environment)
        assert done.code == 0, done.text
        assert f"the base {BASE_NAME} was published: " in done.one_screen()
        yield made
    remove_from_engine(engine_client, checkout)
    shutil.rmtree(checkout.root, ignore_errors=True)


@pytest.fixture
def fresh(ahead: Setting, tmp_path: Path) -> Checkout:
    """A clone in which nothing was run yet."""
    return copy_of(ahead.checkout, tmp_path / "fresh", state=False)


def used_by(checkout: Checkout) -> BasesOf:
    """The base of images that were built on the root file system of a checkout."""
    local, origin = base_of(checkout)
    tree = rootfs.present(local)
    assert tree is not None
    base = UsedBase(local=local, origin=origin, repository=REPOSITORY, packages=tree.packages)
    return BasesOf(project=open_project(checkout.paths), used=(base,), images=())


def remove_from_engine(client: docker.DockerClient, checkout: Checkout) -> None:
    lock = rootfs_image.lock_of(*base_of(checkout))
    client.images.remove(f"{REPOSITORY}:lock-{lock}", force=True)


def test_a_fresh_clone_plans_with_the_base_in_the_registry(ahead: Setting, fresh: Checkout) -> None:
    environment = {**ahead.environment, **NO_ENGINE}
    planned = fresh.run("plan", MINIMAL, env=environment)
    assert planned.code == 0, planned.text
    assert "1 image: 1 up to date" in planned.out
    line = (
        f"the base {BASE_NAME} in the registry differs from its lock in 1 Debian package: {OLD.replace('=', ' ')} -> "
    )
    assert line in planned.out
    document = json.loads(fresh.run("plan", MINIMAL, "--json", env=environment).out)
    (difference,) = document["bases"][BASE_NAME]["differences"]
    assert difference.startswith("tzdata 1970a-0 -> ")
    done = fresh.run("pipeline", MINIMAL, env=environment)
    assert done.code == 0, done.text
    assert "1 already published; 0 B sent" in done.out
    same = fresh.run("why", MINIMAL, env=environment)
    assert "is what would be built" in same.out, same.text


def test_locked_refuses_a_base_that_differs_from_its_lock(ahead: Setting, fresh: Checkout) -> None:
    for command in ("pipeline", "build"):
        refused = fresh.run(command, MINIMAL, "--locked", env=ahead.environment)
        assert refused.code == 1, refused.text
        assert f"the base {BASE_NAME} differs from its lock in 1 Debian package" in refused.one_screen()
        assert "bootstrapping" not in refused.text
        assert "tzdata 1970a-0 -> " in refused.text
    planned = fresh.run("pipeline", MINIMAL, "--locked", "--dry-run", env={**ahead.environment, **NO_ENGINE})
    assert "1 image: 1 blocked" in planned.out, planned.text


def test_a_base_is_taken_from_the_engine_or_the_registry_and_never_bootstrapped_again(
    ahead: Setting, fresh: Checkout, engine_client: docker.DockerClient
) -> None:
    original, _ = base_of(ahead.checkout)
    here, _ = base_of(fresh)
    done = fresh.run("bases", "--base", BASE_NAME, env=ahead.environment)
    assert done.code == 0, done.text
    assert f"taking the base {BASE_NAME} from the engine" in done.one_screen()
    assert rootfs_image.diff_id_of(here.rootfs_file) == rootfs_image.diff_id_of(original.rootfs_file)
    remove_from_engine(engine_client, fresh)
    shutil.rmtree(fresh.root / ".pipeline")
    again = fresh.run("bases", "--base", BASE_NAME, env=ahead.environment)
    assert again.code == 0, again.text
    assert f"pulling the base {BASE_NAME}: the registry has it" in again.one_screen()
    assert rootfs_image.diff_id_of(here.rootfs_file) == rootfs_image.diff_id_of(original.rootfs_file)
    assert "bootstrapping" not in done.text + again.text


def test_a_clone_with_another_base_takes_that_of_the_registry(ahead: Setting, tmp_path: Path) -> None:
    other = copy_of(ahead.checkout, tmp_path / "other", state=True)
    local, _ = base_of(other)
    bootstrap_another(local)
    local.published_note.unlink(missing_ok=True)
    built = other.run("build", MINIMAL, env=ahead.environment)
    assert built.code == 0, built.text
    assert "up to date" in built.out and "bootstrapping" not in built.text, built.text
    prepared = other.run("bases", "--base", BASE_NAME, env=ahead.environment)
    assert prepared.code == 0, prepared.text
    tree = rootfs.present(local)
    assert tree is not None and "tzdata=2999a-0" not in tree.packages


def bootstrap_another(local: LocalBase) -> None:
    """Leave what a bootstrap from an archive with another package leaves."""
    known = state.read_json(local.bootstrap_record)
    assert known is not None
    packages = ["tzdata=2999a-0" if each.startswith("tzdata=") else each for each in known["packages"]]
    state.write_json(local.bootstrap_record, {**known, "packages": packages})


def test_the_first_base_for_a_lock_stays(ahead: Setting, tmp_path: Path, engine_client: docker.DockerClient) -> None:
    other = copy_of(ahead.checkout, tmp_path / "other", state=True)
    local, _ = base_of(other)
    bootstrap_another(local)
    local.published_note.unlink(missing_ok=True)
    with Client(ahead.registry.registry) as remote:
        tag = f"lock-{rootfs_image.lock_of(*base_of(other))}"
        before = remote.digest(REPOSITORY, tag)
        with pytest.raises(RegistryError, match=r"before, with 1 other Debian package$"):
            push_bases(used_by(other), remote, engine_client)
        assert remote.digest(REPOSITORY, tag) == before


def test_a_base_with_other_content_than_its_lock_records_is_not_used(
    ahead: Setting, tmp_path: Path, engine_client: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copy_of(ahead.checkout, tmp_path / "other", state=True)
    local, origin = base_of(other)
    tree = rootfs.present(local)
    assert tree is not None
    made = MadeRootfs(
        diff_id=rootfs_image.diff_id_of(local.rootfs_file),
        arguments=tuple(rootfs.arguments(origin)),
        time=datetime.datetime.now(datetime.UTC),
    )
    debian.record_base(local.paths, local.name, tree.packages, origin, made)
    lock = rootfs_image.lock_of(local, origin)
    assert lock is not None
    namespace = open_project(other.paths).matrix.project.namespace
    store = RootfsStore(client=engine_client, namespace=namespace, registry=ahead.registry.registry)
    forged = tmp_path / "forged.tar"
    forged.write_bytes(local.rootfs_file.read_bytes() + bytes(10240))
    image = RootfsImage(
        base_name=local.name, lock=lock, diff_id=rootfs_image.diff_id_of(forged), packages=tree.packages
    )
    reference = store.reference(local, lock)
    with Client(ahead.registry.registry) as remote:
        engine_rootfs.load(engine_client, image, forged, reference, tmp_path)
        item = Upload(name="forged", repository=REPOSITORY, local_reference=reference, tag=image.tag)
        push(item, local_image(engine_client, item), remote, engine_client, None)
        assert published.find_one(remote, REPOSITORY, local, origin) is None
        assert "does not have the content that its lock records" in " ".join(capsys.readouterr().err.split())
        engine_client.images.remove(reference, force=True)
        rootfs.note_recorded(local)
        pushed = push_bases(used_by(other), remote, engine_client)
        assert published.find_one(remote, REPOSITORY, local, origin) is None, "the tag was written without the lock"
        tag_bases(pushed, remote, Writes(remote), NoGuard())
        there = published.find_one(remote, REPOSITORY, local, origin)
        assert there is not None and there.image.diff_id == made.diff_id, "the right one did not take its place"
        with pytest.raises(ImageNotFound):
            engine_client.images.get(f"{ahead.registry.registry.host}/{reference}")
    engine_client.images.remove(reference, force=True)
