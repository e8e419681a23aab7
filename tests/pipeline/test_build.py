"""Building with a real engine: what is shared, what is built again, and what is not lost."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import docker
import pytest

from build.bases import rootfs
from build.builder import builder, image_recipes
from build.checkout import project
from build.engine.images import LocalImage, find
from build.locks import lock as locks
from tests.conftest import Checkout, copy_checkout, interrupt, wait_for
from tests.pipeline.rows import BASE_NAME, LIGHTGBM, MINIMAL, SKLEARN

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


def local(client: docker.DockerClient, checkout: Checkout, name: str) -> LocalImage:
    """The image of a checkout as the engine has it."""
    opened = project.open_project(checkout.paths)
    images = opened.images([variant for variant in opened.variants if variant.name == name])
    image = find(client, f"azureml/{name}:{image_recipes.of(opened, images).known[name].tag}")
    assert image is not None, f"{name} is not in the engine"
    return image


def test_what_is_there_is_not_built_again(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    first = checkout.run("build", MINIMAL)
    assert first.code == 0, first.text
    before = local(engine_client, checkout, MINIMAL).id
    logs = sorted((checkout.root / ".pipeline/logs").glob("build-*"))
    second = checkout.run("build", MINIMAL)
    assert second.code == 0, second.text
    assert "up to date" in second.out
    assert local(engine_client, checkout, MINIMAL).id == before
    assert sorted((checkout.root / ".pipeline/logs").glob("build-*")) == logs, "buildx was run"


def test_two_images_that_agree_on_packages_share_their_layers(
    checkout: Checkout, engine_client: docker.DockerClient
) -> None:
    done = checkout.run("build", SKLEARN, LIGHTGBM)
    assert done.code == 0, done.text
    sklearn = {digest for digest, _ in local(engine_client, checkout, SKLEARN).layers}
    lightgbm = {digest for digest, _ in local(engine_client, checkout, LIGHTGBM).layers}
    assert sklearn < lightgbm, "all of scikit-learn's layers serve LightGBM's image"
    assert len(lightgbm - sklearn) == 1


def test_one_failed_image_does_not_lose_the_others(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    file = checkout.root / f"locks/{BASE_NAME}/{LIGHTGBM}.txt"
    lock = locks.read(file)
    assert lock is not None
    bad = tuple(
        dataclasses.replace(package, sha256="0" * 64) if package.name == "lightgbm" else package
        for package in lock.packages
    )
    file.write_text(locks.to_text(dataclasses.replace(lock, packages=bad)), encoding="utf-8")
    # Its own place: this content must not be what another run built.
    checkout.edit("image/templates/image.Dockerfile.j2", "FROM base\n", "FROM base\nENV TEST=keep-going\n")
    assert checkout.run("generate").code == 0
    done = checkout.run("build", MINIMAL, LIGHTGBM)
    assert done.code == 1
    said = done.one_screen()
    assert "1 of 2 images were not built: " + LIGHTGBM in said
    assert "its layer lightgbm-4.7.0 failed" in said
    assert "Hash mismatch for `lightgbm" in said, said
    assert local(engine_client, checkout, MINIMAL).labels  # built all the same


def test_a_base_that_does_not_build_is_told_once_and_not_image_by_image(checkout: Checkout) -> None:
    checkout.edit("image/scripts/setup-base", "set -eu\n", "set -eu\necho it breaks here >&2\nsleep 1\nexit 3\n")
    done = checkout.run("build", MINIMAL, SKLEARN)
    assert done.code == 1
    said = done.one_screen()
    assert "a base failed to build" in said
    assert "exit code: 3" in said
    assert "images were not built" not in said


def package_layers(image: LocalImage, count: int) -> list[str]:
    """The digests of an image's layers above its base's two."""
    return [digest for digest, _ in image.layers][-count:]


def test_package_layers_have_equal_digests_without_cache_and_on_a_changed_base(
    checkout: Checkout, engine_client: docker.DockerClient
) -> None:
    assert checkout.run("build", SKLEARN).code == 0
    first = local(engine_client, checkout, SKLEARN)
    again = checkout.run("build", SKLEARN, "--no-cache")
    assert again.code == 0, again.text
    second = local(engine_client, checkout, SKLEARN)
    assert second.id != first.id, "it was built anew (its creation time differs)"
    assert second.layers == first.layers, "every layer, the base's too, has the digest it had"

    change_base(checkout)
    done = checkout.run("build", SKLEARN)
    assert done.code == 0, done.text
    changed = local(engine_client, checkout, SKLEARN)
    own = len(first.layers) - 2
    assert changed.layers[0] != first.layers[0], "the base did change"
    assert package_layers(changed, own) == package_layers(first, own)
    assert "installed" not in done.err, "no package was installed again"


def change_base(checkout: Checkout) -> None:
    """What a security update of Debian does to a bootstrapped base: other files, another package version."""
    folder = checkout.root / ".pipeline/rootfs" / BASE_NAME
    original = (folder / "rootfs.tar").read_bytes()
    (folder / "rootfs.tar").unlink()  # it is a link to this checkout's
    (folder / "rootfs.tar").write_bytes(original)
    with tarfile.open(folder / "rootfs.tar", "a") as archive:
        content = f"changed for {checkout.root}\n".encode()
        entry = tarfile.TarInfo("./usr/share/doc/libc6/NEWS")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    state = json.loads((folder / "bootstrap.json").read_text())
    state["packages"] = [item + "+test1" if item.startswith("libc6=") else item for item in state["packages"]]
    (folder / "bootstrap.json").write_text(json.dumps(state))


def test_drift_of_a_base_is_shown_and_fatal_only_with_locked(checkout: Checkout) -> None:
    change_base(checkout)
    done = checkout.run("build", MINIMAL, "--locked")
    assert done.code == 1
    said = done.one_screen()
    assert f"the base {BASE_NAME} differs from its lock in 1 Debian packages" in said
    assert "+test1" in said
    assert "nox -s lock -- --bases" in said


def test_the_recipe_is_the_same_in_another_clone(checkout: Checkout, tmp_path: Path) -> None:
    """Another folder, other file times, other history: the same recipes for all images of the matrix."""
    other = copy_checkout(tmp_path / "elsewhere")
    for file in (other.root / "dockerfiles").rglob("*"):
        if file.is_file():
            file.touch()
    subprocess.run(["git", "init", "-q"], cwd=other.root, check=True)

    def recipes(of: Checkout) -> dict[str, str]:
        opened = project.open_project(of.paths)
        found = image_recipes.of(opened, opened.images(opened.variants)).known
        return {name: recipe.digest for name, recipe in found.items()}

    assert recipes(checkout) == recipes(other)
    assert len(set(recipes(checkout).values())) == len(project.open_project(checkout.paths).variants)


def test_a_bootstrap_gives_the_same_bytes_again(checkout: Checkout) -> None:
    tar = checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar"
    before = hashlib.sha256(tar.read_bytes()).hexdigest()
    packages = rootfs.installed(tar)
    done = checkout.run("bases", "--refresh-bases", "--base", BASE_NAME)
    assert done.code == 0, done.text
    if rootfs.installed(tar) != packages:
        pytest.skip("Debian's archive moved on between the two bootstraps")
    assert hashlib.sha256(tar.read_bytes()).hexdigest() == before


def test_the_ca_bundle_is_in_no_layer_no_label_and_no_log(
    checkout: Checkout, engine_client: docker.DockerClient, tmp_path: Path
) -> None:
    marker = "CA-BUNDLE-MARKER-6f1c"
    bundle = tmp_path / "ca.crt"
    bundle.write_text(f"# {marker}\n" + Path(builder.ca_bundle()).read_text(encoding="utf-8"), encoding="utf-8")
    done = checkout.run("build", MINIMAL, "--no-cache", env={"SSL_CERT_FILE": str(bundle)})
    assert done.code == 0, done.text
    image = local(engine_client, checkout, MINIMAL)
    container = engine_client.containers.create(image.id)
    try:
        found = marker.encode() in b"".join(cast("Iterator[bytes]", container.export()))
    finally:
        container.remove()
    assert not found, "a layer holds the builder's CA bundle"
    assert marker not in json.dumps(engine_client.images.get(image.id).attrs)
    assert all(marker not in log.read_text() for log in (checkout.root / ".pipeline/logs").glob("*.log"))


def test_ctrl_c_in_a_build_ends_it_and_the_next_one_goes_on(checkout: Checkout) -> None:
    process = checkout.start("build", SKLEARN, "--no-cache")
    wait_for(process, "installed")
    done = interrupt(process)
    assert done.code == 130
    assert "interrupted" in done.one_screen()
    left = subprocess.run(["pgrep", "-f", f"bake.*{checkout.root}"], capture_output=True, text=True, check=False)
    assert left.stdout == "", "a buildx is still running"
    after = checkout.run("build", MINIMAL)
    assert after.code == 0, after.text


def test_two_runs_at_once_do_not_meet(checkout: Checkout) -> None:
    process = checkout.start("build", MINIMAL, "--no-cache")
    try:
        wait_for(process, "==> build")
        second = checkout.run("build", MINIMAL)
        assert second.code == 7
        said = second.one_screen()
        assert "another run works in this clone: 'build'" in said
        assert str(process.pid) in said
    finally:
        process.communicate(timeout=300)
    assert process.returncode == 0


def test_a_pin_change_builds_what_it_touches_and_nothing_else(
    checkout: Checkout, engine_client: docker.DockerClient
) -> None:
    assert checkout.run("build", MINIMAL, SKLEARN).code == 0
    minimal = local(engine_client, checkout, MINIMAL).id
    before = local(engine_client, checkout, SKLEARN)
    checkout.edit("matrix.yaml", "scikit-learn==1.9.1", "scikit-learn==1.9.0")
    locked = checkout.run("lock")
    assert locked.code == 0, locked.text
    assert checkout.run("generate").code == 0
    done = checkout.run("build", MINIMAL, SKLEARN)
    assert done.code == 0, done.text
    assert local(engine_client, checkout, MINIMAL).id == minimal
    after = local(engine_client, checkout, SKLEARN)
    shared = {digest for digest, _ in before.layers} & {digest for digest, _ in after.layers}
    assert len(shared) == len(before.layers) - 1, "only scikit-learn's own layer is new"
    # On an engine that has seen this change before, scikit-learn's layer is not installed again either.
    assert set(re.findall(r"layer (\S+) installed", done.err)) <= {"scikit-learn-1.9.0"}
