"""`nox -s plan`, and `nox -s pipeline` where the registry has everything already, with a real registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from build.bases import published as published_bases
from build.builder import image_recipes
from build.checkout.project import open_project
from build.engine.images import find
from build.images.recipe import Recipe, debian_packages, inputs_tag
from build.locks import debian
from build.matrix.origins import Bootstrapped
from build.publish import records
from build.publish import release as releases
from build.publish.release import Commit, Release
from build.publish.stored import recipe_of
from build.registry import address
from build.registry.address import Registry
from build.registry.attachments import attach
from build.registry.client import Client
from build.registry.manifests import EMPTY, EMPTY_CONTENT, MANIFEST, descriptor, layers_of, to_manifest
from build.verify import reports
from tests.conftest import FOUNDATIONS, Checkout, copy_checkout, link_foundations, take_port
from tests.pipeline.helpers import change_recipes, local_image
from tests.pipeline.registries import BLOBS, Running, names_in, running
from tests.pipeline.rows import BASE_NAME, MINIMAL, SKLEARN
from tests.registry_proxy import Fault, Kind, kind_of, registry_proxy, status

pytestmark = [pytest.mark.engine, pytest.mark.verifies]

#: The tests remove images from the engine: names and recipes of their own keep them from other tests' images.
NAMESPACE = "plans"
REPOSITORY = f"{NAMESPACE}/{MINIMAL}"
#: For commands that must not need an engine.
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A checkout whose minimal image is published in a registry."""

    checkout: Checkout
    registry: Running

    @property
    def environment(self) -> dict[str, str]:
        return self.registry.environment

    @property
    def recipe(self) -> Recipe:
        project = open_project(self.checkout.paths)
        return image_recipes.of(project, project.images([project.variant(MINIMAL)])).known[MINIMAL]


@pytest.fixture(scope="module")
def published(
    engine_client: docker.DockerClient, registry_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    root = tmp_path_factory.mktemp("published") / "repository"
    root.mkdir()
    checkout = copy_checkout(root)
    checkout.edit("matrix.yaml", "namespace: azureml\n", f"namespace: {NAMESPACE}\n")
    change_recipes(checkout)
    with running(engine_client, registry_image) as registry:
        made = Published(checkout=checkout, registry=registry)
        for command in ("build", "verify", "publish"):
            done = checkout.run(command, MINIMAL, env=made.environment)
            assert done.code == 0, done.text
        yield made
    for name in names_in(engine_client):
        if name.startswith(f"{NAMESPACE}/"):
            engine_client.images.remove(name, force=True)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def fresh(published: Published, tmp_path: Path) -> Checkout:
    """A clone of the checkout in which nothing was run yet, but which has the results of the base's tests."""
    root = tmp_path / "fresh"
    shutil.copytree(published.checkout.root, root, ignore=shutil.ignore_patterns(".pipeline"))
    link_foundations(root)
    return Checkout(root=root)


def test_a_fresh_clone_without_an_engine_finds_everything_in_the_registry(
    published: Published, fresh: Checkout
) -> None:
    with registry_proxy(published.registry.port) as proxy:
        done = fresh.run("pipeline", MINIMAL, env={"REGISTRY": f"127.0.0.1:{proxy.port}", **NO_ENGINE})
    assert done.code == 0, done.one_screen()
    assert f"{REPOSITORY}:" in done.out
    assert "1 already published; 0 B sent" in done.out
    assert not list(fresh.root.rglob("rootfs.tar")), "a base was bootstrapped, or taken from the registry"
    of_image = [each for each in proxy.requests if f"/{REPOSITORY}/manifests/" in each.path]
    assert len(of_image) <= 3, [each.path for each in of_image]
    read = [each.path for each in proxy.requests if kind_of(each) == "blob read" and each.method == "GET"]
    assert len(read) <= 2, f"more than the record of the release and the configuration of the base was read: {read}"
    checked = fresh.run("plan", MINIMAL, "--check", env={**published.environment, **NO_ENGINE})
    assert checked.code == 0, checked.one_screen()
    assert "up to date" in checked.out


def test_the_inputs_of_the_recipe_are_in_the_registry(published: Published) -> None:
    recipe = published.recipe
    with Client(published.registry.registry) as client:
        manifest = client.manifest(REPOSITORY, inputs_tag(recipe.digest))
        assert layers_of(manifest) == (f"sha256:{recipe.digest}",), "the document's digest is not the recipe"
        assert json.loads(client.read_blob(REPOSITORY, f"sha256:{recipe.digest}")) == recipe.inputs


def test_the_label_of_the_base_is_its_image_s_digest_and_the_published_base_has_its_packages(
    published: Published, engine_client: docker.DockerClient
) -> None:
    """The registry has the base's root file system, which has other digests; base images are in no registry."""
    image = local_image(engine_client, published.checkout, MINIMAL)
    labels = dict(image.labels)
    base = find(engine_client, labels["org.opencontainers.image.base.name"])
    assert base is not None
    assert base.id == labels["org.opencontainers.image.base.digest"]
    assert image.layers[: len(base.layers)] == base.layers
    with Client(published.registry.registry) as client:
        known = published_bases.find(client, open_project(published.checkout.paths), [BASE_NAME])[BASE_NAME]
        repository = f"{NAMESPACE}/base-{BASE_NAME}"
        assert client.digest(repository, known.image.tag) == known.digest
        assert debian_packages(published.recipe) == known.image.packages
        assert client.find_manifest(repository, base.id) is None, "decision 0008 says that it is not there"


def test_tests_that_changed_are_run_on_the_image_in_the_registry(published: Published, fresh: Checkout) -> None:
    fresh.edit("tests/images/test_image_config.py", "def test_port(", "def test_the_port(")
    planned = fresh.run("plan", MINIMAL, "--json", env={**published.environment, **NO_ENGINE})
    assert planned.code == 0, planned.one_screen()
    (row,) = json.loads(planned.out)["images"]
    assert (row["plan"], row["reason"]) == ("to test", "it has no report of today's tests")
    assert fresh.run("plan", MINIMAL, "--check", env={**published.environment, **NO_ENGINE}).code == 1


def test_what_changed_is_named_with_its_place(published: Published, fresh: Checkout) -> None:
    environment = {**published.environment, **NO_ENGINE}
    same = fresh.run("why", MINIMAL, env=environment)
    assert same.code == 0, same.one_screen()
    assert "is what would be built" in same.out
    fresh.edit("image/scripts/install-layer", "set -eu\n", "set -eu\numask 022\n")
    origin = open_project(fresh.paths).matrix.bases[BASE_NAME].origin
    assert isinstance(origin, Bootstrapped)
    packages = debian.recorded(fresh.paths, BASE_NAME) or ()
    changed_packages = [re.sub(r"^libc6=.*$", "libc6=1.0", package) for package in packages]
    debian.record_base(fresh.paths, BASE_NAME, changed_packages, origin)
    file = debian.lock_file(fresh.paths, BASE_NAME)
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if text == "libc6=1.0")
    changed = fresh.run("why", MINIMAL, "latest", env=environment)
    assert changed.code == 0, changed.one_screen()
    assert re.search(rf"  libc6 \S+ → 1\.0 +locks/{BASE_NAME}/debian.txt:{line}\n", changed.out), changed.out
    assert re.search(r"  install-layer changed +image/scripts/install-layer\n", changed.out), changed.out
    nowhere = fresh.run("why", MINIMAL, "20200101.v1", env=environment)
    assert nowhere.code == 2
    assert f"{REPOSITORY}:20200101.v1 is not in the registry" in nowhere.one_screen()


def test_build_pulls_what_the_registry_has(
    published: Published, fresh: Checkout, engine_client: docker.DockerClient
) -> None:
    here = local_image(engine_client, published.checkout, MINIMAL)
    engine_client.images.remove(here.id, force=True)
    pulled = fresh.run("build", MINIMAL, env=published.environment)
    assert pulled.code == 0, pulled.text
    assert f"pulling {MINIMAL}: the registry has it" in pulled.one_screen()
    assert "up to date" in pulled.out
    assert not list((fresh.root / ".pipeline/logs").glob("build-*")), "buildx was run"
    assert local_image(engine_client, fresh, MINIMAL).id == here.id
    assert engine_client.images.get(f"{REPOSITORY}:latest").id == here.id
    assert not list(fresh.root.rglob("rootfs.tar")), "nothing is built on the base"
    tested = fresh.run("verify", MINIMAL, env=published.environment)
    assert tested.code == 0, tested.text
    assert "already verified" in tested.out, "it was tested again, although the registry has a report"
    engine_client.images.remove(here.id, force=True)
    built = fresh.run("build", MINIMAL, "--no-pull", env=published.environment)
    assert built.code == 0, built.text
    assert "pulling" not in built.text and " built " in built.out


def test_a_tag_that_was_moved_is_moved_back_without_a_build_or_a_test(
    published: Published, fresh: Checkout, engine_client: docker.DockerClient
) -> None:
    here = local_image(engine_client, published.checkout, MINIMAL)
    engine_client.images.remove(here.id, force=True)
    with Client(published.registry.registry) as client:
        digest = client.digest(REPOSITORY, "latest")
        other = client.manifest(REPOSITORY, inputs_tag(published.recipe.digest))
        client.put_tag(REPOSITORY, "latest", other)
        planned = fresh.run("plan", MINIMAL, env={**published.environment, **NO_ENGINE})
        assert "tag to move: not on it: latest" in planned.out, planned.one_screen()
        done = fresh.run("pipeline", MINIMAL, env=published.environment)
        assert done.code == 0, done.one_screen()
        assert f"pulling {MINIMAL}" in done.err
        assert re.search(rf"^{MINIMAL} +up to date", done.out, re.MULTILINE), "it was built"
        assert "already verified" in done.out, "it was tested again"
        assert local_image(engine_client, published.checkout, MINIMAL).id == here.id
        assert client.digest(REPOSITORY, "latest") == digest


def test_a_layer_that_is_gone_is_noticed_and_sent_again(published: Published) -> None:
    with Client(published.registry.registry) as client:
        layer = layers_of(client.manifest(REPOSITORY, "latest"))[-1].partition(":")[2]
        published.registry.run(f"rm -r {BLOBS}/sha256/{layer[:2]}/{layer}")
        planned = published.checkout.run("plan", MINIMAL, env={**published.environment, **NO_ENGINE})
        assert f"to build: the registry does not have its blob sha256:{layer[:12]}" in planned.out
        done = published.checkout.run("pipeline", MINIMAL, env=published.environment)
        assert done.code == 0, done.one_screen()
        assert client.has_blob(REPOSITORY, f"sha256:{layer}")
    again = published.checkout.run("plan", MINIMAL, "--check", env={**published.environment, **NO_ENGINE})
    assert again.code == 0, again.one_screen()


def test_a_recipe_tag_on_another_image_is_noticed(published: Published) -> None:
    namespace = f"team-{uuid.uuid4().hex[:8]}"
    config = b'{"config": {"Labels": {"inference-images.recipe": "0"}}}'
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [],
    }
    with Client(published.registry.registry) as client:
        repository = f"{namespace}/{MINIMAL}"
        client.put_artifact(repository, to_manifest(document, MANIFEST), [config])
        client.put_tag(repository, published.recipe.tag, to_manifest(document, MANIFEST))
    environment = {"REGISTRY": f"127.0.0.1:{published.registry.port}/{namespace}", **NO_ENGINE}
    planned = published.checkout.run("plan", MINIMAL, env=environment)
    assert f"to build: the tag {published.recipe.tag} is on an image of another recipe" in planned.out
    done = published.checkout.run("pipeline", MINIMAL, env={"REGISTRY": environment["REGISTRY"]})
    assert done.code == 0, done.one_screen()
    with Client(published.registry.registry) as client:
        latest = client.manifest(repository, "latest")
        assert recipe_of(client, repository, latest) == published.recipe.digest, "the foreign image was released"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("tags list", ""),
        ("manifest read", "/releases/"),
        ("blob read", "/releases/"),
        ("manifest read", rf"/{MINIMAL}/manifests/\d"),
        ("manifest read", rf"/{MINIMAL}/manifests/latest"),
        ("manifest read", rf"/{MINIMAL}/manifests/verified"),
        ("blob read", f"/{MINIMAL}/"),
    ],
)
def test_a_registry_that_fails_is_never_up_to_date(published: Published, kind: Kind, path: str, tmp_path: Path) -> None:
    fault = Fault(kind=kind, effect=status(403, "not today", error="DENIED"), times=None, path=path)
    with registry_proxy(published.registry.port, fault) as proxy:
        environment = {"REGISTRY": f"127.0.0.1:{proxy.port}", **NO_ENGINE}
        summary = tmp_path / "summary.md"
        planned = published.checkout.run("plan", MINIMAL, f"--summary={summary}", env=environment)
        assert planned.code == 5, planned.one_screen()
        assert "unknown" in planned.out
        assert "it is unknown what the registry has of 1 image" in planned.err
        assert f"| {MINIMAL} | unknown |" in summary.read_text()
        done = published.checkout.run("pipeline", MINIMAL, env=environment)
        assert done.code == 5, done.one_screen()
        assert "==> build" not in done.err


def test_an_embedded_registry_that_is_stopped_counts_as_empty(published: Published) -> None:
    environment = {"INFERENCE_IMAGES_REGISTRY_PORT": str(take_port()), **NO_ENGINE}
    planned = published.checkout.run("plan", MINIMAL, env=environment)
    assert planned.code == 0, planned.one_screen()
    assert "to build: the embedded registry does not run" in planned.out
    assert published.checkout.run("plan", MINIMAL, "--check", env=environment).code == 1
    dry = published.checkout.run("pipeline", MINIMAL, "--dry-run", env=environment)
    assert dry.code == 0
    assert dry.out == planned.out


def committed(checkout: Checkout, day: str) -> Checkout:
    """Make a checkout a git repository with one commit."""
    date = f"{day}T12:00:00Z"
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=a commit"]):
        subprocess.run(
            ["git", "-c", "user.name=one", "-c", "user.email=one@localhost", *command],
            cwd=checkout.root,
            env={**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
            check=True,
        )
    return checkout


def test_an_older_checkout_plans_and_builds_nothing_that_would_replace_newer_images(
    published: Published, fresh: Checkout, tmp_path: Path
) -> None:
    environment = {"REGISTRY": f"127.0.0.1:{published.registry.port}/team-{uuid.uuid4().hex[:8]}"}
    older = Checkout(root=shutil.copytree(fresh.root, tmp_path / "older"))
    done = committed(fresh, "2026-11-02").run("pipeline", MINIMAL, env=environment)
    assert done.code == 0, done.one_screen()
    older.edit("image/scripts/install-layer", "set -eu\n", "set -eu\numask 022\n")
    committed(older, "2026-11-01")
    planned = older.run("plan", MINIMAL, env={**environment, **NO_ENGINE})
    assert planned.code == 0, planned.one_screen()
    assert re.search(rf"^{MINIMAL} +blocked", planned.out, re.MULTILINE)
    assert "the registry has newer images: release" in planned.out
    refused = older.run("pipeline", MINIMAL, env={**environment, **NO_ENGINE})
    assert refused.code == 5
    assert "--allow-older" in refused.one_screen()
    allowed = older.run("plan", MINIMAL, "--allow-older", env={**environment, **NO_ENGINE})
    assert re.search(rf"^{MINIMAL} +to build", allowed.out, re.MULTILINE), allowed.text
    # What would replace nothing is not blocked.
    shutil.copy(fresh.root / "image/scripts/install-layer", older.root / "image/scripts/install-layer")
    same = older.run("plan", MINIMAL, "--check", env={**environment, **NO_ENGINE})
    assert same.code == 0, same.one_screen()


def test_build_pulls_on_an_older_checkout_too(
    published: Published, fresh: Checkout, engine_client: docker.DockerClient
) -> None:
    """The last release has another image, of a newer commit; that of the checkout is there under its recipe."""
    registry, environment, record = _released(published)
    newer = Commit(hash="b" * 40, time=2_000_000_000)
    image = replace(record.images[0], digest=f"sha256:{'0' * 64}", recipe="0" * 64, commit=newer)
    with Client(registry) as client:
        _record(client, replace(record, images=(image,)))
    committed(fresh, "2026-11-01")
    planned = fresh.run("plan", MINIMAL, env={**environment, **NO_ENGINE})
    assert re.search(rf"^{MINIMAL} +blocked", planned.out, re.MULTILINE), planned.text
    engine_client.images.remove(local_image(engine_client, published.checkout, MINIMAL).id, force=True)
    done = fresh.run("build", MINIMAL, env=environment)
    assert done.code == 0, done.one_screen()
    assert f"pulling {MINIMAL}: the registry has it" in done.err


def _released(published: Published) -> tuple[Registry, dict[str, str], Release]:
    """A new namespace of the registry in which the minimal image is released, its variables, and the release."""
    environment = {"REGISTRY": f"127.0.0.1:{published.registry.port}/team-{uuid.uuid4().hex[:8]}"}
    done = published.checkout.run("pipeline", MINIMAL, env=environment)
    assert done.code == 0, done.one_screen()
    registry = address.from_environment(environment)
    with Client(registry) as client:
        release = records.read(client, f"{NAMESPACE}/releases").release
    assert release is not None
    return registry, environment, release


def _record(client: Client, release: Release) -> None:
    manifest, content = releases.artifact(release)
    client.put_artifact(f"{NAMESPACE}/releases", manifest, [EMPTY_CONTENT, content])
    client.put_tag(f"{NAMESPACE}/releases", release.number, manifest)


def test_pipeline_finishes_a_release_of_other_images(published: Published, fresh: Checkout) -> None:
    """The selected image needs nothing, so that no engine is needed either."""
    registry, environment, release = _released(published)
    config = descriptor(EMPTY, EMPTY_CONTENT)
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
    other = to_manifest(document, MANIFEST)
    with Client(registry) as client:
        client.put_artifact(f"{NAMESPACE}/other", other, [EMPTY_CONTENT])
        image = replace(release.images[0], name="other", repository=f"{NAMESPACE}/other", digest=other.digest)
        record = replace(release, images=(*release.images, image))
        _record(client, record)
        assert client.digest(f"{NAMESPACE}/other", record.number) is None
        done = fresh.run("pipeline", MINIMAL, env={**environment, **NO_ENGINE})
        assert done.code == 0, done.one_screen()
        assert f"release {record.number}, whose publish was interrupted, is finished" in done.err
        assert client.digest(f"{NAMESPACE}/other", record.number) == other.digest
        again = fresh.run("pipeline", MINIMAL, env={**environment, **NO_ENGINE})
        assert (again.code, "is finished" in again.err) == (0, False), again.one_screen()


def test_two_writers_attach_to_one_image(published: Published) -> None:
    """The list of a registry without referrers may lose one of them; their tags do not."""
    with Client(published.registry.registry) as client:
        subject = client.manifest(REPOSITORY, "latest")

        def write(name: str) -> None:
            attach(
                client,
                REPOSITORY,
                subject,
                name.encode(),
                media_type="text/x-report",
                title=name,
                created="2026-11-26T00:00:00Z",
                tag=f"report-{name}",
            )

        threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {"report-one", "report-two"} <= set(client.tags(REPOSITORY))


def test_the_shared_tests_run_once_for_all_machines(
    published: Published, fresh: Checkout, engine_client: docker.DockerClient
) -> None:
    """Another machine, which tests another image on the same base, takes their result from the registry."""
    (fresh.root / FOUNDATIONS).unlink()
    done = fresh.run("pipeline", SKLEARN, env=published.environment)
    assert done.code == 0, done.one_screen()
    assert "1 result taken from the registry" in done.err
    report = reports.load(fresh.paths, local_image(engine_client, fresh, SKLEARN).id)
    assert report is not None
    assert report.passed > 0
    assert report.passed_elsewhere.keys() == {MINIMAL}
