"""The proxies that the environment names, and what to do about one that fails.  Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping

PROXY_FIX = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
PROXY_LOGIN_FIX = (
    "write user and password into its address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT (special characters as %40)"
)

#: apt reads the lower-case names alone, others both.
_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
#: What apt can use (apt-transport-http(1)): it does not read ``all_proxy``.
_OF_APT = ("http://", "https://", "socks5h://")


def in_both_cases(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that name proxies, each in lower and in upper case: some programs read only one of the two.

    Programs differ in what they understand, so that each address has a scheme, and ``all_proxy`` is in the others too.

    Args:
        environ: Where both are set, the lower-case one counts, as in curl and Python; an empty one means no proxy.
    """
    values = {name: environ.get(name, environ.get(name.upper(), "")) for name in _NAMES}
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        if values[name] and "://" not in values[name]:
            values[name] = f"http://{values[name]}"
    for name in ("http_proxy", "https_proxy"):
        if name not in environ and name.upper() not in environ and values["all_proxy"].startswith(_OF_APT):
            values[name] = values["all_proxy"]
    return {case: value for name, value in values.items() if value for case in (name, name.upper())}
