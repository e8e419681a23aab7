"""The check of mmdebstrap, which makes the Debian bases that neither this clone nor the registry has."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from build.bases import rootfs
from build.doctor.finding import Finding, missing, ok, warning
from build.doctor.setting import Setting
from build.engine.install import KEYRING
from build.matrix.origins import Bootstrapped

_NAME = "mmdebstrap"
_FIX = (
    "sudo apt-get install mmdebstrap debian-archive-keyring (on Debian or Ubuntu; nox -s engine does it, where it "
    "starts an engine)"
)


def check(setting: Setting) -> Sequence[Finding]:
    """Look for mmdebstrap and the keys of Debian's archive, and for bases that must be bootstrapped."""
    bases = [local for local in setting.needed_bases if isinstance(local.origin, Bootstrapped)]
    to_make = [local.name for local in bases if rootfs.present(local) is None]
    lacking = [*([] if shutil.which("mmdebstrap") else ["mmdebstrap"])]
    if not KEYRING.is_file():
        lacking.append(f"the keys of Debian's archive ({KEYRING})")
    return [judge(lacking, to_make)]


def judge(lacking: Sequence[str], to_make: Sequence[str]) -> Finding:
    """Return the finding.

    Args:
        lacking: What this machine does not have.
        to_make: The bases that are not in this clone yet.
    """
    if not lacking:
        return ok(_NAME, "it is installed, and so are the keys of Debian's archive")
    what = f"not on this machine: {', '.join(lacking)}"
    if not to_make:
        return warning(_NAME, f"{what}; this clone has the bases of the selected images", _FIX)
    return missing(_NAME, f"{what}; unless the registry has them, these bases need it: {', '.join(to_make)}", _FIX)
