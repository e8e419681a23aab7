"""Building with a real engine: shared layers, rebuilds, and failures that do not stop other images."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import platform
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import docker
import pytest

from build.bases import rootfs, rootfs_image
from build.bases.local import local_base
from build.builder import image_recipes
from build.checkout import project
from build.engine.images import LocalImage
from build.locks import debian
from build.locks import lock as locks
from build.matrix.origins import Bootstrapped
from build.system.certificates import ca_bundle
from tests.conftest import Checkout, copy_checkout, interrupt, wait_for
from tests.pipeline.helpers import change_recipes, edited_matrix, local_image
from tests.pipeline.rows import BASE_NAME, LIGHTGBM, MINIMAL, PINS, SKLEARN

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("bases_here")]


def test_an_existing_image_is_not_built_again(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    first = checkout.run("build", MINIMAL)
    assert first.code == 0, first.text
    before = local_image(engine_client, checkout, MINIMAL).id
    logs = sorted((checkout.root / ".pipeline/logs").glob("build-*"))
    second = checkout.run("build", MINIMAL)
    assert second.code == 0, second.text
    assert "up to date" in second.out
    assert local_image(engine_client, checkout, MINIMAL).id == before
    assert sorted((checkout.root / ".pipeline/logs").glob("build-*")) == logs, "buildx was run"


def test_two_images_with_the_same_packages_share_layers(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    done = checkout.run("build", SKLEARN, LIGHTGBM)
    assert done.code == 0, done.text
    sklearn = {digest for digest, _ in local_image(engine_client, checkout, SKLEARN).layers}
    lightgbm = {digest for digest, _ in local_image(engine_client, checkout, LIGHTGBM).layers}
    assert sklearn < lightgbm, "LightGBM's image does not use all layers of scikit-learn's"
    assert len(lightgbm - sklearn) == 1


def test_an_image_that_fails_does_not_stop_the_others(checkout: Checkout, engine_client: docker.DockerClient) -> None:
    file = checkout.root / f"locks/{BASE_NAME}/{LIGHTGBM}.txt"
    lock = locks.read(file)
    assert lock is not None
    version = lock.versions()["lightgbm"]
    bad = tuple(
        dataclasses.replace(package, sha256="0" * 64) if package.name == "lightgbm" else package
        for package in lock.packages
    )
    file.write_text(locks.to_text(dataclasses.replace(lock, packages=bad)), encoding="utf-8")
    # Another recipe, so that no earlier run has built it.
    change_recipes(checkout)
    done = checkout.run("build", MINIMAL, LIGHTGBM)
    assert done.code == 1
    output = done.one_screen()
    assert "1 of 2 images were left out: " + LIGHTGBM in output
    assert f"its layer lightgbm-{version} failed" in output
    assert "Hash mismatch for `lightgbm" in output, output
    assert local_image(engine_client, checkout, MINIMAL).labels, "the other image was not built"


def test_a_base_that_fails_to_build_is_reported_once_and_not_for_each_image(checkout: Checkout) -> None:
    checkout.edit("image/scripts/setup-base", "set -eu\n", "set -eu\necho it breaks here >&2\nsleep 1\nexit 3\n")
    done = checkout.run("build", MINIMAL, SKLEARN)
    assert done.code == 1
    output = done.one_screen()
    assert "2 of 2 images were left out" in output
    assert f"{MINIMAL}, {SKLEARN}: its base {BASE_NAME} failed to build" in " ".join(output.split())
    assert output.count("it breaks here") == 1, "the log of the base is shown for each image"


def package_layers(image: LocalImage, count: int) -> list[str]:
    """Return the digests of the last ``count`` layers, those above the two of the base."""
    return [digest for digest, _ in image.layers][-count:]


def test_the_same_recipe_gives_the_same_image_and_a_changed_base_the_same_package_layers(
    checkout: Checkout, engine_client: docker.DockerClient, tmp_path: Path
) -> None:
    """In another folder, another time zone, at another time and without the cache, base image included."""
    assert checkout.run("build", SKLEARN).code == 0
    first = local_image(engine_client, checkout, SKLEARN)
    other = copy_checkout(tmp_path / "elsewhere")
    subprocess.run(["git", "init", "-q"], cwd=other.root, check=True)
    elsewhere = {"TZ": "Pacific/Auckland", "LANG": "C", "SOURCE_DATE_EPOCH": "86400"}
    again = other.run("build", SKLEARN, "--no-cache", env=elsewhere)
    assert again.code == 0, again.text
    assert re.search(rf"^{SKLEARN} +built", again.out, re.MULTILINE), "it was not built again"
    second = local_image(engine_client, other, SKLEARN)
    assert second.layers == first.layers, "a layer has another digest (the base's layers count too)"
    assert second.id == first.id, "the layers are the same, but the configuration or the manifest is not"

    change_base(checkout)
    done = checkout.run("build", SKLEARN)
    assert done.code == 0, done.text
    changed = local_image(engine_client, checkout, SKLEARN)
    own = len(first.layers) - 2  # all but the base's two
    assert changed.layers[0] != first.layers[0], "the base did not change"
    assert package_layers(changed, own) == package_layers(first, own)
    assert "installed" not in done.err, "a package was installed again"


def change_base(checkout: Checkout) -> None:
    """Change a bootstrapped base as a security update of Debian does: another file, another package version."""
    folder = checkout.root / ".pipeline/rootfs" / BASE_NAME
    original = (folder / "rootfs.tar").read_bytes()
    (folder / "rootfs.tar").unlink()  # a hard link to the file of this checkout
    (folder / "rootfs.tar").write_bytes(original)
    with tarfile.open(folder / "rootfs.tar", "a") as archive:
        content = f"changed for {checkout.root}\n".encode()
        entry = tarfile.TarInfo("./usr/share/doc/libc6/NEWS")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    state = json.loads((folder / "bootstrap.json").read_text())
    state["packages"] = [item + "+test1" if item.startswith("libc6=") else item for item in state["packages"]]
    (folder / "bootstrap.json").write_text(json.dumps(state))


def test_with_locked_a_base_that_differs_from_its_lock_is_an_error(checkout: Checkout) -> None:
    change_base(checkout)
    done = checkout.run("build", MINIMAL, "--locked")
    assert done.code == 1
    output = done.one_screen()
    # Debian's archive may have other packages that are newer than the lock.
    assert re.search(rf"the base {BASE_NAME} differs from its lock in \d+ Debian packages?", output)
    assert re.search(r"libc6 \S+ -> \S+\+test1", output)
    assert "nox -s lock -- --bases" in output


def test_the_recipe_is_the_same_in_another_clone(checkout: Checkout, tmp_path: Path) -> None:
    """In another folder, with other file times and another history, all images of the matrix have the same recipes."""
    other = copy_checkout(tmp_path / "elsewhere")
    for file in (other.root / "dockerfiles").rglob("*"):
        if file.is_file():
            file.touch()
    subprocess.run(["git", "init", "-q"], cwd=other.root, check=True)

    def recipes(of: Checkout) -> dict[str, str]:
        opened = project.open_project(of.paths)
        all_recipes = image_recipes.of(opened, opened.images(opened.variants)).known
        return {name: recipe.digest for name, recipe in all_recipes.items()}

    assert recipes(checkout) == recipes(other)
    assert len(set(recipes(checkout).values())) == len(recipes(checkout)) > 1


def test_a_second_bootstrap_gives_the_same_bytes(checkout: Checkout) -> None:
    tar = checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar"
    before = hashlib.sha256(tar.read_bytes()).hexdigest()
    packages = rootfs.installed(tar)
    done = checkout.run("bases", "--refresh-bases", "--base", BASE_NAME)
    assert done.code == 0, done.text
    if rootfs.installed(tar) != packages:
        pytest.skip("Debian's archive changed between the two bootstraps")
    assert hashlib.sha256(tar.read_bytes()).hexdigest() == before


def test_the_lock_of_a_base_has_the_digest_of_its_root_file_system(checkout: Checkout) -> None:
    """Otherwise bases are built, but never published: after a change of the bootstrap, the digest is recorded again."""
    if platform.freedesktop_os_release().get("VERSION_ID") != "12":
        pytest.skip("the digests are those of the mmdebstrap of Debian 12: docs/ci.md")
    opened = project.open_project(checkout.paths)
    compared = 0
    for tar in sorted((checkout.root / ".pipeline/rootfs").glob("*/rootfs.tar")):
        origin = local_base(opened, tar.parent.name).origin
        assert isinstance(origin, Bootstrapped)
        if debian.recorded(checkout.paths, tar.parent.name) == rootfs.installed(tar):
            recorded = debian.recorded_rootfs(checkout.paths, tar.parent.name, rootfs.arguments(origin))
            assert recorded == rootfs_image.diff_id_of(tar), "run: nox -s lock -- --bases"
            compared += 1
    if not compared:
        pytest.skip("Debian's archive has other packages than the locks")


def test_an_image_deletes_nothing_of_its_root_file_system(
    checkout: Checkout, engine_client: docker.DockerClient, tmp_path: Path
) -> None:
    """The classic image store notes a deletion with the time of the build: the layer would differ each time."""
    done = checkout.run("build", MINIMAL)
    assert done.code == 0, done.text
    exported = tmp_path / "exported.tar"
    container = engine_client.containers.create(local_image(engine_client, checkout, MINIMAL).id)
    try:
        with exported.open("wb") as stream:
            for chunk in cast(Iterator[bytes], container.export()):
                stream.write(chunk)
    finally:
        container.remove()
    with tarfile.open(checkout.root / f".pipeline/rootfs/{BASE_NAME}/rootfs.tar") as tar:
        before = {name.removeprefix("./") for name in tar.getnames()}
    with tarfile.open(exported) as tar:
        after = {name.rstrip("/") for name in tar.getnames()}
    assert before - after - {"."} == set()


def test_the_ca_bundle_is_in_no_layer_label_or_log(
    checkout: Checkout, engine_client: docker.DockerClient, tmp_path: Path
) -> None:
    marker = "CA-BUNDLE-MARKER-6f1c"
    bundle = tmp_path / "ca.crt"
    bundle.write_text(f"# {marker}\n" + (ca_bundle() or Path()).read_text(encoding="utf-8"), encoding="utf-8")
    done = checkout.run("build", MINIMAL, "--no-cache", env={"SSL_CERT_FILE": str(bundle)})
    assert done.code == 0, done.text
    image = local_image(engine_client, checkout, MINIMAL)
    container = engine_client.containers.create(image.id)
    try:
        content = b"".join(cast("Iterator[bytes]", container.export()))
    finally:
        container.remove()
    assert marker.encode() not in content, "a layer holds the builder's CA bundle"
    assert marker not in json.dumps(engine_client.images.get(image.id).attrs)
    assert all(marker not in log.read_text() for log in (checkout.root / ".pipeline/logs").glob("*.log"))


def test_ctrl_c_stops_a_build_and_the_next_build_works(checkout: Checkout) -> None:
    process = checkout.start("build", SKLEARN, "--no-cache")
    wait_for(process, "installed")
    done = interrupt(process)
    assert done.code == 130
    assert "interrupted" in done.one_screen()
    left = subprocess.run(["pgrep", "-f", f"bake.*{checkout.root}"], capture_output=True, text=True, check=False)
    assert left.stdout == "", "buildx is still running"
    after = checkout.run("build", MINIMAL)
    assert after.code == 0, after.text


def test_a_second_run_in_the_same_clone_is_refused(checkout: Checkout) -> None:
    process = checkout.start("build", MINIMAL, "--no-cache")
    try:
        wait_for(process, "==> build")
        second = checkout.run("build", MINIMAL)
        assert second.code == 7
        output = second.one_screen()
        assert "another run is using this clone: 'build'" in output
        assert str(process.pid) in output
    finally:
        process.communicate(timeout=300)
    assert process.returncode == 0


def test_a_changed_pin_rebuilds_only_the_layer_and_images_that_have_it(
    checkout: Checkout, engine_client: docker.DockerClient
) -> None:
    with edited_matrix(checkout) as matrix:  # resolving two images takes seconds, and all of them a minute
        for key in matrix.keys() - {"project", "server", "bases", "frameworks"}:
            del matrix[key]
        newest = list(matrix["frameworks"]["sklearn"]["versions"])[-1]
        pins = matrix["frameworks"]["sklearn"]["versions"][newest]
        matrix["axes"] = {"base": [BASE_NAME], "device": ["cpu"]}
        matrix["frameworks"] = {
            "minimal": {"title": "No framework", "versions": {"n/a": {}}},
            "sklearn": matrix["frameworks"]["sklearn"] | {"versions": {newest: pins}},
        }
    assert checkout.run("lock").code == 0
    assert checkout.run("generate").code == 0
    assert checkout.run("build", MINIMAL, SKLEARN).code == 0
    minimal = local_image(engine_client, checkout, MINIMAL).id
    before = local_image(engine_client, checkout, SKLEARN)
    pin = PINS["scikit-learn"]
    checkout.edit("matrix.yaml", f"- scikit-learn=={pin}\n", f"- scikit-learn<{pin}\n")
    locked = checkout.run("lock")
    assert locked.code == 0, locked.text
    assert checkout.run("generate").code == 0
    done = checkout.run("build", MINIMAL, SKLEARN)
    assert done.code == 0, done.text
    assert local_image(engine_client, checkout, MINIMAL).id == minimal
    after = local_image(engine_client, checkout, SKLEARN)
    shared = {digest for digest, _ in before.layers} & {digest for digest, _ in after.layers}
    assert len(shared) == len(before.layers) - 1, "more than scikit-learn's own layer is new"
    opened = project.open_project(checkout.paths)
    version = opened.lock(opened.variant(SKLEARN)).versions()["scikit-learn"]
    # On an engine that has built this version before, scikit-learn's layer is not installed again either.
    assert set(re.findall(r"layer (\S+) installed", done.err)) <= {f"scikit-learn-{version}"}
