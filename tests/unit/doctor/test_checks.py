"""How checks run: none stops another."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from build.doctor import bootstrap, build_network, certificates, disk, engine, index, prefixes, wheels
from build.doctor.checks import Check, run_all
from build.doctor.finding import Finding, ok
from build.doctor.setting import Setting
from build.engine.model import Engine
from build.errors import EngineError
from build.registry.address import Registry
from build.system import certificates as machine_certificates
from tests.unit.fixture_project import PROJECT, SKLEARN

SETTING = Setting(
    project=PROJECT,
    variants=(PROJECT.variant(SKLEARN),),
    registry=Registry(host="registry.example"),
    environ={},
)


def passes(setting: Setting) -> Sequence[Finding]:
    return [ok("good", f"asked about {len(setting.variants)}")]


def test_a_check_that_fails_is_a_finding_and_stops_no_other() -> None:
    def fails(setting: Setting) -> Sequence[Finding]:
        raise EngineError("no engine answers", where="/run/socket", fix="start one")

    def breaks(setting: Setting) -> Sequence[Finding]:
        raise KeyError("surprise")

    checks = [Check(name=each.__name__, run=each) for each in (fails, breaks, passes)]
    failed, broken, good = run_all(SETTING, checks)
    assert (failed.name, failed.state, failed.fix) == ("fails", "missing", "start one")
    assert failed.text == "no engine answers (/run/socket)"
    assert (broken.name, broken.state) == ("breaks", "missing")
    assert broken.text == "this check failed unexpectedly: KeyError: 'surprise'"
    assert good == ok("good", "asked about 1")


def test_a_check_that_takes_too_long_is_a_finding() -> None:
    end = threading.Event()

    def waits(setting: Setting) -> Sequence[Finding]:
        end.wait(60)
        return passes(setting)

    late, good = run_all(SETTING, [Check(name="slow", run=waits), Check(name="good", run=passes)], limit=0.2)
    end.set()
    assert (late.name, late.state) == ("slow", "missing")
    assert late.text.startswith("no result within")
    assert good.state == "ok"


def an_engine(*, containerd_store: bool) -> Engine:
    return Engine(
        host="unix:///run/docker.sock",
        source="default socket",
        product="Docker",
        version="28.0",
        api_version="1.48",
        platform="linux/amd64",
        containerd_store=containerd_store,
        rootless=False,
        data_root="/var/lib/docker",
    )


def test_the_classic_image_store_is_a_warning() -> None:
    assert [each.state for each in engine.judge(an_engine(containerd_store=True))] == ["ok", "ok"]
    store = engine.judge(an_engine(containerd_store=False))[1]
    assert store.state == "warning"
    assert "containerd-snapshotter" in (store.fix or "")


@pytest.mark.parametrize(
    ("lacking", "to_make", "state"),
    [([], ["a"], "ok"), (["mmdebstrap"], [], "warning"), (["mmdebstrap"], ["a", "b"], "missing")],
)
def test_mmdebstrap_is_needed_for_bases_that_this_clone_does_not_have(
    lacking: list[str], to_make: list[str], state: str
) -> None:
    found = bootstrap.judge(lacking, to_make)
    assert found.state == state
    assert all(name in found.text for name in to_make) or state == "ok"


@pytest.mark.parametrize(("free", "state"), [(10, "ok"), (9, "warning"), (1, "missing")])
def test_disk_space(free: int, state: str) -> None:
    assert disk.judge("disk of the engine", Path("/data"), free, 10).state == state


def test_disk_space_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    folder, free = disk._free(tmp_path / "a/b")
    assert folder == tmp_path
    assert free > 0


def test_a_file_without_certificates_is_missing(tmp_path: Path) -> None:
    damaged = tmp_path / "ca.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (found,) = certificates.judge_files({"SSL_CERT_FILE": str(damaged)})
    assert found.state == "missing"
    assert str(damaged) in found.text
    assert found.fix is not None


def test_a_variable_that_names_no_file_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_certificates, "SYSTEM_BUNDLES", ())
    used, absent = certificates.judge_files({"CURL_CA_BUNDLE": str(tmp_path / "absent.pem")})
    assert (used.state, absent.state) == ("warning", "warning")
    assert "absent.pem" in absent.text


def test_a_certificate_of_no_public_ca_names_the_file_that_builds_get() -> None:
    own = certificates.judge_builds("index.example", Path("/etc/own.pem"), is_public=False)
    assert own.state == "ok"
    assert "/etc/own.pem" in own.text
    assert "/etc/own.pem" not in certificates.judge_builds("index.example", Path("/etc/own.pem"), is_public=True).text


def test_an_index_that_only_this_machine_reaches_is_a_warning() -> None:
    urls = ["https://user:secret@index.example/simple"]
    assert index.judge(urls) == ok("package index", "https://index.example/simple answers")
    assert index.judge(urls, ["http://proxy.example:3128"]).state == "ok"
    for local in (index.judge(["http://user:secret@localhost:8080/simple"]), index.judge(urls, ["http://127.0.0.1:1"])):
        assert local.state == "warning"
        assert "builds do not reach http://" in local.text
        assert "secret" not in local.text


def test_a_prefix_is_missing_where_a_selected_image_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "PYENV_ROOT", "INFERENCE_IMAGES_PREFIXES", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    bases = [name for name, base in PROJECT.matrix.bases.items() if base.prefix is not None]
    found = prefixes.check(SETTING)
    assert len(found) == len(bases)
    assert {each.state for each in found} == {"warning"}
    on_them = tuple(variant for variant in PROJECT.variants if variant.base_name == bases[0])
    first = prefixes.check(Setting(project=PROJECT, variants=on_them, registry=SETTING.registry, environ={}))[0]
    assert first.state == "missing"
    assert "pyenv install" in (first.fix or "")


@pytest.mark.parametrize(("needed", "state"), [(True, "missing"), (False, "warning")])
def test_a_wheel_that_no_place_has(needed: bool, state: str) -> None:
    found = wheels.judge("cpu", ["torch==2.0"], ["torch==2.0"], ["/wheels"], needed=needed)
    assert found.state == state
    assert "torch==2.0" in found.text
    assert "/wheels" in found.text


def test_a_source_is_searched_in_directories(tmp_path: Path) -> None:
    (tmp_path / "torch-2.0-py3-none-any.whl").touch()
    assert wheels._search(["torch==2.0"], [tmp_path], None) == ([], [str(tmp_path)])
    assert wheels._search(["torch==2.1"], [tmp_path], None) == (["torch==2.1"], [str(tmp_path)])


def test_a_builder_that_does_not_exist_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$2" = version ] && echo "github.com/docker/buildx v0.13.1 x" && exit\n'
        "echo 'ERROR: no builder \"far\" found' >&2; exit 1\n"
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert engine.check_builder(SETTING) == []
    named = dataclasses.replace(SETTING, environ={"BUILDX_BUILDER": "far"})
    (found,) = run_all(named, [Check(name="builder", run=engine.check_builder)])
    assert (found.state, found.text) == ("missing", "the buildx builder 'far' does not exist (BUILDX_BUILDER)")
    embedded = dataclasses.replace(named, registry=Registry(host="127.0.0.1:5000", insecure=True, embedded=True))
    (found,) = engine.check_builder(embedded)
    assert (found.state, found.fix) == ("warning", "unset BUILDX_BUILDER, or name a registry")
    assert found.text.endswith("the engine builds")


def test_the_proxies_and_mirrors_that_builds_do_not_get_are_named() -> None:
    def states(**environ: str) -> list[tuple[str, str]]:
        found = build_network.check(dataclasses.replace(SETTING, environ=environ))
        return [(finding.state, finding.text) for finding in found]

    mirrors = "http://a.example/debian=file:///srv/debian"
    assert states(no_proxy=".example") == []
    assert states(HTTPS_PROXY="user:secret@proxy.example:1") == [("ok", "builds use http://proxy.example:1")]
    ((state, text),) = states(HTTPS_PROXY="http://user:secret@127.0.0.1:1", INFERENCE_IMAGES_APT_MIRRORS=mirrors)
    assert state == "warning"
    assert text.startswith("builds do not reach http://127.0.0.1:1, file:///srv/debian: ")
    here = "http://a.example/debian=http://user:secret@127.0.0.1:3142/debian"
    ((state, text),) = states(INFERENCE_IMAGES_APT_MIRRORS=here)
    assert state == "warning"
    assert text.startswith("builds do not reach http://127.0.0.1:3142/debian: ")
    assert states(BUILD_NETWORK="a=b", https_proxy="http://127.0.0.1")[0][0] == "ok"
