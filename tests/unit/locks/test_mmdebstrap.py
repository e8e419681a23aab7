"""The hooks with which mmdebstrap uses mirrors, run as mmdebstrap runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from build.locks import mmdebstrap
from build.system import apt_mirrors

SOURCES = "deb http://archive.example/debian bookworm main\n"


def run(hook: str, root: Path) -> None:
    subprocess.run(["sh", "-c", hook.partition("=")[2], "exec", root], check=True, env={"MMDEBSTRAP_APT_CONFIG": "x"})


def test_only_what_mmdebstrap_itself_reads_is_in_a_file_of_this_user(tmp_path: Path) -> None:
    """Without root, hooks run as another user: they must work where the private file cannot be read."""
    mirror = "http://archive.example/debian=https://user:it%27s@mirror.example/debian"
    with mmdebstrap.access({apt_mirrors.VARIABLE: mirror, "SSL_CERT_FILE": ""}) as access:
        upload, use_mirrors = access.options
        word, file, place = upload.partition("=")[2].split()
        assert (word, place) == ("upload", "/etc/apt/auth.conf")
        assert Path(file).stat().st_mode & 0o077 == 0
        assert "login user password it's\n" in Path(file).read_text(encoding="utf-8")
        (use_archive,) = access.kept_options
    assert not Path(file).exists()
    assert "it's" not in " ".join((*access.options, *access.kept_options))

    sources, logins = tmp_path / "etc" / "apt" / "sources.list", tmp_path / "etc" / "apt" / "auth.conf"
    sources.parent.mkdir(parents=True)
    sources.write_text(SOURCES, encoding="utf-8")
    logins.touch()
    run(use_mirrors.replace("$MMDEBSTRAP_APT_CONFIG", str(tmp_path / "apt.conf")), tmp_path)
    assert sources.read_text(encoding="utf-8") == "deb https://mirror.example/debian bookworm main\n"
    run(use_archive, tmp_path)
    assert sources.read_text(encoding="utf-8") == SOURCES
    assert [path.name for path in sources.parent.iterdir()] == ["sources.list"]
