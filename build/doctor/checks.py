"""All checks, and how they run: at the same time, each with a limit, and none stops another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from build.doctor import bootstrap, build_network, certificates, disk, engine, index, prefixes, registry, wheels
from build.doctor.finding import Finding, missing, of_failure
from build.doctor.setting import Setting
from build.errors import PipelineError

#: Seconds that a check may take. One that asks a server gives up by itself after `network.TIMEOUT`.
LIMIT = 30.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """A question about this machine."""

    #: What is checked; the findings may have more precise names.
    name: str
    #: Returns what it found, nothing if it does not apply. It may raise a PipelineError.
    run: Callable[[Setting], Sequence[Finding]]


CHECKS = (
    Check(name="engine", run=engine.check_engine),
    Check(name="buildx", run=engine.check_buildx),
    Check(name="builder", run=engine.check_builder),
    Check(name="mmdebstrap", run=bootstrap.check),
    Check(name="disk of the engine", run=disk.check_engine_data),
    Check(name="disk of the clone", run=disk.check_clone),
    Check(name="CA certificates", run=certificates.check_files),
    Check(name="package index", run=index.check),
    Check(name="proxies and mirrors in builds", run=build_network.check),
    Check(name="CA certificates in builds", run=certificates.check_builds),
    Check(name="Python prefixes", run=prefixes.check),
    Check(name="wheel sources", run=wheels.check),
    Check(name="registry", run=registry.check),
)


def run_all(setting: Setting, checks: Sequence[Check] = CHECKS, *, limit: float = LIMIT) -> list[Finding]:
    """Run checks at the same time.

    Args:
        setting: What they are about.
        checks: The checks.
        limit: Seconds that each may take.

    Returns:
        The findings, in the order of the checks. A check that fails unexpectedly or takes too long is one of them.
    """
    results: dict[str, Sequence[Finding]] = {}

    def work(check: Check) -> None:
        results[check.name] = _run(check, setting)

    # Daemons: a check that takes too long must not keep the command from ending.
    threads = {check.name: threading.Thread(target=work, args=(check,), daemon=True) for check in checks}
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + limit
    for thread in threads.values():
        thread.join(max(0.0, end - time.monotonic()))
    late = {name: [missing(name, f"no result within {limit:.0f} s", "run it again")] for name in threads}
    return [finding for check in checks for finding in results.get(check.name, late[check.name])]


def _run(check: Check, setting: Setting) -> Sequence[Finding]:
    try:
        return check.run(setting)
    except PipelineError as failure:
        return [of_failure(check.name, failure)]
    except Exception as failure:  # noqa: BLE001  what a check does not expect must not hide the others' results
        text = f"this check failed unexpectedly: {type(failure).__name__}: {failure}"
        return [missing(check.name, text, "this is a bug of the check: report it with this line")]
