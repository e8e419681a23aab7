"""The checks of CA certificates: the files that variables name, and whether what the network needs reaches builds."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

import certifi
import urllib3

from build.doctor import index, network
from build.doctor.finding import Finding, missing, ok, warning
from build.doctor.setting import Setting
from build.system.certificates import VARIABLES, ca_bundle
from build.system.http_connections import new_manager, proxy_of
from build.system.http_failures import CertificateError, HttpError, from_library, host_of

_FILES = "CA certificates"
_BUILDS = "CA certificates in builds"


def check_files(setting: Setting) -> Sequence[Finding]:
    """Read the files of CA certificates."""
    return judge_files(setting.environ)


def judge_files(environ: Mapping[str, str]) -> Sequence[Finding]:
    """Return the findings about the file that is used, and about variables that name no usable file.

    Args:
        environ: The variables that name such files.
    """
    used = ca_bundle(environ)
    findings = [_judge_used(used)]
    for variable in VARIABLES:
        named = environ.get(variable)
        if named and Path(named) != used and (problem := _problem(Path(named))):
            findings.append(warning(_FILES, f"{variable}={named}: {problem}", f"correct or unset {variable}"))
    return findings


def _judge_used(used: Path | None) -> Finding:
    if used is None:
        return warning(
            _FILES,
            "this machine has no file of CA certificates: requests use those of the package certifi, builds their own",
            "apt-get install ca-certificates",
        )
    problem = _problem(used)
    if problem:
        fix = f"name a file of PEM certificates in {VARIABLES[0]}, or unset the variable that names this one"
        return missing(_FILES, f"{used}: {problem}", fix)
    return ok(_FILES, str(used))


def _problem(file: Path) -> str | None:
    """Say why a file cannot be used as one of CA certificates; None if it can."""
    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError:
        return "it has no PEM certificates, or a damaged one"
    except OSError as failure:
        return f"it cannot be read: {failure.strerror}"
    return None


def check_builds(setting: Setting) -> Sequence[Finding]:
    """Compare what the package index's certificate needs with the file that builds get.

    A certificate that no public CA signed is that of a proxy which inspects TLS, or of a company's own index: builds
    accept it only if its CA is in the file.
    """
    used = ca_bundle(setting.environ)
    url = next((url for url in index.indexes() if url.startswith("https://")), None)
    if url is None or (used and _problem(used)):
        return []
    try:
        refusal = _refusal(url, used or Path(certifi.where()))
        is_public = _refusal(url, Path(certifi.where())) is None
    except HttpError:  # the check of the index reports it
        return []
    if refusal is not None:
        return [missing(_BUILDS, f"{refusal.what}: its CA is not in {used or 'the package certifi'}", refusal.fix)]
    return [judge_builds(host_of(url), used, is_public=is_public)]


def judge_builds(host: str, used: Path | None, *, is_public: bool) -> Finding:
    """Return the finding about a package index whose certificate this machine accepts.

    Args:
        host: The index.
        used: The file that builds get as a secret.
        is_public: Whether a public CA signed the certificate.
    """
    if is_public:
        return ok(_BUILDS, f"a public CA signed the certificate of {host}")
    return ok(
        _BUILDS,
        f"no public CA signed the certificate of {host} (a proxy that inspects TLS, or a company's index); "
        f"{used} has the CA, and builds get that file",
    )


def _refusal(url: str, ca_file: Path) -> CertificateError | None:
    """Return why the certificate at an address is refused with these CAs; None if it is accepted.

    Raises:
        HttpError: There is no answer.
    """
    manager = new_manager(proxy_of(url), tls=True, ca_file=ca_file)
    try:
        manager.request("HEAD", url, retries=False, redirect=False, timeout=network.TIMEOUT)
    except (urllib3.exceptions.HTTPError, OSError) as failure:
        problem = from_library(failure, url, timeout=network.TIMEOUT)
        if isinstance(problem, CertificateError):
            return problem
        raise problem from failure
    finally:
        manager.clear()
    return None
