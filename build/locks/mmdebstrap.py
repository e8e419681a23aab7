"""How mmdebstrap reaches Debian's archive: through the proxy and from the mirrors of this machine.

Nothing of it stays in a root file system: apt's sources in it are those that mmdebstrap writes without mirrors.
Effects: a temporary file.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.system import apt_mirrors, proxies
from build.system.certificates import ca_bundle

_USE_MIRRORS = """
cp --preserve "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.usual"
sed --in-place --regexp-extended --file={script} "$1/etc/apt/sources.list"
"""
#: mmdebstrap removes this configuration at its end. Its apt reads files as root.
_CONFIGURE = """
printf '%s "%s";\n' {name} {value} >> "$MMDEBSTRAP_APT_CONFIG"
"""
_USE_ARCHIVE = 'mv "$1/etc/apt/sources.list.usual" "$1/etc/apt/sources.list"'


@dataclass(frozen=True, kw_only=True)
class Access:
    """What mmdebstrap gets to reach the archive."""

    #: Options: apt uses mirrors instead of the archive.
    options: tuple[str, ...] = ()
    #: Options that come before others with hooks, if the root file system is kept: from then on apt uses the archive.
    kept_options: tuple[str, ...] = ()
    #: The environment variables.
    environment: Mapping[str, str]


@contextlib.contextmanager
def access(environ: Mapping[str, str] = os.environ) -> Iterator[Access]:
    """Give what mmdebstrap needs to reach the archive as this machine does.

    Args:
        environ: The environment variables of this process.

    Raises:
        UsageError: The variable with apt's mirrors is not valid.
    """
    environment = {**environ, **proxies.in_both_cases(environ)}  # apt reads http_proxy, and not HTTP_PROXY
    mirrors = apt_mirrors.from_environment(environ)
    if not mirrors:
        yield Access(environment=environment)
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "mirrors.sed")
        script.write_text(apt_mirrors.sed_script(mirrors), encoding="utf-8")
        hook = _USE_MIRRORS.format(script=shlex.quote(str(script)))
        logins, bundle = apt_mirrors.auth_conf(mirrors), ca_bundle(environ)
        if logins:
            file = Path(folder, "auth.conf")
            file.touch(mode=0o600)
            file.write_text(logins, encoding="utf-8")
            hook += _CONFIGURE.format(name="Dir::Etc::netrc", value=shlex.quote(str(file)))
        if bundle:
            hook += _CONFIGURE.format(name="Acquire::https::CAInfo", value=shlex.quote(str(bundle)))
        yield Access(
            options=(f"--setup-hook=set -e; {hook}",),
            kept_options=(f"--customize-hook={_USE_ARCHIVE}",),
            environment=environment,
        )
