"""A script that uses the user's name and home when it starts, and reports what the platform and the start give it."""

import getpass
import os
import resource
from pathlib import Path

from azureml.contrib.services.aml_request import rawhttp

found = {}


def init():
    cache = Path.home() / ".cache" / "x"
    cache.mkdir(parents=True)
    found["user"] = getpass.getuser()
    found["home"] = str(Path.home())
    found["open files"] = resource.getrlimit(resource.RLIMIT_NOFILE)
    found["threads"] = os.environ.get("OMP_NUM_THREADS")
    found["cpus"] = len(os.sched_getaffinity(0))


@rawhttp
def run(request):
    return dict(found, client=request.remote_addr)
