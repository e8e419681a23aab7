"""Thread pools of frameworks as large as the container's CPU quota: by themselves they take all cores of the host.

With more threads than CPUs, threads wait for others that the quota has stopped, and predictions take many times longer.
"""

from __future__ import annotations

import os
import sys
from typing import Mapping, MutableMapping

from server_start import platform_limits

#: Variable → the variables with which users say what they want instead. Frameworks that are not named here know the
#: quota (joblib, XGBoost, Polars), or follow one of these variables.
POOLS = {
    # OpenMP: PyTorch, LightGBM, XGBoost, scikit-learn. OpenBLAS, MKL and NumExpr follow it unless their own variable is
    # set, so theirs are left alone: a user who sets OMP_NUM_THREADS alone means them too. PyTorch also reads MKL's.
    "OMP_NUM_THREADS": ("OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    "TF_NUM_INTRAOP_THREADS": ("TF_NUM_INTRAOP_THREADS",),
    "TF_NUM_INTEROP_THREADS": ("TF_NUM_INTEROP_THREADS",),
    "NUMBA_NUM_THREADS": ("NUMBA_NUM_THREADS",),
    # os.cpu_count() from Python 3.13 on: pools of concurrent.futures and multiprocessing.
    "PYTHON_CPU_COUNT": ("PYTHON_CPU_COUNT",),
}


def limits(environment: Mapping[str, str], usable: int, host: int) -> dict[str, str]:
    """Return the variables to set.

    Args:
        environment: The container's variables.
        usable: CPUs that the container can keep busy.
        host: CPUs that its processes may run on. Without a quota both are the same, and nothing is set.
    """
    if usable >= host:
        return {}
    return {
        name: str(usable) for name, users in POOLS.items() if not any(environment.get(variable) for variable in users)
    }


def apply(environment: MutableMapping[str, str]) -> None:
    """Set the variables for this process and its children.

    Args:
        environment: `os.environ`.
    """
    host = len(os.sched_getaffinity(0))
    environment.update(limits(environment, platform_limits.usable_cpus(), host))
    count = environment.get("PYTHON_CPU_COUNT", "")
    if sys.version_info >= (3, 13) and count.isdecimal() and int(count) != os.cpu_count():
        # Python has read the variable when it started. With it, both functions are one.
        os.cpu_count = os.process_cpu_count = lambda: int(count)
