"""The packages that the own engine needs."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from packaging.version import Version

from build.engine import install
from build.engine.install import Machine
from build.errors import EngineError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FRESH_DEBIAN_12 = Machine(distribution="debian", version="12", dockerd=None, has=frozenset(), buildx=False)


def test_a_fresh_debian_12_takes_docker_from_debian_13() -> None:
    assert install.missing_packages(FRESH_DEBIAN_12) == (
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
    assert install.missing_packages(machine) == ("containerd", "docker-buildx", "docker.io")


def test_an_installed_client_is_kept() -> None:
    machine = dataclasses.replace(FRESH_DEBIAN_12, has=frozenset({"docker"}))
    assert "docker-cli" not in install.missing_packages(machine)


def test_dockers_own_packages_are_left_alone() -> None:
    has = frozenset({"containerd", "docker", "iptables"})
    machine = dataclasses.replace(FRESH_DEBIAN_12, dockerd=Version("28.2"), has=has, buildx=True)
    assert install.missing_packages(machine) == ("debian-archive-keyring", "mmdebstrap")


def test_ubuntu_has_the_client_in_docker_io() -> None:
    machine = dataclasses.replace(FRESH_DEBIAN_12, distribution="ubuntu", version="24.04")
    assert "docker-cli" not in install.missing_packages(machine)
    assert not machine.needs_trixie


def test_nothing_missing_installs_nothing() -> None:
    has = frozenset({"containerd", "docker", "iptables", "mmdebstrap", KEYRING})
    machine = dataclasses.replace(FRESH_DEBIAN_12, dockerd=Version("26.1"), has=has, buildx=True)
    assert install.install(machine) == ()


def test_on_other_systems_the_error_says_what_to_install() -> None:
    with pytest.raises(EngineError, match="only on Debian or Ubuntu") as caught:
        install.install(dataclasses.replace(FRESH_DEBIAN_12, distribution="fedora"))
    assert "Docker engine 23 or newer with buildx" in str(caught.value.fix)


def test_without_root_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EngineError, match="only root can install") as caught:
        install.install(FRESH_DEBIAN_12)
    assert "docker-buildx docker-cli docker.io" in str(caught.value.fix)
    assert "suite trixie" in str(caught.value.fix)


def test_services_do_not_start_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(KeyboardInterrupt), install.no_service_starts(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & stat.S_IXUSR
        raise KeyboardInterrupt
    assert not policy.exists()


def test_the_machines_own_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with install.no_service_starts(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
