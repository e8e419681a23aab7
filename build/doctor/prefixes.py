"""The check of prefixes: the CPythons of the matrix that were built elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from build.bases import prefix, prefix_archive
from build.bases.local import LocalBase, local_base
from build.doctor.finding import Finding, of_failure, ok
from build.doctor.setting import Setting
from build.errors import PipelineError
from build.matrix.origins import PrefixPython


def check(setting: Setting) -> Sequence[Finding]:
    """Look for each prefix that the matrix names; one that only other images need gives a warning at most."""
    project = setting.project
    findings = []
    for name in project.matrix.bases:
        local = local_base(project, name)
        match local.origin.python:
            case PrefixPython() as wanted:
                findings.append(_check(local, wanted, needed=name in setting.base_names))
            case _:
                pass
    return findings


def _check(local: LocalBase, wanted: PrefixPython, *, needed: bool) -> Finding:
    name = f"Python {wanted.version}"
    if prefix_archive.present(local.folder, wanted) is not None:
        return ok(name, f"this clone has packed it, for the base {local.name}")
    try:
        found = prefix.find(wanted, local.paths.root)
    except PipelineError as failure:
        finding = of_failure(name, failure, needed=needed)
        whose = f"the base {local.name} needs it" + ("" if needed else ", which no selected image is built on")
        return Finding(name=name, state=finding.state, text=f"{failure.what}; {whose}", fix=failure.fix)
    return ok(name, f"{found.directory}, for the base {local.name}")
