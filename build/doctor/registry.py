"""The check of the registry: it answers, the login, and the right to push."""

from __future__ import annotations

from collections.abc import Sequence

from build.doctor import network
from build.doctor.finding import Finding, of_failure, ok
from build.doctor.setting import Setting
from build.errors import RegistryError
from build.publish.rights import check_rights
from build.registry import probe
from build.registry.client import Client
from build.registry.credentials import PasswordLogin, credentials


def check(setting: Setting) -> Sequence[Finding]:
    """Ask the registry; the later findings are left out if an earlier one fails.

    Raises:
        RegistryError: The stored logins cannot be read, or the registry does not answer, or refuses the login.
    """
    registry = setting.registry
    if not probe.is_running(registry):
        return [ok("registry", f"nothing runs at {registry}: the embedded registry, which publish starts there")]
    login = None if registry.embedded else credentials(registry)
    with Client(registry, network.http_client(proxies=not registry.insecure)) as client:
        client.check()
        findings = [ok("registry", f"{registry} answers")]
        if not registry.embedded:
            whose = f"the login of {login.username}" if isinstance(login, PasswordLogin) else "an identity token"
            text = f"{whose} is stored" if login else "no login is stored, and the registry asks for none"
            findings.append(ok("registry login", text))
        try:
            count = check_rights(client, setting.project, setting.variants)
        except RegistryError as failure:
            return [*findings, of_failure("push rights", failure)]
    return [*findings, ok("push rights", f"for all {count} repositories of the selected images")]
