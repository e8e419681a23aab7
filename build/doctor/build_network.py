"""The check of the proxies and the mirrors of archives that builds use."""

from __future__ import annotations

from collections.abc import Sequence

from build.builder import network
from build.doctor.finding import Finding, ok, warning
from build.doctor.setting import Setting
from build.system import apt_mirrors, proxies
from build.system.http_failures import shown

_NAME = "proxies and mirrors in builds"


def check(setting: Setting) -> Sequence[Finding]:
    """Return which of them builds do not get; nothing if the environment names none.

    Raises:
        UsageError: The variable with apt's mirrors is not valid.
    """
    environ = setting.environ
    if environ.get(network.VARIABLE):
        return [ok(_NAME, f"builds use what the variable {network.VARIABLE} says")]
    named = [value for name, value in proxies.in_both_cases(environ).items() if name != name.upper() != "NO_PROXY"]
    named += [each.address for each in apt_mirrors.from_environment(environ)]
    if not named:
        return []
    found = network.of((), (), environ)
    left_out = [*found.left_out, *(each.address for each in found.only_here)]
    if not left_out:
        return [ok(_NAME, f"builds use {', '.join(map(shown, dict.fromkeys(named)))}")]
    return [
        warning(
            _NAME,
            f"builds do not reach {', '.join(left_out)}: they run in containers, and only this machine reaches it",
            "use a name or an address that containers reach (hostname -I); locking and bootstrapping work as they are",
        )
    ]
