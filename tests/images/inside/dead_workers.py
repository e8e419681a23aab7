"""Print, as JSON, how gunicorn's master reacts when two workers fail to boot at the same time; runs inside an image.

    python -c "$(cat dead_workers.py)"

The kernel merges simultaneous signals of two children. The test uses real processes and the image's own gunicorn.
"""

import json
import os
import sys

sys.path.insert(0, sys.argv[1] if sys.argv[1:] else "/usr/local/lib/inference-server")

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from server_start import starting


class Sign:
    starting = True

    def close(self):
        pass


class Worker:
    tmp = Sign()


class Application(BaseApplication):
    def load_config(self):
        self.cfg.set("errorlog", os.devnull)

    def load(self):
        return None


def dead_child():
    pid = os.fork()
    if pid == 0:
        os._exit(Arbiter.WORKER_BOOT_ERROR)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


starting.end_where_one_dies()
arbiter = Arbiter(Application())
arbiter.LISTENERS = [None]
arbiter.WORKERS = {dead_child(): Worker() for _ in range(2)}
try:
    arbiter.reap_workers()
    code = None
except HaltServer as halt:
    code = halt.exit_status
print(json.dumps({"code": code, "waits_for": len(arbiter.WORKERS)}))
