"""A network for the benchmark's engine: a virtual cable between its network namespace and this machine's.

Effects: `ip` and `iptables`, as root; everything is undone when the benchmark ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from build.engine.install import PATH
from build.errors import EngineError
from build.system import processes

#: The address block that RFC 2544 reserves for benchmarks.  Each benchmark that runs takes one /30 of it.
_BLOCK = "198.18"


def program(name: str) -> str:
    return shutil.which(name, path=PATH) or name


@contextlib.contextmanager
def plugged_in(pid: int) -> Iterator[str]:
    """Connect the engine's network to this machine's, and let this machine forward its packets; yields its address."""
    link = f"bench{os.getpid()}"
    taken = _run("ip", "-o", "-4", "addr").split()
    number = next(n for n in range(256) if not any(word.startswith(f"{_BLOCK}.{n}.") for word in taken))
    here, there = f"{_BLOCK}.{number}.1", f"{_BLOCK}.{number}.2"
    rules = (
        ("-t", "nat", "-A", "POSTROUTING", "-s", there, "!", "-o", link, "-j", "MASQUERADE"),
        ("-I", "FORWARD", "-i", link, "-j", "ACCEPT"),
        ("-I", "FORWARD", "-o", link, "-j", "ACCEPT"),
    )
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    with contextlib.ExitStack() as undo:
        was = forward.read_text(encoding="ascii")
        if was.strip() == "0":
            forward.write_text("1", encoding="ascii")
            undo.callback(forward.write_text, was, encoding="ascii")
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        undo.callback(_quietly, "ip", "link", "delete", link)
        _run("ip", "addr", "add", f"{here}/30", "dev", link)
        _run("ip", "link", "set", link, "up")
        inside = ("nsenter", f"--net=/proc/{pid}/ns/net", "--", program("ip"))
        _run(*inside, "addr", "add", f"{there}/30", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
        _run(*inside, "route", "add", "default", "via", here)
        for rule in rules:
            _run("iptables", "-w", *rule)
            away = ["-D" if word in ("-A", "-I") else word for word in rule]
            undo.callback(_quietly, "iptables", "-w", *away)
        yield there


def _run(*command: str) -> str:
    done = processes.run([program(command[0]), *command[1:]])
    if done.returncode != 0:
        raise EngineError(
            "the benchmark's engine could not be connected to the network",
            where=" ".join(command),
            details=done.stderr[-500:],
        )
    return done.stdout


def _quietly(*command: str) -> None:
    processes.run([program(command[0]), *command[1:]])
