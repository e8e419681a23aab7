"""What a user is told about engines, and which packages are installed: the parts that need no engine."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path

import pytest
import requests
from docker.errors import DockerException
from packaging.version import Version

from build.engine import daemon as engine_own
from build.engine import failures as engine_failures
from build.engine import find as engine_find
from build.engine import install as engine_install
from build.engine.buildx import Buildx, find_buildx
from build.engine.connect import command_environment, connect
from build.engine.install import Machine
from build.engine.model import Engine, Folders, check, folders
from build.errors import EngineError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ENGINE = Engine(
    host="unix:///run/somewhere/docker.sock",
    source="DOCKER_HOST",
    product="Docker",
    version="26.1.5+dfsg1",
    api_version="1.45",
    platform="linux/amd64",
    containerd_store=True,
    rootless=False,
    data_root="/var/lib/docker",
)
FRESH_DEBIAN_12 = Machine(distribution="debian", version="12", dockerd=None, has=frozenset(), buildx=False)


# ---- which engine ----------------------------------------------------------------------------------------


def test_docker_host_comes_before_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(_contexts(tmp_path, "work", "tcp://work:2375")))
    found = engine_find.candidates({"DOCKER_HOST": "tcp://other:2375", "DOCKER_CONTEXT": "work"})
    assert [(place.host, place.source) for place in found] == [("tcp://other:2375", "DOCKER_HOST")]


def test_the_current_context_comes_before_the_default_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(_contexts(tmp_path, "work", "tcp://work:2375")))
    found = engine_find.candidates({})
    assert [(place.host, place.source) for place in found] == [("tcp://work:2375", "Docker context 'work'")]


def test_with_nothing_named_the_default_socket_then_the_own_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = engine_find.candidates({})
    assert [place.host for place in found] == [
        "unix:///var/run/docker.sock",
        "unix:///run/inference-images/docker.sock",
    ]


def test_a_context_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineError, match="Docker context 'gone' does not exist"):
        engine_find.find({"DOCKER_CONTEXT": "gone"})


def test_a_context_file_that_is_broken_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = _contexts(tmp_path, "work", "tcp://work:2375")
    next(config.rglob("meta.json")).write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    with pytest.raises(EngineError, match="Docker context cannot be read"):
        engine_find.find({})


def test_a_named_engine_that_is_silent_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST names does not answer: no such socket") as caught:
        engine_find.find({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert "unset DOCKER_HOST" in str(caught.value.fix)


def test_a_host_that_refuses_is_told_as_that() -> None:
    with pytest.raises(EngineError, match="does not answer: connection refused"):
        engine_find.find({"DOCKER_HOST": "tcp://127.0.0.1:1"})


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(EngineError, match="DOCKER_HOST names does not answer"):
        engine_find.find({"DOCKER_HOST": "rubbish"})


def test_a_context_reaches_subprocesses_as_an_address() -> None:
    environ = command_environment(ENGINE, {"DOCKER_CONTEXT": "x", "BUILDX_BUILDER": "mine", "HOME": "/h"})
    assert environ == {"DOCKER_HOST": ENGINE.host, "BUILDX_BUILDER": "default", "HOME": "/h"}


def _contexts(config: Path, name: str, host: str) -> Path:
    """A Docker configuration folder with one context, in use, as ``docker context create`` writes it."""
    import hashlib

    place = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (place / "meta.json").write_text(json.dumps(meta))
    (config / "config.json").write_text(json.dumps({"currentContext": name}))
    return config


# ---- whether it will do ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["23.0.0", "26.1.5+dfsg1", "29.0.0-rc.1"])
def test_engines_that_will_do(version: str) -> None:
    check(dataclasses.replace(ENGINE, version=version))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "20.10.24+dfsg1"}, r"too old: Docker 20\.10\.24\+dfsg1; it must be 23\.0 or newer"),
        ({"version": ""}, "too old"),
        ({"product": "Podman", "version": "5.4.0"}, "Podman answers, which has no BuildKit"),
        ({"platform": "windows/amd64"}, "runs on windows/amd64"),
        ({"platform": "linux/arm64"}, "runs on linux/arm64"),
    ],
)
def test_engines_that_will_not(change: dict[str, str], message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        check(dataclasses.replace(ENGINE, **change))  # type: ignore[arg-type]
    assert caught.value.where == "unix:///run/somewhere/docker.sock (DOCKER_HOST)"
    assert caught.value.fix


def _plugin(folder: Path, says: str, code: int = 0) -> Path:
    folder.mkdir(parents=True)
    place = folder / "docker-buildx"
    place.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    place.chmod(0o755)
    return folder


def test_a_buildx_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    old = _plugin(tmp_path / "old", "github.com/docker/buildx v0.11.2 9872040b6626fb7d87ef7296fd5b832e8cc2ad17")
    with pytest.raises(EngineError, match=r"buildx is too old: 0\.11\.2, and 0\.12 or newer is needed") as caught:
        find_buildx([old])
    assert "docker-buildx" in str(caught.value.fix)
    new = _plugin(tmp_path / "new", "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3")
    assert find_buildx([old, new]) == Buildx(command=(str(new / "docker-buildx"),), version="0.13.1+ds1")


def test_a_buildx_that_does_not_run_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    broken = _plugin(tmp_path / "broken", "Segmentation fault", 139)
    with pytest.raises(EngineError, match="buildx is missing"):
        find_buildx([broken, tmp_path])


# ---- what to install -------------------------------------------------------------------------------------


def test_a_fresh_debian_12_takes_docker_from_debian_13() -> None:
    assert engine_install.missing_packages(FRESH_DEBIAN_12) == (
        "containerd",
        "debian-archive-keyring",
        "docker-buildx",
        "docker-cli",
        "docker.io",
        "iptables",
        "mmdebstrap",
    )
    assert FRESH_DEBIAN_12.needs_trixie
    assert not dataclasses.replace(FRESH_DEBIAN_12, version="13").needs_trixie


def test_debian_12s_own_docker_is_replaced() -> None:
    has = frozenset({"containerd", "docker", "iptables", "mmdebstrap", KEYRING})
    machine = dataclasses.replace(FRESH_DEBIAN_12, dockerd=Version("20.10.24"), has=has)
    assert engine_install.missing_packages(machine) == ("containerd", "docker-buildx", "docker.io")


def test_a_stray_client_stays_the_client() -> None:
    machine = dataclasses.replace(FRESH_DEBIAN_12, has=frozenset({"docker"}))
    assert "docker-cli" not in engine_install.missing_packages(machine)


def test_dockers_own_packages_are_left_alone() -> None:
    has = frozenset({"containerd", "docker", "iptables"})
    machine = dataclasses.replace(FRESH_DEBIAN_12, dockerd=Version("28.2"), has=has, buildx=True)
    assert engine_install.missing_packages(machine) == ("debian-archive-keyring", "mmdebstrap")


def test_ubuntu_has_the_client_in_docker_io() -> None:
    machine = dataclasses.replace(FRESH_DEBIAN_12, distribution="ubuntu", version="24.04")
    assert "docker-cli" not in engine_install.missing_packages(machine)
    assert not machine.needs_trixie


def test_nothing_missing_installs_nothing() -> None:
    has = frozenset({"containerd", "docker", "iptables", "mmdebstrap", KEYRING})
    machine = dataclasses.replace(FRESH_DEBIAN_12, dockerd=Version("26.1"), has=has, buildx=True)
    assert engine_install.install(machine) == ()


def test_elsewhere_it_says_what_to_install() -> None:
    with pytest.raises(EngineError, match="only on Debian or Ubuntu") as caught:
        engine_install.install(dataclasses.replace(FRESH_DEBIAN_12, distribution="fedora"))
    assert "Docker engine 23 or newer with buildx" in str(caught.value.fix)


def test_without_root_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EngineError, match="only root can install") as caught:
        engine_install.install(FRESH_DEBIAN_12)
    assert "docker-buildx docker-cli docker.io" in str(caught.value.fix)
    assert "suite trixie" in str(caught.value.fix)


#: `apt-get indextargets --format …` on a Debian 12 with a mirror of its own.
TARGETS = """\
Packages|/etc/apt/debian.sources:1|http://mirror.example/debian/|bookworm|bookworm|main
Translations|/etc/apt/sources.list.d/debian.sources:1|http://mirror.example/debian/|bookworm|bookworm|main
Packages|/etc/apt/debian.sources:1|http://mirror.example/debian/|bookworm-updates|bookworm-updates|main
Packages|/etc/apt/debian.sources:2|http://mirror.example/security/|bookworm-security|bookworm-security|main
"""
DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/mirror.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/other.gpg
"""


def test_debian_13_comes_from_the_machines_own_mirror_and_key() -> None:
    source = engine_install.trixie_source(engine_install.read_targets(TARGETS), lambda path: DEB822)
    assert source is not None
    assert source.splitlines()[1:] == [
        "Types: deb",
        "URIs: http://mirror.example/debian/",
        "Suites: trixie",
        "Components: main",
        "Signed-By: /usr/share/keyrings/mirror.gpg",
    ]


def test_the_key_of_a_one_line_source() -> None:
    targets = engine_install.read_targets(
        "Packages|/etc/apt/sources.list:2|http://mirror.example/debian/|oldstable|bookworm|main\n"
    )
    lines = "# mirror\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian oldstable main\n"
    source = engine_install.trixie_source(targets, lambda path: lines)
    assert source is not None
    assert "Signed-By: /k.gpg\n" in source


def test_a_key_written_into_the_source_is_taken_whole() -> None:
    block = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY-----\n"
    text = DEB822.replace("Signed-By: /usr/share/keyrings/mirror.gpg\n", block)
    source = engine_install.trixie_source(engine_install.read_targets(TARGETS), lambda path: text)
    assert source is not None
    assert source.endswith(block)


def test_a_machine_that_has_debian_13_already_gets_no_second_source() -> None:
    both = TARGETS + "Packages|/etc/apt/sources.list.d/x.sources:1|http://mirror.example/debian/|trixie|trixie|main\n"
    assert engine_install.trixie_source(engine_install.read_targets(both), lambda path: DEB822) is None
    assert "Package: *" not in engine_install.preferences(added_source=False)
    assert "Package: *\nPin: release n=trixie\nPin-Priority: -10" in engine_install.preferences(added_source=True)


def test_a_machine_with_no_debian_12_source_is_told_so() -> None:
    with pytest.raises(EngineError, match="apt has no source for Debian 12"):
        engine_install.trixie_source((), lambda path: "")


def test_services_are_kept_from_starting_only_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(KeyboardInterrupt), engine_install.no_service_starts(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & stat.S_IXUSR
        raise KeyboardInterrupt
    assert not policy.exists()


def test_the_machines_own_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with engine_install.no_service_starts(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_the_engines_root_moves_all_its_folders() -> None:
    own = folders({"INFERENCE_IMAGES_ENGINE_ROOT": "/srv/x"})
    config = engine_own.configuration(own, free_bytes=10**12)
    assert {config[key] for key in ("data-root", "exec-root", "pidfile")} == {
        "/srv/x/data/docker",
        "/srv/x/run/exec",
        "/srv/x/run/dockerd.pid",
    }
    assert config["hosts"] == ["unix:///srv/x/run/docker.sock"]


@pytest.mark.parametrize(("free", "keep"), [(10**12, "30000MB"), (20 * 10**9, "10000MB")])
def test_the_build_cache_leaves_half_of_a_small_disk(free: int, keep: str) -> None:
    config = engine_own.configuration(folders({}), free_bytes=free)
    assert config["builder"] == {"gc": {"enabled": True, "defaultKeepStorage": keep}}


def test_a_folder_whose_name_is_too_long_for_sockets() -> None:
    place = Path("/tmp", "x" * 80)
    with pytest.raises(EngineError, match="too long a name for sockets"):
        engine_own.start(Folders(data=place / "data", run=place / "run", next_to_another=True))
    assert not place.exists()


# ---- when it breaks --------------------------------------------------------------------------------------

#: As Docker 26.1 and buildx 0.13 wrote them, the engine killed in the middle of a build or gone before it.
KILLED_IN_A_BUILD = """\
#5 [2/2] RUN --network=none ["/bin/sleep", "15"]
ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF
"""
KILLED_WHILE_IT_SOLVED = """\
#5 [2/2] RUN --network=none ["/usr/bin/sleep", "60"]
ERROR: failed to solve: Unavailable: error reading from server: EOF
"""
GONE_BEFORE = "ERROR: Cannot connect to the Docker daemon at unix:///r/docker.sock. Is the docker daemon running?\n"
REFUSED = 'error during connect: Get "http://x/_ping": dial unix /r/docker.sock: connect: connection refused'
_SNAPSHOT = "/data/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs/b"
FULL = f"""\
#3 ERROR: write {_SNAPSHOT}: no space left on device
------
 > [internal] load build context:
------
ERROR: failed to solve: write {_SNAPSHOT}: no space left on device
"""
FULL_IN_PIP = "#9 4.21 ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
#: Failures of other things, in words that are near.
A_REGISTRY_REFUSES = (
    'ERROR: failed to push 127.0.0.1:1/x: failed to do request: Head "http://127.0.0.1:1/v2/x": '
    "dial tcp 127.0.0.1:1: connect: connection refused"
)
AN_INDEX_REFUSES = "#9 1.3 error: Failed to fetch: Connection refused (os error 111)\n#9 ERROR: exit code: 2"
A_STEP_FAILS = 'ERROR: failed to solve: process "/bin/false" did not complete successfully: exit code: 1'


@pytest.mark.parametrize("text", [KILLED_IN_A_BUILD, KILLED_WHILE_IT_SOLVED, GONE_BEFORE, REFUSED])
def test_an_engine_that_is_gone(text: str) -> None:
    error = engine_failures.explain(text, ENGINE)
    assert error is not None
    assert error.what == "the engine at unix:///run/somewhere/docker.sock stopped answering"
    assert error.fix


@pytest.mark.parametrize("text", [FULL, FULL_IN_PIP, FULL + KILLED_IN_A_BUILD])
def test_a_full_disk(text: str, tmp_path: Path) -> None:
    error = engine_failures.explain(text, dataclasses.replace(ENGINE, data_root=str(tmp_path)))
    assert error is not None
    assert error.what == "the disk with the engine's data folder is full"
    assert str(error.where).startswith(f"{tmp_path} (")
    assert "free)" in str(error.where)
    assert "docker buildx prune" in str(error.fix)
    assert "docker image prune" in str(error.fix)


@pytest.mark.parametrize("text", [A_REGISTRY_REFUSES, AN_INDEX_REFUSES, A_STEP_FAILS, ""])
def test_what_is_not_the_engines_fault(text: str) -> None:
    assert engine_failures.explain(text, ENGINE) is None


def test_a_registry_that_refuses_is_not_an_engine_that_is_gone() -> None:
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:1/v2/", timeout=5)
    assert engine_failures.explain(caught.value, ENGINE) is None


def test_a_pipe_that_nobody_reads_is_not_an_engine_that_is_gone() -> None:
    assert engine_failures.explain(BrokenPipeError(32, "Broken pipe"), ENGINE) is None


def test_the_sdk_finds_no_engine(tmp_path: Path) -> None:
    gone = dataclasses.replace(ENGINE, host=f"unix://{tmp_path}/docker.sock")
    with pytest.raises(DockerException) as caught:
        connect(gone)
    error = engine_failures.explain(caught.value, gone)
    assert error is not None
    assert error.what == f"the engine at {gone.host} stopped answering"


def test_of_an_engines_log_the_error_lines() -> None:
    log = """\
time="2026-11-23T05:20:31Z" level=info msg="Starting up"
time="2026-11-23T05:20:31Z" level=error msg="no iptables"
time="2026-11-23T05:20:32Z" level=info msg="stopping"
failed to start daemon: no room
"""
    assert engine_failures.error_lines(log) == [
        'time="2026-11-23T05:20:31Z" level=error msg="no iptables"',
        "failed to start daemon: no room",
    ]
