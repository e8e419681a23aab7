"""The sizes of frameworks' thread pools under a CPU quota."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.unit.start.start_modules import START, module


def limits(environment: dict[str, str], usable: int, host: int) -> dict[str, str]:
    """Return the variables that the start sets."""
    value: dict[str, str] = module("thread_pools").limits(environment, usable, host)
    return value


def test_without_a_quota_nothing_is_set() -> None:
    assert limits({}, 8, 8) == {}


def test_the_quota_is_the_size_of_the_pools() -> None:
    pools = limits({}, 2, 64)
    assert set(pools.values()) == {"2"}
    assert {"OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "PYTHON_CPU_COUNT"} <= pools.keys()


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "PYTHON_CPU_COUNT"])
def test_the_users_own_size_stays(name: str) -> None:
    assert limits({name: "4"}, 2, 64).keys() == limits({}, 2, 64).keys() - {name}


def test_what_follows_openmp_is_left_to_it() -> None:
    # OMP_NUM_THREADS alone is meant for these too; theirs alone is meant for PyTorch too (MKL), or for them alone.
    assert not {"OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS"} & limits({}, 2, 64).keys()
    assert "OMP_NUM_THREADS" not in limits({"MKL_NUM_THREADS": "4"}, 2, 64)
    assert limits({"OPENBLAS_NUM_THREADS": "4"}, 2, 64)["OMP_NUM_THREADS"] == "2"


APPLY = """
import os, sys
sys.path.insert(0, sys.argv[1])
from server_start import platform_limits, thread_pools
os.sched_getaffinity = lambda _: set(range(64))
platform_limits.usable_cpus = lambda: 3
thread_pools.apply(os.environ)
print(os.environ["OMP_NUM_THREADS"], os.cpu_count(), getattr(os, "process_cpu_count", os.cpu_count)())
"""


def test_this_process_counts_the_quota_too() -> None:
    """Python reads PYTHON_CPU_COUNT when it starts, so the functions change in the process that sets it."""
    done = subprocess.run([sys.executable, "-c", APPLY, START], capture_output=True, text=True, check=True)
    expected = "3 3 3" if sys.version_info >= (3, 13) else f"3 {os.cpu_count()} {os.cpu_count()}"
    assert done.stdout.strip() == expected
