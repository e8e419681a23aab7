"""Find tracked files that name a package index or archive which this machine's own clients are configured for.

In: the settings of pip, uv, npm and apt on this machine, their built-in defaults, and the files that git tracks.
Out: one line for each place, and exit code 1 where there is one. Nothing is written and no host is contacted.

The addresses belong to the machine: the same clone has to work with a company's mirror. A machine without one of
the clients checks less.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: The name of a setting, and a text that may hold addresses.
Setting = tuple[str, str]

ROOT = Path(__file__).resolve().parent.parent
#: Environment variables in which uv and the other clients take addresses.
VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
)
URL = re.compile(r"[a-z+]+://[^\s'\"\\,\]]+", re.IGNORECASE)
#: Hosts that name no index: this machine itself, and the names reserved for examples (RFC 2606).
HARMLESS = re.compile(r"^(localhost|127\..*|::1|0\.0\.0\.0|.*\.(example|invalid|test|localhost))$")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a tracked file that names a configured host."""

    #: From the repository's root.
    path: str
    line: int
    host: str
    #: The setting that the host comes from.
    setting: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: names {self.host}, the host in this machine's {self.setting}"


def hosts_in(text: str) -> Iterator[str]:
    """Yield the host of every URL in a text, except those that name no index."""
    for url in URL.findall(text):
        host = (urlsplit(url).hostname or "").lower()
        if host and not HARMLESS.match(host):
            yield host


def hosts_of(settings: Iterable[Setting]) -> dict[str, str]:
    """Return host → name of the first setting that has it."""
    hosts: dict[str, str] = {}
    for name, text in settings:
        for host in hosts_in(text):
            hosts.setdefault(host, name)
    return hosts


def pip_settings() -> Iterator[Setting]:
    """Yield what pip is configured for, its environment variables included, and its defaults."""
    yield "pip configuration", _output(sys.executable, "-m", "pip", "--no-input", "config", "list")
    yield "pip defaults", _output(sys.executable, "-c", PIP_DEFAULTS)


def uv_settings(environment: Mapping[str, str]) -> Iterator[Setting]:
    """Yield uv's variables and files, and the proxies of all clients."""
    for name in VARIABLES:
        yield name, environment.get(name, "")
    for file in uv_files(environment):
        yield f"uv configuration ({file})", json.dumps(tomllib.loads(file.read_text(encoding="utf-8")))


def machine_settings() -> Iterator[Setting]:
    """Yield what npm and apt are configured for."""
    yield "npm registry", _output("npm", "config", "get", "registry")
    yield "apt sources", _output("apt-get", "indextargets", "--format", "$(REPO_URI)")
    yield "apt proxy", _output("apt-config", "dump", "Acquire::http::Proxy")


#: pip keeps its defaults in its internals alone; without them the check covers what is configured.
PIP_DEFAULTS = """
try:
    from pip._internal.models.index import PyPI
    print(PyPI.simple_url, f"https://{PyPI.file_storage_domain}/")
except ImportError:
    pass
"""


def uv_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield uv's configuration files of the user and of the machine."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    for folder in (home, *environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc"):
        file = Path(folder) / "uv/uv.toml"
        if file.is_file():
            yield file


def _output(program: str, *arguments: str) -> str:
    """Return what a client prints, and nothing where the machine has no such client."""
    if shutil.which(program) is None:
        return ""
    done = subprocess.run([program, *arguments], cwd="/", capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def findings(root: Path, paths: Iterable[str], hosts: Mapping[str, str]) -> Iterator[Finding]:
    """Yield each line that names one of the hosts.

    Args:
        root: The repository's root.
        paths: Files, from the root; binary files are passed over.
        hosts: Host → setting.
    """
    if not hosts:
        return
    names = "|".join(re.escape(host) for host in sorted(hosts, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w.-])({names})(?![\w-]|\.\w)", re.IGNORECASE)
    for path in paths:
        file = root / path
        if not file.is_file():  # deleted, or a submodule
            continue
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            for match in pattern.finditer(line):
                host = match[1].lower()
                yield Finding(path=path, line=number, host=host, setting=hosts[host])


def tracked(root: Path) -> list[str]:
    """Return the paths that git tracks, from the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path]


def main() -> int:
    """Print the findings; return the exit code."""
    hosts = hosts_of([*pip_settings(), *uv_settings(os.environ), *machine_settings()])
    found = list(findings(ROOT, tracked(ROOT), hosts))
    for finding in found:
        print(finding)
    if found:
        print("fix: take the address from the clients' configuration; examples and test data use index.example")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
