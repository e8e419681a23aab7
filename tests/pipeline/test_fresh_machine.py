"""The README's first command, on new Debian systems: nothing but the archive's minimal set of packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.system.certificates import ca_bundle
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.network,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root file system is entered by root alone"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed"),
]

#: The mounts of a running system; they end with the process.
ENTER = """
for name in proc sys dev; do mount --rbind "/$name" "$0/$name"; done
exec chroot "$0" sh -exc "cd /root/clone; $1"
"""


def first_commands() -> list[str]:
    """Return the two lines of the README's first block."""
    block = re.search(r"^## Build the images\n.*?^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.M)
    assert block is not None
    install, run = block[1].splitlines()
    assert run == "nox -s engine pipeline"
    return [install, run]


@pytest.fixture(params=["bookworm", "trixie"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A minimal Debian with a clone of this repository in /root/clone."""
    root = tmp_path_factory.mktemp("fresh") / request.param
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", request.param, str(root)], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root / "root/clone")], check=True)
    bundle = ca_bundle()
    if bundle is not None:  # behind a proxy that inspects TLS, which pip has to trust
        shutil.copy(bundle, root / "root/ca.pem")
    yield root
    shutil.rmtree(root, ignore_errors=True)


def test_the_first_command_works_as_far_as_the_list(fresh: Path) -> None:
    install, run = first_commands()
    commands = f"{install}; {run.replace('engine pipeline', 'list')}"
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
        **{name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_TRUSTED_HOST") if name in os.environ},
    }
    if (fresh / "root/ca.pem").exists():
        environment |= {"PIP_CERT": "/root/ca.pem", "SSL_CERT_FILE": "/root/ca.pem"}
    done = subprocess.run(
        ["unshare", "--mount", "--", "sh", "-ec", ENTER, str(fresh), commands],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert re.search(r"^\d+ images$", done.stdout + done.stderr, re.MULTILINE)
