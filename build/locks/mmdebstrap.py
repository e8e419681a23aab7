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

from build.system import apt_mirrors, proxies
from build.system.certificates import ca_bundle

_USE_MIRRORS = """
cp --preserve "$1/etc/apt/sources.list" "$1/etc/apt/sources.list.usual"
sed --in-place --regexp-extended --expression={commands} "$1/etc/apt/sources.list"
"""
#: mmdebstrap removes this configuration at its end. Its apt reads files as root.
_CONFIGURE = """
printf '%s "%s";\n' {name} {value} >> "$MMDEBSTRAP_APT_CONFIG"
"""
#: Where apt looks for logins by itself, in the root file system.
_LOGINS = "/etc/apt/auth.conf"
_USE_ARCHIVE = f'mv "$1/etc/apt/sources.list.usual" "$1/etc/apt/sources.list" && rm -f "$1{_LOGINS}"'


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
    hook = _USE_MIRRORS.format(commands=shlex.quote(apt_mirrors.sed_script(mirrors)))
    if bundle := ca_bundle(environ):
        hook += _CONFIGURE.format(name="Acquire::https::CAInfo", value=shlex.quote(str(bundle)))
    # Without root, hooks run as another user, who cannot read a private file of this one; uploads are read by this one.
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(apt_mirrors.auth_conf(mirrors))
        file.flush()
        yield Access(
            options=(
                f"--setup-hook=upload {shlex.quote(file.name)} {_LOGINS}",
                f"--setup-hook=set -e; {hook}",
            ),
            kept_options=(f"--customize-hook={_USE_ARCHIVE}",),
            environment=environment,
        )
