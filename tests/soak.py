"""Load the smallest image's server for some minutes, and check that nothing fails and that its memory does not grow.

    .venv/bin/python -m tests.soak --minutes 10

Prints a line every 30 seconds: the time, the requests so far, the server's memory without the file cache.
`tests/pipeline/test_soak.py` runs the same for a minute.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# As pytest does (pyproject.toml, pythonpath), for those who run this module.
sys.path.insert(0, str(Path(__file__).parent / "images"))

from image_clients import SCORING, Clients
from image_container import Container, Start, docker

from build.engine.connect import connect
from build.engine.find import require
from tests.pipeline.serving import containers

CLIENTS = 16
#: Seconds between two lines.
INTERVAL = 30
#: The part of the time after which memory should not grow: caches and pools have filled.
WARM_UP = 0.2
#: How much it may grow from then to the end.
GROWTH = 0.05
#: Samples whose median is compared: one alone is uncertain by megabytes (the kernel counts in batches for each CPU).
AROUND = 3


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A point of the curve."""

    #: Since the load began.
    seconds: float
    #: Memory of all processes of the container, in bytes, without the file cache.
    memory: int


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What happened under the load."""

    samples: Sequence[Sample]
    #: What ``inside/clients/load.py`` returned.
    load: dict[str, Any]
    #: How often a worker started.
    workers_started: int

    @property
    def growth(self) -> float:
        """How much the memory grew after the warm-up, relative to what it was then."""
        memory = [sample.memory for sample in self.samples]
        warm = next(n for n, one in enumerate(self.samples) if one.seconds >= WARM_UP * self.samples[-1].seconds)
        before = median(memory[max(0, warm - AROUND // 2) : warm + AROUND // 2 + 1])
        return median(memory[-AROUND:]) / before - 1

    def problems(self, workers: int) -> list[str]:
        """Return what is wrong.

        Args:
            workers: The number of workers that the server has.
        """
        problems = []
        if self.load["failures"]:
            problems.append(f"{self.load['failures']} requests failed: {self.load['failed']}")
        if self.workers_started != workers:
            problems.append(f"workers started {self.workers_started} times, expected: {workers}")
        if self.growth > GROWTH:
            problems.append(f"the memory grew by {self.growth:.0%}, allowed: {GROWTH:.0%}")
        return problems


def memory(server: Container) -> int:
    """Return the memory of a container's processes in bytes, without the file cache."""
    files = "/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"  # of cgroup version 2 and 1
    text = docker("exec", server.id, "sh", "-c", f"cat {files[0]} 2>/dev/null || cat {files[1]}")
    counters = dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE))
    return int(counters["anon"] if "anon" in counters else counters["total_rss"])


def soak(start: Start, *, seconds: float, workers: int, interval: float, report: Callable[[str], None]) -> Soaked:
    """Load a new server.

    Args:
        start: Starts containers.
        seconds: How long.
        workers: The server's WORKER_COUNT.
        interval: Seconds between two samples of the memory.
        report: Gets a line for each sample.
    """
    clients = Clients.start(start)
    server = start(SCORING, environment={"WORKER_COUNT": str(workers), "AZUREML_LOG_LEVEL": "error"})
    clients.wait_until_ready(server)
    clients.ask("burst", server, requests=[{"do": "rest"}] * 20 * workers)  # all workers have started
    samples: list[Sample] = []
    report("  time     memory")

    def take(passed: float) -> None:
        samples.append(Sample(seconds=passed, memory=memory(server)))
        report(f"{passed // 60:3.0f}:{passed % 60:02.0f} {samples[-1].memory / 1e6:7.1f} MB")

    with clients.present("load", server, clients=CLIENTS, seconds=seconds) as load:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            take(passed)
            time.sleep(max(0, begin + min(len(samples) * interval, seconds) - time.monotonic()))
        load.finish()
        take(seconds)
    (answer,) = clients.ask("burst", server, requests=[{"do": "nothing"}])
    match = re.search(r'"inits": (\d+)', str(answer.get("body")))
    return Soaked(samples=samples, load=load.result, workers_started=int(match.group(1)) if match else 0)


def main(arguments: Sequence[str]) -> int:
    """Run it from the command line.

    Returns:
        The exit code: 1 if something is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--workers", type=int, default=1, help="the server's WORKER_COUNT (default: 1)")
    asked = parser.parse_args(arguments)
    with containers(connect(require())) as start:
        done = soak(start, seconds=60 * asked.minutes, workers=asked.workers, interval=INTERVAL, report=print_line)
    print(f"{done.load['requests']} requests, {done.load['failures']} failed; memory grew by {done.growth:.1%}")
    for problem in done.problems(asked.workers):
        print(f"error: {problem}", file=sys.stderr)
    return 1 if done.problems(asked.workers) else 0


def print_line(line: str) -> None:
    """Print a line at once, also into a file."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
