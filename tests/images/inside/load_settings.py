"""Load gunicorn's settings as the start does, for several files and variables; no server is started.

    python -c "$(cat load_settings.py)" '[["daemon = True", "--keep-alive 5"]]'

Each case is the text of a gunicorn.conf.py and a value of GUNICORN_CMD_ARGS. Prints, for each, as JSON: the message
with which loading failed (or null), the lines that were printed, and the settings. Only features of Python 3.7.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, "/usr/local/lib/inference-server")
os.chdir(tempfile.mkdtemp())  # before gunicorn is imported: it remembers the folder

from server_start import gunicorn_settings  # noqa: E402
from server_start.failure import StartFailure  # noqa: E402

#: As Microsoft's server calls gunicorn.
SERVERS = ["azmlinfsrv", "-b", "[::]:5001", "-w", "1", "--timeout", "300", "--access-logfile", "-", "x:app"]
SHOWN = ("daemon", "bind", "workers", "keepalive", "graceful_timeout", "worker_connections", "worker_class")


def load(file, variable):
    Path("gunicorn.conf.py").write_text(file)
    os.environ["GUNICORN_CMD_ARGS"] = variable
    sys.argv = list(SERVERS)
    printed = io.StringIO()
    message, settings = None, {}
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        try:
            cfg = gunicorn_settings.Application("").cfg
            settings = {name: cfg.settings[name].get() for name in SHOWN}
        except StartFailure as failure:
            message = str(failure)
    return {"message": message, "printed": printed.getvalue(), "settings": settings, "folder": str(Path.cwd())}


if __name__ == "__main__":
    print(json.dumps([load(*case) for case in json.loads(sys.argv[1])]))
