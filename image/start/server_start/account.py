"""A user name and a writable home for any user ID: platforms choose one that /etc/passwd does not have.

Without them `getpass.getuser()` fails, and the caches of many packages cannot be written
(matplotlib, Hugging Face, pip).
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
from typing import MutableMapping

#: The variables in which `getpass.getuser()` looks for a name.
_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def prepare(environment: MutableMapping[str, str], user: int | None = None) -> str:
    """Set HOME, USER and LOGNAME where the user has none that work. A home that is writable stays.

    Args:
        environment: The container's variables, changed in place.
        user: The user ID; by default that of this process.

    Returns:
        A line for the log if there is no home that is writable; otherwise an empty text.
    """
    user = os.getuid() if user is None else user
    account = _account(user)
    if account is None and not any(environment.get(name) for name in _NAMES):
        environment["USER"] = environment["LOGNAME"] = f"user{user}"
    home = environment.get("HOME") or (account.pw_dir if account else "")
    if home and _is_usable(home):
        return ""
    for folder in _temporary_folders(environment):
        # One for each container and user, since platforms may share the folder above.
        own = os.path.join(folder, f"home-{socket.gethostname()}-{user}")
        if _is_own(own, user):
            environment["HOME"] = own
            return ""
    return (
        f"neither {home or 'HOME'} nor a temporary folder is writable: packages cannot write caches; mount a folder at "
        "/tmp (docker: `--tmpfs /tmp`; Kubernetes: an emptyDir), or set HOME to one"
    )


def _account(user: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(user)
    except KeyError:
        return None


def _temporary_folders(environment: MutableMapping[str, str]) -> list[str]:
    return [folder for folder in (environment.get("TMPDIR"), "/tmp", "/var/tmp") if folder]


def _is_usable(folder: str) -> bool:
    """Return whether a folder is writable; it is created if it does not exist."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.path.isabs(folder) and os.access(folder, os.W_OK | os.X_OK)


def _is_own(folder: str, user: int) -> bool:
    """Return whether a folder is writable and belongs to the user alone; it is created if it does not exist.

    Others may write to the folder above: one that somebody else has created could hold code that packages load.
    """
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    status = os.lstat(folder)
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o022
    return private and os.access(folder, os.W_OK | os.X_OK)
